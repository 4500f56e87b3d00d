"""The simulation does what formulas and a published run say, and loses nobody."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from statistics import mean

import pytest

from moosproxy.proxy.bench.fleet.command import PUBLISHED
from moosproxy.proxy.bench.fleet.costs import Costs, read_costs
from moosproxy.proxy.bench.fleet.model import Simulation
from moosproxy.proxy.bench.fleet.parts import Dispatch, Fleet, Outcome
from moosproxy.proxy.bench.fleet.traffic import Traffic

PLAIN = Costs(0.0, 0.0, 0.0, 0.0, 1.0, hop_s=0.0, redis_s=0.0)
"""A text of one token takes the model a second, and nothing else takes any time."""
BOX = replace(read_costs(PUBLISHED), hop_s=0.0, redis_s=0.0, spread=0.0)
SMALL = Traffic(history=10_000)


def markov(rate: float, seed: int) -> Iterator[tuple[float, float]]:
    """Arrivals by chance, of texts whose service by chance takes a second on average."""
    dice, now = random.Random(seed), 0.0
    while True:
        now += dice.expovariate(rate)
        yield now, dice.expovariate(1.0)


def erlang_c(servers: int, load: float) -> float:
    """Mean wait of M/M/c in units of a service. load: arrivals in one service."""
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    waits = last / (sum(load**k / math.factorial(k) for k in range(servers)) + last)
    return waits / (servers - load)


def run(fleet: Fleet, seed: int = 1, rate: float = 40.0, seconds: float = 60.0, warm: float = 0.0) -> Outcome:
    simulation = Simulation(fleet, read_costs(PUBLISHED), SMALL.history, seed)
    return simulation.run(SMALL.arrivals([(0.0, rate)], seed), seconds, warm)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (2, 1.4), (4, 3.0)])
def test_one_queue_for_all_waits_as_erlang_says(servers: int, load: float) -> None:
    fleet = Fleet(replicas=servers, dispatch="least", deadline_s=math.inf)
    runs = [Simulation(fleet, PLAIN).run(markov(load, seed), 20_000 / load, 100) for seed in range(5)]

    assert mean(mean(run.waited) for run in runs) == pytest.approx(erlang_c(servers, load), rel=0.1)


def test_one_queue_for_all_is_the_recursion_of_its_arrivals() -> None:
    """Kiefer and Wolfowitz: whoever comes first takes the server that is free first."""
    arrivals = list(islice(markov(3.6, 8), 3_000))
    free, waited = [0.0] * 4, []
    for now, service in arrivals:
        begins = max(now, heapq.heappop(free))
        heapq.heappush(free, begins + service)
        waited.append(begins - now)
    fleet = Fleet(replicas=4, dispatch="least", deadline_s=math.inf)
    out = Simulation(fleet, PLAIN).run(iter(arrivals), 10_000)

    assert sorted(out.waited) == pytest.approx(sorted(waited), abs=1e-6)


def test_an_event_loop_waits_as_a_queue_of_even_services_does() -> None:
    costs = replace(PLAIN, proxy_s=0.01)
    busy = 0.7
    out = Simulation(Fleet(), costs).run(((at, 0.0) for at, _ in markov(busy / 0.01, 5)), 2_000, 10)

    assert mean(out.waited) == pytest.approx(busy * 0.01 / 2 / (1 - busy), rel=0.05)  # M/D/1


def test_two_stages_overlap_as_they_do_in_the_scheduler() -> None:
    costs = replace(PLAIN, text_token_s=0.5)
    out = Simulation(Fleet(deadline_s=math.inf), costs).run(iter([(0.0, 1.0), (0.0, 1.0), (0.0, 1.0)]), 1)

    assert out.added == pytest.approx([1.5, 2.5, 3.5])


@pytest.mark.parametrize(
    ("times", "texts", "goodput", "p95_s", "refused"), [(0.5, 32, 0.52, 0.45, 0), (2, 125, 1.19, 4.56, 52)]
)
def test_the_model_does_what_the_published_overload_run_did(
    times: float, texts: int, goodput: float, p95_s: float, refused: int
) -> None:
    """docs/benchmarks-proxy.md: its texts of 2,000 tokens had 2,024. The other loads are in docs/scale.md."""
    gap = 2_000 / (times * 6_229)
    out = Simulation(Fleet(), BOX).run(((gap * number, 2_024.0) for number in range(texts)), 60)
    done = sorted(seconds for seconds in out.added if seconds > 0.1)

    assert out.ended["compressed"] * 2_024 / 20 / 6_229 == pytest.approx(goodput, rel=0.1)
    assert done[int(len(done) * 0.95)] == pytest.approx(p95_s, rel=0.1)
    assert out.ended["refused"] == pytest.approx(refused, rel=0.1)


def test_sixty_four_published_streams_take_as_long_as_the_model_says() -> None:
    out = Simulation(Fleet(), replace(PLAIN, proxy_s=1 / 978)).run_closed(iter(lambda: 0.0, None), 64, 5.0, 1.0)

    assert 1000 * mean(out.added) == pytest.approx(66.4, rel=0.1)


@pytest.mark.parametrize("dispatch", ["own", "two", "least"])
@pytest.mark.parametrize("lost", [None, (20.0, 9, 10.0), (20.0, 60, 10.0)])
def test_every_request_ends_somewhere(dispatch: str, lost: tuple[float, int, float] | None) -> None:
    fleet = Fleet(3, 60, dispatch, lost=lost, lost_proxies=lost and (20.0, 1, 5.0))  # type: ignore[arg-type]
    out = run(fleet)

    assert out.arrived == sum(out.ended.values()) == len(out.added) > 2_000
    assert bool(out.ended["broken"]) == bool(out.retried) == bool(lost)
    assert bool(out.ended["given_up"]) == (lost is not None and lost[1] == fleet.replicas)


def test_the_same_seed_is_the_same_run_and_another_is_not() -> None:
    fleet = Fleet(2, 60, lost=(10.0, 5, 10.0))

    assert run(fleet, 1) == run(fleet, 1) != run(fleet, 2)


def test_a_lost_replica_is_replaced_and_its_texts_go_elsewhere() -> None:
    out = run(Fleet(2, 40, "two", lost=(20.0, 4, 15.0)), rate=25)
    replicas = {second: there for second, _, there, _ in out.timeline}

    assert (replicas[19.0], replicas[21.0], replicas[40.0]) == (40, 36, 40)
    assert out.retried > 0 and out.ended["given_up"] == 0


def test_without_any_replica_everything_goes_on_as_it_came() -> None:
    out = run(Fleet(1, 2, lost=(5.0, 2, 500.0)), rate=2)

    assert out.ended["given_up"] > 50
    assert out.arrived == sum(out.ended.values())


def test_an_autoscaler_follows_the_queue_and_knows_its_bound() -> None:
    fleet = Fleet(2, 10, "two", queued_tokens=8_000, most_replicas=25, pod_s=20.0)
    out = run(fleet, seconds=150.0)
    counts = [there for _, _, there, _ in out.timeline]

    assert counts[0] == 10 and counts[-1] == 25 and counts == sorted(counts)
    assert min(second for second, _, there, _ in out.timeline if there > 10) >= 15 + 20


def test_who_knows_everybodys_queue_waits_less() -> None:
    kinds: tuple[Dispatch, ...] = ("told", "own", "two", "least")
    waits = {each: mean(run(Fleet(4, 40, each), rate=40).waited) for each in kinds}

    assert waits["least"] < waits["two"] < waits["told"] < waits["own"]


def test_the_better_of_two_is_the_better_where_there_are_two() -> None:
    """A box of one proxy knows all that waits: no text of it queues behind another one while a replica is idle."""
    pairs = iter(
        [(0.0, 1.0), (0.1, 1.0), (10.0, 1.0), (10.1, 1.0), (20.0, 1.0), (20.1, 1.0), (30.0, 1.0), (30.1, 1.0)]
    )

    assert Simulation(Fleet(1, 2, "told"), PLAIN).run(pairs, 40.0).waited == pytest.approx([0.0] * 8)


def test_traffic_is_as_its_own_figures_say() -> None:
    traffic = Traffic(known=0.25)
    arrivals = traffic.arrivals([(0.0, 100.0), (100.0, 300.0)], 9)
    came = []
    while (entry := next(arrivals))[0] < 200:
        came.append(entry)
    sizes = [size for _, size in came]

    assert len(came) == pytest.approx(40_000, rel=0.03)
    assert sum(1 for at, _ in came if at < 100) == pytest.approx(10_000, rel=0.05)
    assert mean(sizes) == pytest.approx(traffic.compressed_tokens, rel=0.03)
    assert sum(1 for size in sizes if size) / len(sizes) == pytest.approx(traffic.compressed_share, rel=0.02)
    assert min(size for size in sizes if size) >= 300

"""How many of each a load needs, and which of the things that there is one of is full first."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from moosproxy.proxy.bench.fleet.costs import Costs
from moosproxy.proxy.bench.fleet.model import Simulation
from moosproxy.proxy.bench.fleet.parts import Dispatch, Fleet, Outcome
from moosproxy.proxy.bench.fleet.traffic import Traffic

WHOLE = 0.02
"""Most of the texts, as a share, that may go out as they came."""
WAIT_S = 1.0
"""Most that a request of twenty may wait in queues."""
BUSY = 0.85
"""Most of its time that a replica may work: a run is too short to show what comes of more."""
PROXY_BUSY = 0.6
"""Share of its time that a proxy works: beyond it a few slow turns in a row show."""
CONNECTIONS = 10_000
"""Of one proxy (MOOS_MAX_CONNECTIONS)."""
SEARCHED = 2_000
"""Requests a second up to which the number is searched for; of more, what was found here is tried and mended."""
_SECONDS, _WARM = 25.0, 8.0
_FINER = 1.04

ONE: dict[str, tuple[float, str]] = {
    "redis": (100_000, "commands a second of one Redis"),
    "ledger": (20_000, "rows a second into one PostgreSQL"),
    "watched": (500, "replicas that one proxy asks for their state each second"),
    "gbit": (100, "Gbit a second into one cluster"),
    "replicas": (5_000, "pods, with one for each replica, in one cluster"),
}
"""Round figures of what one of each takes; none was measured here."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a load needs. rates a second; gbit: of requests on their way in."""

    rate: float
    proxies: int
    replicas: int
    busy: float
    whole: float
    wait_p95_s: float
    redis: float
    ledger: float
    probes: float
    gbit: float
    streams_a_proxy: int

    @property
    def watched(self) -> int:
        """Replicas that each proxy asks for their state."""
        return self.replicas

    def line(self) -> dict[str, Any]:
        """For programs."""
        return {name: round(value, 4) for name, value in asdict(self).items()} | {"full": self.full()}

    def full(self) -> list[str]:
        """What of ONE is full, the fullest first."""
        shares = {name: getattr(self, name) / most for name, (most, _) in ONE.items()}
        return [name for name in sorted(shares, key=lambda name: -shares[name]) if shares[name] > 1]


@dataclass(frozen=True, slots=True)
class Sizer:
    """Finds numbers for one traffic on machines of one cost."""

    costs: Costs
    traffic: Traffic
    dispatch: Dispatch = "told"
    seed: int = 1

    def size(self, rate: float) -> Size:
        """The least that keeps WHOLE and WAIT_S."""
        low = min(rate, SEARCHED)
        proxies = self.proxies(low)
        replicas = self._search(low, proxies)
        if rate > low:
            replicas = math.ceil(replicas * rate / low)
        proxies = self.proxies(rate, replicas)
        while not good(out := self.run(rate, proxies, replicas)):
            replicas = math.ceil(replicas * _FINER)
        return self._told(rate, proxies, replicas, out)

    def proxies(self, rate: float, replicas: int = 0) -> int:
        """Whose event loops are busy for PROXY_BUSY of the time, probes of all replicas included, and whose
        connections suffice."""
        each = self.costs.proxy_s + self.traffic.history * self.costs.proxy_token_s
        open_at_once = rate * self.traffic.answer_s / CONNECTIONS
        busy = PROXY_BUSY - min(replicas, ONE["watched"][0]) * self.costs.probe_s
        return math.ceil(max(rate * each / busy, open_at_once)) + 1  # one may be lost

    def run(self, rate: float, proxies: int, replicas: int) -> Outcome:
        """This load on a fleet of this size."""
        fleet = Fleet(proxies, replicas, self.dispatch)
        simulation = Simulation(fleet, self.costs, self.traffic.history, self.seed)
        return simulation.run(self.traffic.arrivals([(0.0, rate)], self.seed), _SECONDS, _WARM)

    def _search(self, rate: float, proxies: int) -> int:
        """By halving, to four parts of a hundred."""
        low = max(1, math.ceil(rate * self.traffic.compressed_tokens / self.costs.tokens_per_s / BUSY))
        high = low
        while not good(self.run(rate, proxies, high)):
            low, high = high, high * 2
        while high > low * _FINER and high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if good(self.run(rate, proxies, middle)) else (middle, high)
        return high

    def _told(self, rate: float, proxies: int, replicas: int, out: Outcome) -> Size:
        traffic, costs = self.traffic, self.costs
        return Size(
            rate=rate,
            proxies=proxies,
            replicas=replicas,
            busy=rate * traffic.compressed_tokens / costs.tokens_per_s / replicas,
            whole=out.whole_share,
            wait_p95_s=share_of(out.waited, 0.95),
            # A look-up of all texts; a new one is offered and read back, as two commands.
            redis=rate * (1 + 2 * traffic.compressed_share),
            ledger=rate,
            probes=float(proxies * replicas),
            gbit=rate * (traffic.history + traffic.new_tokens) * traffic.bytes_per_token * 8 / 1e9,
            streams_a_proxy=round(rate * traffic.answer_s / proxies),
        )

    def storm(self, size: Size, share: float, back_s: float) -> Outcome:
        """The same load while a share of the replicas and one proxy are killed in its middle."""
        lost = max(1, round(size.replicas * share))
        fleet = Fleet(size.proxies, size.replicas, self.dispatch, lost=(20.0, lost, back_s))
        fleet = replace(fleet, lost_proxies=(20.0, 1, back_s))
        simulation = Simulation(fleet, self.costs, self.traffic.history, self.seed)
        return simulation.run(self.traffic.arrivals([(0.0, size.rate)], self.seed), 80.0)

    def growth(self, size: Size, queued_tokens: int) -> Outcome:
        """A third of the replicas at a third of the load, which comes up to all of it within a second."""
        third = max(1, size.replicas // 3)
        fleet = Fleet(size.proxies, third, self.dispatch, queued_tokens=queued_tokens)
        simulation = Simulation(fleet, self.costs, self.traffic.history, self.seed)
        steps = [(0.0, size.rate / 3), (60.0, size.rate)]
        return simulation.run(self.traffic.arrivals(steps, self.seed), 300.0)


def good(out: Outcome) -> bool:
    """Whether a run kept WHOLE and WAIT_S."""
    return out.whole_share <= WHOLE and share_of(out.waited, 0.95) <= WAIT_S


def share_of(values: list[float], share: float) -> float:
    """The value that so many are not above; 0 of none."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0

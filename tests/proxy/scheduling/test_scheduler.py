"""Compression beside the event loop: batches, fairness, bounds, deadlines, and nothing left behind."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence

import pytest

from moosproxy.compressor import CompressionResult, CompressionSettings
from moosproxy.proxy.scheduling.fair_queue import FairQueue
from moosproxy.proxy.scheduling.lane import Lane, LaneClosed
from moosproxy.proxy.scheduling.scheduler import CompressionService, DeadlineMissed, Overloaded
from tests.proxy.fakes import BOOM, WINDOW_WORDS, FakeCompressor, FakeWindow, prose

SETTINGS = CompressionSettings(ratio=2)


def soon(seconds: float = 10.0) -> float:
    return time.monotonic() + seconds


@pytest.fixture
def fake() -> FakeCompressor:
    return FakeCompressor()


@pytest.fixture
async def service(fake: FakeCompressor) -> AsyncIterator[CompressionService]:
    service = CompressionService(fake, max_queued_tokens=20_000, batch_windows=4)
    yield service
    fake.gate.set()
    await service.aclose()


def start(
    service: CompressionService, text: str, team: str | None = None, seconds: float = 10.0
) -> asyncio.Task[CompressionResult]:
    return asyncio.create_task(service.compress(text, SETTINGS, team, soon(seconds)))


async def until_scoring(fake: FakeCompressor, calls: int = 1) -> None:
    async with asyncio.timeout(5):
        while len(fake.scored) < calls:  # noqa: ASYNC110 - a thread counts, not this loop
            await asyncio.sleep(0.001)


async def test_a_text_comes_back_shorter(service: CompressionService) -> None:
    result = await service.compress(prose(300), SETTINGS, None, soon())
    assert (result.tokens_before, result.tokens_after) == (300, 150)
    assert service.queued_tokens == 0


async def test_an_empty_text_needs_no_model(service: CompressionService, fake: FakeCompressor) -> None:
    assert (await service.compress("", SETTINGS, None, soon())).text == ""
    assert fake.scored == []


async def test_windows_of_requests_that_wait_together_share_a_batch(
    service: CompressionService, fake: FakeCompressor
) -> None:
    fake.gate.clear()
    first = start(service, prose(WINDOW_WORDS, "first"))
    await until_scoring(fake)
    others = [start(service, prose(WINDOW_WORDS, seed)) for seed in "abcd"]
    await asyncio.sleep(0.05)
    fake.gate.set()
    await asyncio.gather(first, *others)
    assert [len(batch) for batch in fake.scored] == [1, 4]


async def test_a_team_with_one_short_text_does_not_wait_for_another_teams_long_ones(
    service: CompressionService, fake: FakeCompressor
) -> None:
    fake.gate.clear()
    greedy = [start(service, prose(WINDOW_WORDS * 8, seed), "greedy") for seed in "abcd"]
    await until_scoring(fake)
    modest = start(service, prose(WINDOW_WORDS, "modest"), "modest")
    await asyncio.sleep(0.05)
    fake.gate.set()
    await modest
    assert any("modest" in window for window in fake.scored[1])
    assert not any(task.done() for task in greedy)
    await asyncio.gather(*greedy)


def test_the_queue_serves_teams_in_turn_and_within_a_team_who_came_first() -> None:
    queue: FairQueue[str, str] = FairQueue()
    queue.push("x", "x1", ["x1a", "x1b", "x1c"])
    queue.push("x", "x2", ["x2a"])
    queue.push("y", "y1", ["y1a", "y1b"])
    order = []
    while entry := queue.pop():
        order.append(entry[1])
    assert order == ["x1a", "y1a", "x1b", "y1b", "x1c", "x2a"]


async def test_a_full_queue_refuses_at_the_door_and_opens_again(
    service: CompressionService, fake: FakeCompressor
) -> None:
    fake.gate.clear()
    text = prose(10_000)
    first = start(service, text)
    await until_scoring(fake)
    with pytest.raises(Overloaded):
        await service.compress(text, SETTINGS, None, soon())
    fake.gate.set()
    await first
    assert (await service.compress(text, SETTINGS, None, soon())).tokens_after == 5_000


async def test_a_missed_deadline_is_told_in_time_and_leaves_no_windows(
    service: CompressionService, fake: FakeCompressor
) -> None:
    await service.compress(prose(WINDOW_WORDS, "pace"), SETTINGS, None, soon())
    fake.gate.clear()
    started = time.monotonic()
    # The model answers only after this: without the deadline it would wait for ever. A busy machine may stall.
    with pytest.raises(DeadlineMissed):
        await asyncio.wait_for(service.compress(prose(WINDOW_WORDS * 20), SETTINGS, None, soon(0.1)), 10)
    assert 0.1 <= time.monotonic() - started
    fake.gate.set()
    await service.compress(prose(WINDOW_WORDS, "next"), SETTINGS, None, soon())
    assert [len(batch) for batch in fake.scored] == [1, 4, 1]
    assert service.queued_tokens == 0


async def test_a_client_that_left_leaves_no_windows(service: CompressionService, fake: FakeCompressor) -> None:
    fake.gate.clear()
    leaving = start(service, prose(WINDOW_WORDS * 20, "leaving"))
    await until_scoring(fake)
    staying = start(service, prose(WINDOW_WORDS, "staying"))
    await asyncio.sleep(0.02)
    leaving.cancel()
    await asyncio.wait({leaving})
    fake.gate.set()
    await staying
    await asyncio.sleep(0.05)
    assert [len(batch) for batch in fake.scored] == [4, 1]


async def test_a_request_that_left_before_its_turn_is_never_planned(
    service: CompressionService, fake: FakeCompressor
) -> None:
    fake.plan_s = 0.1
    first = start(service, prose(WINDOW_WORDS, "first"))
    await asyncio.sleep(0.02)
    second = start(service, prose(WINDOW_WORDS, "second"))
    await asyncio.sleep(0.02)
    second.cancel()
    await first
    await asyncio.sleep(0.15)
    assert fake.planned == 1


async def test_a_deadline_that_has_passed_starts_nothing(
    service: CompressionService, fake: FakeCompressor
) -> None:
    with pytest.raises(DeadlineMissed):
        await service.compress(prose(100), SETTINGS, None, soon(-1))
    assert fake.planned == 0


async def test_an_exception_in_the_model_fails_only_the_request_that_caused_it(
    service: CompressionService, fake: FakeCompressor
) -> None:
    fake.gate.clear()
    first = start(service, prose(WINDOW_WORDS, "first"))
    await until_scoring(fake)
    bad = start(service, f"{BOOM} {prose(WINDOW_WORDS * 2, 'bad')}")
    good = start(service, prose(WINDOW_WORDS * 2, "good"))
    await asyncio.sleep(0.05)
    fake.gate.set()
    results = await asyncio.gather(first, bad, good, return_exceptions=True)
    assert [type(result) for result in results] == [CompressionResult, RuntimeError, CompressionResult]
    assert (await service.compress(prose(100), SETTINGS, None, soon())).tokens_after == 50


class Panic(BaseException):
    """What native code raises when it gives up."""


class BrokenCompressor(FakeCompressor):
    def __init__(self, fault: BaseException) -> None:
        super().__init__()
        self.fault: BaseException | None = fault

    def score(self, windows: Sequence[FakeWindow]) -> list[int]:
        fault, self.fault = self.fault, None
        if fault:
            raise fault
        return super().score(windows)


@pytest.mark.parametrize("fault", [ValueError("x"), TimeoutError(), MemoryError(), Panic()], ids=repr)
async def test_whatever_the_model_raises_the_worker_lives_on(fault: BaseException) -> None:
    service = CompressionService(BrokenCompressor(fault))
    with pytest.raises(Exception):  # noqa: B017
        await service.compress(prose(100), SETTINGS, None, soon())
    assert (await service.compress(prose(100), SETTINGS, None, soon())).tokens_after == 50
    await service.aclose()


class ForgetfulCompressor(FakeCompressor):
    def score(self, windows: Sequence[FakeWindow]) -> list[int]:
        return super().score(windows)[1:]


async def test_a_model_that_loses_a_window_fails_the_request() -> None:
    service = CompressionService(ForgetfulCompressor())
    with pytest.raises(ValueError, match="outcomes"):
        await service.compress(prose(100), SETTINGS, None, soon())
    await service.aclose()


async def test_closing_fails_what_waits_and_leaves_no_thread(fake: FakeCompressor) -> None:
    before = set(threading.enumerate())
    service = CompressionService(fake, batch_windows=1)
    fake.score_s = 0.05
    tasks = [start(service, prose(WINDOW_WORDS * 4, seed)) for seed in "ab"]
    await until_scoring(fake)
    own = set(threading.enumerate()) - before
    assert own and not any(thread.daemon for thread in own)
    await service.aclose()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [LaneClosed, LaneClosed]
    assert set(threading.enumerate()) <= before
    with pytest.raises(LaneClosed):
        await service.compress(prose(100), SETTINGS, None, soon())


async def test_a_service_that_was_never_used_has_no_threads(fake: FakeCompressor) -> None:
    before = threading.active_count()
    service = CompressionService(fake)
    assert threading.active_count() == before
    await service.aclose()


async def test_two_threads_serve_two_batches_at_once() -> None:
    meet = threading.Barrier(2, timeout=5)

    def work(items: list[int]) -> list[int]:
        meet.wait()
        return items

    lane: Lane[int, int] = Lane("pair", work, batch=1, threads=2)
    assert await lane.run(None, [7, 8]) == [7, 8]
    await lane.aclose()


async def test_time_that_batches_share_is_counted_once() -> None:
    seen: list[tuple[int, float]] = []

    def work(items: list[float]) -> list[float]:
        time.sleep(items[0])
        return items

    lane: Lane[float, float] = Lane(
        "three", work, batch=1, threads=3, observe=lambda items, seconds: seen.append((len(items), seconds))
    )
    began = time.perf_counter()
    await lane.run(None, [0.05] * 12)
    took = time.perf_counter() - began
    await asyncio.sleep(0.3)  # nobody works: that counts for nobody
    await lane.run(None, [0.05])
    await lane.aclose()

    assert len(seen) == 13
    assert sum(seconds for _, seconds in seen[:12]) == pytest.approx(took, abs=0.02)
    assert seen[12][1] < 0.3

"""More work than can be done: what is refused, dropped or finished later, and what still gets through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from moosproxy.compressor import CompressionResult, CompressionSettings
from moosproxy.proxy.scheduling.scheduler import CompressionService, DeadlineMissed, Overloaded
from tests.proxy.fakes import WINDOW_WORDS, FakeCompressor, prose

SETTINGS = CompressionSettings(ratio=2)
BATCH = 4


@pytest.fixture
def fake() -> FakeCompressor:
    return FakeCompressor()


@pytest.fixture
async def service(fake: FakeCompressor) -> AsyncIterator[CompressionService]:
    service = CompressionService(fake, batch_windows=BATCH)
    yield service
    fake.gate.set()
    await service.aclose()


def text(windows: int, seed: str = "") -> str:
    return prose(WINDOW_WORDS * windows, seed)


def scored(fake: FakeCompressor, seed: str) -> int:
    """Windows of a text that the model has seen."""
    return sum(seed in window for batch in fake.scored for window in batch)


async def measure(service: CompressionService, fake: FakeCompressor, score_s: float) -> None:
    """Lets the service see how long a batch takes."""
    fake.score_s = score_s
    for number in range(6):
        await service.compress(text(BATCH, f"m{number}"), SETTINGS, None, time.monotonic() + 10)
    fake.scored.clear()


async def test_what_cannot_be_done_in_time_is_refused_at_once_and_never_planned(
    service: CompressionService, fake: FakeCompressor
) -> None:
    await measure(service, fake, 0.1)
    fake.gate.clear()
    other = asyncio.create_task(service.compress(text(1, "other"), SETTINGS, None, time.monotonic() + 10))
    await asyncio.sleep(0.02)
    planned = fake.planned
    began = time.perf_counter()
    for _ in range(100):
        with pytest.raises(Overloaded):
            await service.compress(text(BATCH * 20), SETTINGS, None, time.monotonic() + 0.5)

    assert (time.perf_counter() - began) / 100 < 0.01  # a tenth of it would do; machines stall
    assert fake.planned == planned
    fake.gate.set()
    await other


async def test_no_window_is_computed_of_a_text_that_is_lost_before_its_turn(
    service: CompressionService, fake: FakeCompressor
) -> None:
    await measure(service, fake, 0.02)
    fake.gate.clear()
    first = asyncio.create_task(service.compress(text(BATCH), SETTINGS, None, time.monotonic() + 10))
    await asyncio.sleep(0.02)
    lost = asyncio.create_task(service.compress(text(BATCH * 4, "lost"), SETTINGS, None, time.monotonic() + 0.4))
    await asyncio.sleep(0.35)
    fake.gate.set()

    await first
    with pytest.raises(DeadlineMissed):
        await lost
    await service.compress(text(1, "next"), SETTINGS, None, time.monotonic() + 10)
    assert scored(fake, "lost") == 0


async def test_what_was_begun_and_comes_late_is_finished_once_nobody_else_waits(
    service: CompressionService, fake: FakeCompressor
) -> None:
    await measure(service, fake, 0.01)
    late: list[CompressionResult] = []
    fake.score_s = 0.15
    with pytest.raises(DeadlineMissed):
        await service.compress(text(BATCH * 4, "late"), SETTINGS, None, time.monotonic() + 0.25, late.append)
    others = [
        await service.compress(text(1, f"other{number}"), SETTINGS, None, time.monotonic() + 10)
        for number in range(3)
    ]
    before = list(late)
    async with asyncio.timeout(10):
        while not late:  # noqa: ASYNC110 - a thread counts, not this loop
            await asyncio.sleep(0.01)

    assert len(others) == 3 and not before
    assert late[0].tokens_before == WINDOW_WORDS * BATCH * 4
    assert scored(fake, "late") == BATCH * 4  # nothing was done twice
    assert service.queued_tokens == 0


async def test_nothing_is_finished_for_nobody(service: CompressionService, fake: FakeCompressor) -> None:
    await measure(service, fake, 0.01)
    fake.score_s = 0.15
    with pytest.raises(DeadlineMissed):
        await service.compress(text(BATCH * 6, "late"), SETTINGS, None, time.monotonic() + 0.25)
    await asyncio.sleep(0.5)

    assert scored(fake, "late") < BATCH * 6


@pytest.mark.parametrize("load", [2, 4])
async def test_at_several_times_the_capacity_nearly_all_of_it_is_used(
    service: CompressionService, fake: FakeCompressor, load: int
) -> None:
    await measure(service, fake, 0.02)
    seconds, deadline = 2.0, 0.4
    done = 0

    async def one(number: int) -> None:
        nonlocal done
        try:
            await service.compress(text(BATCH, f"t{number}"), SETTINGS, None, time.monotonic() + deadline)
        except (Overloaded, DeadlineMissed):
            return
        done += 1

    tasks = []
    for number in range(int(seconds / 0.02 * load)):
        tasks.append(asyncio.create_task(one(number)))
        await asyncio.sleep(0.02 / load)
    await asyncio.gather(*tasks)

    batches = len(fake.scored)
    assert done >= 0.9 * batches  # next to no work is done for texts that come too late
    assert batches >= 0.5 * seconds / 0.02  # and the model is kept busy, as far as the machine lets it

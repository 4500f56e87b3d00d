"""The rewriter with the real compressor: what must survive does, and the loop stays free meanwhile.

MOOS_CHECKPOINT names another checkpoint than the bundled one.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from moosproxy.compressor import CompressionResult, CompressionSettings, Compressor
from moosproxy.compressor.planning.plan import Plan
from moosproxy.compressor.planning.windows import Window
from moosproxy.compressor.scoring.metric import WindowScores
from moosproxy.policies.model import Policy
from moosproxy.proxy.cache.local import LocalCache
from moosproxy.proxy.cache.store import Store
from moosproxy.proxy.commands.interpreter import tune_interpreter
from moosproxy.proxy.reasons import SkipReason
from moosproxy.proxy.rewriting.outcome import Overrides
from moosproxy.proxy.rewriting.rewrite import Rewriter
from moosproxy.proxy.scheduling.scheduler import CompressionService
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import report

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

POLICY = Policy(deadline_ms=600_000, ratio=3)
NONE = Overrides()


@pytest.fixture(scope="module")
def compressor() -> Iterator[Compressor]:
    compressor = Compressor.load(Settings().checkpoint)
    yield compressor
    compressor.close()


@pytest.fixture
async def rewriter(compressor: Compressor) -> AsyncIterator[Rewriter]:
    service = CompressionService(compressor, max_queued_tokens=5_000_000)
    yield Rewriter(service, Store(LocalCache(50_000_000)))
    await service.aclose()


async def sent(rewriter: Rewriter, text: str, policy: Policy = POLICY) -> str:
    out = await rewriter.rewrite({"messages": [{"role": "user", "content": text}]}, policy, None, NONE)
    assert out.parts[0].reason is None, out.parts[0].reason
    assert out.ratio > 1.3
    content = out.body["messages"][0]["content"]
    assert isinstance(content, str)
    return content


@pytest.mark.parametrize(
    "wanted",
    [
        "Question: Who asked about the roof on 3 March, and why did nobody record the reason?",
        "How many euros did the committee not approve?",
        "Summarise the text above in three bullet points.",
        'Answer in JSON with the keys "person" and "date". Do not add any explanation.',
        "Explain the following report in Finnish and keep every number as it is.",
    ],
)
@pytest.mark.parametrize("place", ["before", "behind"])
async def test_a_question_or_an_instruction_survives_word_for_word(
    rewriter: Rewriter, wanted: str, place: str
) -> None:
    text = f"{wanted}\n\n{report(150)}" if place == "before" else f"{report(150)}\n\n{wanted}"
    assert wanted in await sent(rewriter, text)


async def test_what_is_to_be_translated_goes_out_whole_and_says_why(rewriter: Rewriter) -> None:
    text = f"Translate the following report into Finnish.\n\n{report(150)}"
    body = {"messages": [{"role": "user", "content": text}]}
    for _ in range(2):
        out = await rewriter.rewrite(body, POLICY, None, NONE)

        assert out.body["messages"][0]["content"] == text
        assert [(part.reason, part.limit) for part in out.parts] == [(SkipReason.EVERY_WORD, None)]


async def test_a_code_block_and_a_url_in_a_message_survive(rewriter: Rewriter) -> None:
    code = "```python\ndef area(r):\n    return 3.14159 * r ** 2  # not exact\n```"
    url = "https://example.org/reports/2024?id=77#roof"
    out = await sent(rewriter, f"{report(80)}\n\n{code}\n\nSee {url} for more.\n\n{report(80, 2)}")
    assert code in out
    assert url in out or "example.org" not in out


async def test_the_bytes_do_not_depend_on_what_else_is_compressed_at_the_same_time(compressor: Compressor) -> None:
    texts = [report(90 + 30 * number, number) for number in range(6)]
    alone: list[str] = []
    for text in texts:
        service = CompressionService(compressor, batch_windows=1)
        alone.append(await sent(Rewriter(service, Store(LocalCache(1_000_000))), text))
        await service.aclose()
    service = CompressionService(compressor, batch_windows=16)
    rewriter = Rewriter(service, Store(LocalCache(1_000_000)))
    assert alone == list(await asyncio.gather(*(sent(rewriter, text) for text in texts)))
    await service.aclose()


async def test_a_cached_answer_gives_the_bytes_of_the_first_time(rewriter: Rewriter) -> None:
    text = report(200)
    first = await sent(rewriter, text)
    out = await rewriter.rewrite({"messages": [{"role": "user", "content": text}]}, POLICY, None, NONE)
    assert out.cache_hits == 1
    assert out.body["messages"][0]["content"] == first


class InstantModel:
    """The real compressor around a model that takes no time: plan and finish are what may hold the loop up."""

    def __init__(self, compressor: Compressor) -> None:
        self._compressor = compressor
        self.fingerprint = compressor.fingerprint

    def plan(self, text: str, settings: CompressionSettings) -> Plan:
        return self._compressor.plan(text, settings)

    def score(self, windows: Sequence[Window]) -> list[WindowScores]:
        dice = np.random.default_rng(1)
        sizes = [window.stop - window.start for window in windows]
        return [
            WindowScores(
                window.start,
                window.stop,
                dice.random(size, np.float32),
                None if window.reading is None else dice.random(size, np.float32),
                0.5,
            )
            for window, size in zip(windows, sizes, strict=True)
        ]

    def finish(self, plan: Plan, scores: Sequence[WindowScores]) -> CompressionResult:
        return self._compressor.finish(plan, scores)


def _cpu_clocks() -> dict[int, float]:
    idents = [thread.ident for thread in threading.enumerate() if thread.ident]
    return {ident: time.clock_gettime(time.pthread_getcpuclockid(ident)) for ident in idents}


@pytest.fixture
def tuned() -> Iterator[None]:
    """The interpreter as `moos serve` sets it up; by itself it lets a computing thread hold the loop for 5 ms."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    tune_interpreter()
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*thresholds)


async def held_up(interval_s: float, stop: asyncio.Event) -> list[float]:
    """For each tick, the seconds by which this process itself can have delayed the loop.

    That is the loop's own work plus what another thread computed beyond the interval. Processor time, not
    wall-clock time: whatever else the machine does is not our fault.
    """
    loop_thread = threading.get_ident()
    out: list[float] = []
    while not stop.is_set():
        before = _cpu_clocks()
        await asyncio.sleep(interval_s)
        spent = {ident: clock - before.get(ident, 0.0) for ident, clock in _cpu_clocks().items()}
        own = spent.pop(loop_thread)
        out.append(own + max(0.0, max(spent.values(), default=0.0) - interval_s))
    return out


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="needs a processor clock per thread")
@pytest.mark.usefixtures("tuned")
async def test_the_loop_stays_free_while_a_message_of_a_million_tokens_is_compressed(
    compressor: Compressor,
) -> None:
    service: Any = CompressionService(InstantModel(compressor), max_queued_tokens=5_000_000)
    rewriter = Rewriter(service, Store(LocalCache(50_000_000)))
    page = report(600)
    text = "\n\n".join([page] * (4_500_000 // len(page)))
    gc.collect()
    stop = asyncio.Event()
    ticker = asyncio.create_task(held_up(0.005, stop))
    await sent(rewriter, text)
    stop.set()
    delays = sorted(await ticker)
    await service.aclose()
    assert len(delays) > 500
    assert delays[int(len(delays) * 0.99)] < 0.02
    assert delays[len(delays) // 2] < 0.005

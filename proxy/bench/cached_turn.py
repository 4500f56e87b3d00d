"""What a turn of a long conversation costs in the rewriter when every old part is cached.

The kept spans are made up (about a third of them as many as words, as a compressor leaves them at ratio 2): this
measures finding and cutting, not compressing.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Sequence
from typing import Any

from moosproxy.compressor import CompressionResult, CompressionSettings, KeptSpans
from moosproxy.policies.model import Policy
from moosproxy.proxy.cache.opening import open_store
from moosproxy.proxy.rewriting.outcome import Overrides
from moosproxy.proxy.rewriting.rewrite import Rewriter
from moosproxy.proxy.scheduling.scheduler import CompressionService

WORDS_PER_TOKEN = 0.75


class _HalfOfIt:
    """Stands for a compressor: drops about half of the words in short runs, without a model."""

    fingerprint = "bench"

    def identity(self, settings: CompressionSettings) -> str:
        """No quality is asked for here."""
        return self.fingerprint

    def plan(self, text: str, settings: CompressionSettings) -> Any:
        """The text itself is the plan; it has no windows."""
        return _Plan(text)

    def score(self, windows: Sequence[Any]) -> Sequence[Any]:
        """Never called: there are no windows."""
        return []

    def finish(self, plan: Any, scores: Sequence[Any], *, words: bool = False) -> CompressionResult:
        """Alternating kept and dropped runs of one to five words."""
        dice = random.Random(len(plan.text))
        spans: list[tuple[int, int]] = []
        position = kept_words = seen = 0
        keep = True
        while position < len(plan.text):
            run = dice.randint(1, 5)
            end = position
            for _ in range(run):
                found = plan.text.find(" ", end + 1)
                end = found if found >= 0 else len(plan.text)
            if keep:
                spans.append((position + (plan.text[position] == " "), end))
                kept_words += run
            seen += run
            position, keep = end, not keep
        kept = KeptSpans(tuple(spans))
        return CompressionResult(kept.apply(plan.text), kept, seen, kept_words, "words", 2, 2, False, "bench")


class _Plan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.windows: Sequence[Any] = ()


def conversation(tokens: int, messages: int) -> dict[str, Any]:
    """A chat body of that many tokens in all, user and tool messages in turn."""
    dice = random.Random(7)
    words = ["".join(dice.choices("etaoinshrdlu", k=dice.randint(2, 9))) for _ in range(5_000)]
    each = int(tokens * WORDS_PER_TOKEN / messages)
    return {
        "model": "any",
        "messages": [
            {"role": ("user", "tool")[number % 2], "content": " ".join(dice.choices(words, k=each))}
            for number in range(messages)
        ],
    }


async def cached_turn_ms(
    tokens: int = 50_000, messages: int = 30, turns: int = 50, redis_url: str | None = None
) -> list[float]:
    """Milliseconds of each turn, garbage collection and all; the turn that fills the cache is left out."""
    service = CompressionService(_HalfOfIt())
    store = open_store(redis_url=redis_url)
    rewriter = Rewriter(service, store)
    body, policy = conversation(tokens, messages), Policy(deadline_ms=60_000)
    first = await rewriter.rewrite(body, policy, "bench", Overrides())
    took: list[float] = []
    for _ in range(turns):
        started = time.perf_counter()
        again = await rewriter.rewrite(body, policy, "bench", Overrides())
        took.append((time.perf_counter() - started) * 1000)
        assert again.cache_hits == messages and again.body == first.body
    await service.aclose()
    await store.aclose()
    return took


def main() -> None:
    """Print one line for a few shapes of conversation."""
    for tokens, messages in ((50_000, 1), (50_000, 30), (50_000, 120), (500_000, 120)):
        took = asyncio.run(cached_turn_ms(tokens, messages))
        median, worst = statistics.median(took), max(took)
        print(f"{tokens} tokens in {messages} messages, all cached: median {median:.2f} ms, worst {worst:.2f} ms")  # noqa: T201


if __name__ == "__main__":
    main()

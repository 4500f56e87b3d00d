"""What kept a ratio down, and texts that cannot save enough: told, cached, and not looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from moosproxy.compressor import CompressionResult, KeptSpans
from moosproxy.policies.model import Policy
from moosproxy.proxy.cache.cut import Limit
from moosproxy.proxy.cache.local import LocalCache
from moosproxy.proxy.cache.store import Store
from moosproxy.proxy.observing.record import Record
from moosproxy.proxy.reasons import SkipReason
from moosproxy.proxy.rewriting.outcome import Overrides, PartOutcome
from moosproxy.proxy.rewriting.rewrite import Rewriter
from moosproxy.proxy.scheduling.scheduler import CompressionService
from tests.proxy.fakes import FakeCompressor, FakePlan, prose

BODY = {"messages": [{"role": "user", "content": prose(400)}]}


class Limited(FakeCompressor):
    """Leaves code alone, or the whole text."""

    alone = False

    def finish(self, plan: FakePlan, scores: Sequence[int]) -> CompressionResult:
        """The fake's result, of which nine tenths are code."""
        result = super().finish(plan, scores)
        if not self.alone:
            return replace(result, asked_ratio=8.0, kinds={"code": (90, 90), "prose": (10, 1)})
        tokens = result.tokens_before
        whole = KeptSpans(((0, len(plan.text)),))
        return replace(
            result, text=plan.text, kept=whole, tokens_after=tokens, kinds={"code": (90, 90)}, alone=True
        )


async def outcomes(*, alone: bool) -> list[PartOutcome]:
    """Of the same text twice."""
    fake = Limited()
    fake.alone = alone
    service = CompressionService(fake)
    rewriter = Rewriter(service, Store(LocalCache(1_000_000)))
    try:
        answers = [await rewriter.rewrite(dict(BODY), Policy(min_tokens=1), None, Overrides()) for _ in range(2)]
    finally:
        await service.aclose()
    assert fake.planned == 1
    return [answer.parts[0] for answer in answers]


async def test_a_limit_is_told_each_time() -> None:
    first, second = await outcomes(alone=False)

    assert (first.reason, first.limit) == (None, Limit("code", 90))
    assert (second.cache, second.limit) == ("local", Limit("code", 90))


async def test_what_cannot_save_enough_is_not_worth_it_and_says_why() -> None:
    first, second = await outcomes(alone=True)

    assert first.reason == second.reason == SkipReason.NOT_WORTH_IT
    assert first.limit == second.limit == Limit("code", 100)


def test_the_header_names_each_place_with_kind_and_share() -> None:
    record = Record("id", "POST", "/chat/completions")
    record.parts = (
        PartOutcome(0, None, "user", None, 100, 90, None, limit=Limit("code", 92)),
        PartOutcome(1, 2, "user", SkipReason.NOT_WORTH_IT, 100, 100, None, limit=Limit("json", 100)),
        PartOutcome(2, None, "user", None, 100, 50, None),
    )

    assert dict(record.response_headers())[b"x-moos-limited"] == b"0=code:92,1.2=json:100"

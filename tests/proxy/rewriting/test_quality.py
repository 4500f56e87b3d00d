"""A floor of quality on the way of a request: what is asked of the compressor, what is told, what is cached."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from moosproxy.compressor import CheckpointError, CompressionResult, CompressionSettings, Compressor, KeptSpans
from moosproxy.compressor.calibration import Calibration, Curve
from moosproxy.compressor.result import Floor
from moosproxy.policies.model import Policy
from moosproxy.proxy.cache.local import LocalCache
from moosproxy.proxy.cache.record import Record, Skip
from moosproxy.proxy.cache.store import Store
from moosproxy.proxy.reasons import SkipReason
from moosproxy.proxy.rewriting.asked import key_space, settings_for
from moosproxy.proxy.rewriting.outcome import Overrides, PartOutcome
from moosproxy.proxy.rewriting.rewrite import Rewriter
from moosproxy.proxy.scheduling.scheduler import CompressionService, CompressorLike
from tests.proxy.fakes import FakeCompressor, FakePlan, prose, report

BODY = {"messages": [{"role": "user", "content": prose(400)}]}
NOTHING_ASKED = Overrides()
ASKED = {"messages": [{"role": "user", "content": f"{report(60)}\n\nWhat was decided about the roof?"}]}


class Floored(FakeCompressor):
    """Meets no floor above nine tenths."""

    def __init__(self) -> None:
        super().__init__()
        self.settings: list[CompressionSettings] = []

    def finish(self, plan: FakePlan, scores: Sequence[int]) -> CompressionResult:
        """Whole, or the fake's result."""
        self.settings.append(plan.settings)
        result = super().finish(plan, scores)
        if plan.settings.quality is None or plan.settings.quality <= 0.9:
            return result
        whole = KeptSpans(((0, len(plan.text)),))
        told = Floor(plan.settings.quality, None, 1.0, "prose, asked, short", True)
        return replace(result, text=plan.text, kept=whole, tokens_after=result.tokens_before, floor=told)


async def outcomes(
    compressor: CompressorLike, *policies: Policy, overrides: Overrides = NOTHING_ASKED, body: object = BODY
) -> list[PartOutcome]:
    """Of one text under several policies in turn."""
    service = CompressionService(compressor)
    rewriter = Rewriter(service, Store(LocalCache(1_000_000)))
    try:
        answers = [await rewriter.rewrite(dict(body), one, None, overrides) for one in policies]  # type: ignore[call-overload]
    finally:
        await service.aclose()
    return [answer.parts[0] for answer in answers]


def policy(quality: float | None, **more: object) -> Policy:
    return Policy.model_validate({"min_tokens": 1, "quality": quality, **more})


async def test_a_floor_that_cannot_be_met_is_the_reason_and_is_remembered() -> None:
    fake = Floored()
    first, second = await outcomes(fake, policy(0.95), policy(0.95))

    assert (first.reason, first.tokens_after) == (SkipReason.QUALITY_FLOOR, 400)
    assert (second.reason, second.cache, len(fake.settings)) == (SkipReason.QUALITY_FLOOR, "local", 1)


async def test_every_floor_is_another_text_in_the_cache() -> None:
    fake = Floored()
    found = await outcomes(fake, policy(None), policy(0.9), policy(0.95), policy(0.9))

    assert [one.cache for one in found] == [None, None, None, "local"]
    assert [one.quality for one in fake.settings] == [None, 0.9, 0.95]


@pytest.mark.parametrize(
    ("fields", "wished", "ratio"),
    [
        ({}, None, 4.0),
        ({"max_ratio": 8.0}, None, 8.0),
        ({"max_ratio": 8.0, "ratio": 3.0}, None, 8.0),
        ({"max_ratio": 8.0}, 3.0, 3.0),
    ],
)
async def test_the_most_that_a_floor_may_take(
    fields: dict[str, float], wished: float | None, ratio: float
) -> None:
    fake = Floored()
    await outcomes(fake, policy(0.9, **fields), overrides=Overrides(ratio=wished))

    assert [(one.ratio, one.quality) for one in fake.settings] == [(ratio, 0.9)]


async def test_a_ratio_of_one_changes_nothing_with_a_floor_neither() -> None:
    (one,) = await outcomes(Floored(), policy(0.9, ratio=1.0))

    assert one.reason is SkipReason.DISABLED


def test_the_reason_goes_through_a_shared_cache() -> None:
    skip = Skip(SkipReason.QUALITY_FLOOR, 400)

    assert Record.from_bytes(Record.of(skip).to_bytes()).answer("any text") == skip


def test_without_a_floor_keys_are_those_of_the_fingerprint_alone() -> None:
    service = CompressionService(FakeCompressor())
    plain, floored = (settings_for(policy(quality), None, None, None, "user") for quality in (None, 0.9))

    assert service.identity(plain) == service.fingerprint != service.identity(floored)
    spaces = [key_space(None, service.identity(one), one, "forward", "user") for one in (plain, floored)]
    assert spaces[0].key(b"text") != spaces[1].key(b"text")


class Uncalibrated(FakeCompressor):
    """Has nothing that predicts."""

    def identity(self, settings: CompressionSettings) -> str:
        """Raises CheckpointError."""
        raise CheckpointError("a quality floor needs a calibration")


async def test_a_floor_without_a_calibration_is_logged_and_the_text_goes_out_whole(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        floored, plain = await outcomes(Uncalibrated(), policy(0.9), policy(None))

    assert (floored.reason, plain.reason) == (SkipReason.FAILED, None)
    assert "a quality floor needs a calibration" in caplog.text


async def test_a_real_compressor_sends_what_its_calibration_allows() -> None:
    with Compressor.load(threads=1) as compressor:
        curve = Curve((0.0,), (0.93,), 40, 40)
        compressor.__dict__["calibration"] = Calibration(compressor.fingerprint, {"any": curve})
        met, missed = await outcomes(compressor, policy(0.92, max_ratio=3.0), policy(0.94), body=ASKED)

    assert met.reason is None
    assert met.tokens_before / met.tokens_after == pytest.approx(3, rel=0.15)
    assert missed.reason is SkipReason.QUALITY_FLOOR

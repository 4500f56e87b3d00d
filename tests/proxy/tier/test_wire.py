"""The bytes between proxy and tier: whatever goes in comes out, and what is not an answer to this is none."""

from __future__ import annotations

import time
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.compressor import CompressionSettings, OutlierReading, SettingsError
from moosproxy.compressor.result import Floor
from moosproxy.proxy.tier import wire
from moosproxy.proxy.tier.wire import Ask, ask_bytes, read_ask, read_result, result_bytes
from tests.proxy.fakes import FakeCompressor, prose

TEXT = prose(50)
SETTINGS = st.builds(
    CompressionSettings,
    ratio=st.floats(1, 1e300),
    alpha=st.floats(0, 1),
    protect=st.sets(st.sampled_from(["url", "json", "number"])),
    patterns=st.lists(st.sampled_from([r"\d+", "é+", "[a-z]"])),
    asked=st.none() | st.text(st.characters()),
    material=st.booleans(),
    unit=st.sampled_from(["auto", "sentence"]),
    tokenizer=st.none() | st.just("o200k_base"),
    quality=st.none() | st.floats(0.01, 0.99),
    outlier=st.builds(OutlierReading, stat=st.sampled_from(["centroid", "perdim_abs"]), layer=st.integers(-9, 9)),
)


def answer(ratio: float = 2.0, text: str = TEXT) -> tuple[bytes, bytes]:
    """A request and its answer."""
    compressor, settings = FakeCompressor(), CompressionSettings(ratio=ratio)
    plan = compressor.plan(text, settings)
    result = compressor.finish(plan, [len(window.ids) for window in plan.windows])
    request = ask_bytes(Ask(text, settings, "fake-1", None, time.monotonic() + 5))
    return request, result_bytes(request, result)


@given(text=st.text(st.characters()), settings=SETTINGS, team=st.none() | st.text(), words=st.booleans())
def test_a_request_comes_out_as_it_went_in(
    text: str, settings: CompressionSettings, team: str | None, words: bool
) -> None:
    asked = Ask(text, settings, "of", team, time.monotonic() + 5, words)
    found = read_ask(ask_bytes(asked))

    assert abs(found.deadline - asked.deadline) < 1
    assert replace(found, deadline=asked.deadline) == asked
    assert found.settings.digest() == settings.digest()


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_answer_is_no_answer(at: int, bit: int, cut: bool) -> None:
    request, body = answer()
    at %= len(body)
    damaged = body[:at] if cut else body[:at] + bytes([body[at] ^ 1 << bit]) + body[at + 1 :]

    with pytest.raises(ValueError):
        read_result(request, TEXT, damaged)
    assert read_result(request, TEXT, body).tokens_after == 25


def test_the_answer_to_another_request_is_none() -> None:
    request, _ = answer()
    _, other = answer(ratio=5.0)

    with pytest.raises(ValueError, match="another request"):
        read_result(request, TEXT, other)


def test_a_result_keeps_all_its_fields() -> None:
    compressor = FakeCompressor()
    plan = compressor.plan(TEXT, CompressionSettings())
    result = replace(
        compressor.finish(plan, [50], words=True),
        protected={"url": 3},
        restored={"negation": 1},
        kinds={"prose": (50, 25)},
        question=(0, 4),
        timings={"plan": 0.25},
        floor=Floor(0.9, None, 1.0, "logs", False),
        alone=True,
        every_word=True,
        eased=True,
    )

    plain = compressor.finish(plan, [50])
    same = {field.name for field in fields(result) if getattr(result, field.name) == getattr(plain, field.name)}
    assert same == {"text", "kept", "tokens_before", "tokens_after", "tokenizer", "asked_ratio", "target_ratio",
                    "fingerprint"}, "a new field of results must travel, and stand above"  # fmt: skip
    assert read_result(b"request", TEXT, result_bytes(b"request", result)) == result


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        read_ask(body)


def test_settings_that_the_other_side_reads_otherwise_are_refused() -> None:
    request = ask_bytes(Ask(TEXT, CompressionSettings(ratio=3.0), "of", None, 0.0))

    with pytest.raises(SettingsError, match="one version"):
        read_ask(request.replace(b'"ratio":3.0', b'"ratio":4.0'))
    with pytest.raises(SettingsError, match="one version"):
        read_ask(request.replace(b'"ratio"', b'"ratia"'))


@pytest.mark.parametrize("field", ["tokens_before", "kinds", "tokenizer"])
def test_a_sealed_answer_of_another_form_is_refused(field: str) -> None:
    request, body = answer()
    frame = body[: -wire._SEAL_BYTES].replace(field.encode(), field.upper().encode())

    with pytest.raises(ValueError):
        read_result(request, TEXT, frame + wire._seal(request, frame))
    with pytest.raises(ValueError, match="beyond the end"):
        read_result(request, "short", body)

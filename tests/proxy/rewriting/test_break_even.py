"""Texts that would not save time are left alone, by figures that are measured once and kept."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.policies.model import Policy, Upstream
from moosproxy.policies.resolve import Decision, Matcher, PolicySet, Rule
from moosproxy.proxy.rewriting.break_even import FILE, BreakEven, Figures
from moosproxy.proxy.scheduling.scheduler import CompressionService
from tests.proxy import tiny_gguf
from tests.proxy.fakes import FakeCompressor, prose

FAST = Figures(fixed_s=0.01, compressed_per_s=20_000, read_per_s=250)


class Reader:
    """An upstream with one model."""

    def __init__(self, speed: float, name: str = "model 1") -> None:
        self.speed = speed
        self.name = name
        self.measured = 0
        self.seen: list[float] = []

    async def prefill_speed(self, model: str) -> float:
        self.measured += 1
        return self.speed

    async def identity(self, model: str) -> str:
        return f"{self.name} {model}"

    def read_lately(self, model: str) -> list[float]:
        return self.seen

    def is_loaded(self, model: str) -> bool:
        return True


def test_a_fast_compressor_beside_a_slow_model_is_worth_it_from_a_few_tokens_on() -> None:
    least = FAST.least(2)

    assert least is not None and 1 < least < 10
    assert FAST.worth(least, 2) and not FAST.worth(least - 2, 2)


def test_a_compressor_no_faster_than_the_model_is_never_worth_it() -> None:
    slow = Figures(fixed_s=0, compressed_per_s=500, read_per_s=400)

    assert slow.least(4) is None
    assert not slow.worth(1_000_000, 4)


@given(
    tokens=st.integers(1, 10**6),
    ratio=st.floats(1, 20),
    fixed=st.floats(0, 1),
    compressed=st.floats(1, 10**6),
    read=st.floats(1, 10**6),
)
def test_a_longer_text_and_a_higher_ratio_are_never_worth_less(
    tokens: int, ratio: float, fixed: float, compressed: float, read: float
) -> None:
    figures = Figures(fixed, compressed, read)

    if figures.worth(tokens, ratio):
        assert figures.worth(tokens * 2, ratio)
        assert figures.worth(tokens, ratio * 1.5)


async def test_figures_are_measured_once_and_kept_on_disk(tmp_path: Path) -> None:
    service = CompressionService(FakeCompressor(plan_s=0.001))
    reader = Reader(250)
    try:
        first = await BreakEven(service, tmp_path).figures(reader, "a")
        reader.speed = 9999
        again = await BreakEven(service, tmp_path).figures(reader, "a")
        other = await BreakEven(service, tmp_path).figures(reader, "b")
    finally:
        await service.aclose()

    assert first and first == again and 250 == first.read_per_s
    assert other and 9999 == other.read_per_s
    assert 2 == reader.measured
    assert {"a", "b"} == {entry["model"] for entry in orjson.loads((tmp_path / FILE).read_bytes()).values()}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"x": 1}', b"\xff\xfe"])
async def test_a_damaged_file_of_figures_is_written_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    service = CompressionService(FakeCompressor())
    try:
        assert await BreakEven(service, tmp_path).figures(Reader(250), "a")
    finally:
        await service.aclose()

    assert b"read_per_s" in (tmp_path / FILE).read_bytes()


async def test_a_folder_that_cannot_be_written_costs_a_measurement_only(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    service = CompressionService(FakeCompressor())
    reader = Reader(250)
    try:
        known = BreakEven(service, tmp_path / "taken")
        assert await known.figures(reader, "a") == await known.figures(reader, "a")
    finally:
        await service.aclose()

    assert 1 == reader.measured


class Broken(Reader):
    """Its model cannot be loaded."""

    async def prefill_speed(self, model: str) -> float:
        self.measured += 1
        raise OSError("damaged")


async def test_a_model_that_cannot_be_measured_is_left_alone_for_a_while(tmp_path: Path) -> None:
    fake = FakeCompressor()
    service = CompressionService(fake)
    reader = Broken(0)
    try:
        known = BreakEven(service, tmp_path)
        with pytest.raises(OSError, match="damaged"):
            await known.figures(reader, "a")
        assert await known.figures(reader, "a") is None
    finally:
        await service.aclose()

    assert 1 == reader.measured
    assert not fake.planned  # the compressor was not timed for nothing


async def test_figures_that_no_longer_fit_what_is_seen_are_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    service = CompressionService(FakeCompressor())
    reader = Reader(30)
    try:
        known = BreakEven(service, tmp_path)
        await known.figures(reader, "a")
        for seen, measured in (([160.0] * 4, 1), ([160.0] * 7 + [40.0], 1), ([160.0] * 8, 2)):
            reader.speed, reader.seen = 163, seen
            await known.look_again()
            assert measured == reader.measured
        reader.seen = []
        found = await known.figures(reader, "a")
        kept = await BreakEven(service, tmp_path).figures(reader, "a")
    finally:
        await service.aclose()

    assert found and kept and 163 == found.read_per_s == kept.read_per_s
    assert 2 == reader.measured


async def test_what_was_measured_on_a_busy_box_is_measured_again_on_a_quiet_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = [1000.0]
    monkeypatch.setattr("os.getloadavg", lambda: (load[0], 0.0, 0.0))
    service = CompressionService(FakeCompressor())
    reader = Reader(30)
    try:
        await BreakEven(service, tmp_path).figures(reader, "a")
        known = BreakEven(service, tmp_path)
        await known.figures(reader, "a")
        for busy, measured in ((1000.0, 1), (0.0, 2), (0.0, 2)):
            load[0], reader.speed = busy, 163
            await known.look_again()
            assert measured == reader.measured
        found = await known.figures(reader, "a")
    finally:
        await service.aclose()

    assert found and found.quiet and 163 == found.read_per_s


async def test_the_compressor_is_timed_once_for_all_models(tmp_path: Path) -> None:
    fake = FakeCompressor()
    service = CompressionService(fake)
    try:
        known = BreakEven(service, tmp_path)
        await known.figures(Reader(250), "a")
        timed = fake.planned
        await known.figures(Reader(300), "b")
    finally:
        await service.aclose()

    assert timed == fake.planned > 0


@pytest.mark.parametrize("off", [{"enabled": False}, {"break_even": False}])
async def test_where_no_route_asks_nothing_is_measured_at_the_start(tmp_path: Path, off: dict[str, Any]) -> None:
    upstream = Upstream.model_validate(
        {"name": "box", "kind": "llama_cpp", "models": {"m": {"path": "/none.gguf"}}}
    )
    service = CompressionService(FakeCompressor())
    reader = Reader(250)
    try:
        for policy, measured in ((Policy(**off), 0), (Policy(), 1)):
            rule = Rule(Matcher(), Decision(policy, "route", (upstream,)))
            pool = SimpleNamespace(client=lambda _: reader)
            policies = PolicySet({None: (rule,)}, {"box": upstream})
            await BreakEven(service, tmp_path).measure_all(policies, pool)  # type: ignore[arg-type]
            assert measured == reader.measured
    finally:
        await service.aclose()


async def test_without_a_compressor_there_is_nothing_to_measure(tmp_path: Path) -> None:
    assert await BreakEven(None, tmp_path).figures(Reader(250), "a") is None


@tiny_gguf.needs_llama_cpp
@pytest.mark.parametrize(("break_even", "skipped"), [(True, "0=not_worth_it"), (False, None)])
def test_a_text_that_would_not_save_time_is_left_alone(
    tmp_path: Path, break_even: bool, skipped: str | None
) -> None:
    """The model is tiny and the compressor slow: reading is quicker than shortening, whatever the text."""
    path = str(tiny_gguf.write(tmp_path / "tiny.gguf"))
    defaults: dict[str, Any] = {"min_tokens": 20, "break_even": break_even}
    slow = FakeCompressor(plan_s=0.05)
    with tiny_gguf.local_proxy(tmp_path, {"tiny": {"path": path}}, defaults=defaults, compressor=slow) as live:
        body = {"model": "tiny", "max_tokens": 1, "messages": [{"role": "user", "content": prose(60)}]}
        answer = httpx.post(f"{live.url}/v1/chat/completions", json=body, timeout=60)

    assert 200 == answer.status_code
    assert skipped == answer.headers.get("x-moos-skipped")
    assert break_even == (tmp_path / "state" / FILE).exists()

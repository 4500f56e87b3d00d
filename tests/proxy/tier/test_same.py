"""What comes back from a tier is what a compressor of this process gives, field for field."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files

import pytest

from moosproxy.compressor import CompressionResult, CompressionSettings, Compressor
from moosproxy.proxy.tier.serving import calibration_of
from tests.proxy.fakes import report
from tests.proxy.live import LiveProxy
from tests.proxy.tier.replicas import live, remote

pytestmark = pytest.mark.slow

JSON = '{"rows": [' + ",".join(f'{{"id": {n}, "said": "It was the {n}th of all."}}' for n in range(60)) + "]}"
CODE = "def walk(tree):\n    # every node\n    for node in tree:\n        yield node\n\n" * 20
LOG = "".join(f"2024-03-01 12:00:{n % 60:02d} INFO job {n} done\n" for n in range(80))
DOCUMENT = files("moosproxy.proxy.commands").joinpath("demo_document.md").read_text(encoding="utf-8")
TEXTS = {
    "prose": report(60),
    "document": DOCUMENT,
    "json": JSON,
    "code": CODE,
    "log": LOG + "2024-03-01 12:02:00 ERROR disk full\n",
    "foreign": "Ärger über 雨の日 😀 und mehr. " * 40 + report(10),
    "short": "One.",
    "empty": "",
}
SETTINGS = {
    "plain": CompressionSettings(),
    "asked": CompressionSettings(ratio=3.5, asked="Who quietly accepted the roof?", material=True),
    "words": CompressionSettings(
        ratio=4, unit="word", alpha=0.7, marks=False, patterns=(r"\d+",), protect=["url"]
    ),
    "floor": CompressionSettings(ratio=8, quality=0.9, tokenizer="o200k_base", json="rows", min_savings=0.05),
}


@pytest.fixture(scope="module")
def compressor() -> Iterator[Compressor]:
    with Compressor.load(threads=1) as compressor:
        yield compressor


@pytest.fixture(scope="module")
def tier(compressor: Compressor) -> Iterator[LiveProxy]:
    with live(compressor) as server:
        yield server


def untimed(result: CompressionResult) -> CompressionResult:
    """All but how long it took."""
    return replace(result, timings={})


@pytest.mark.parametrize("settings", SETTINGS)
async def test_every_text_comes_back_the_same(compressor: Compressor, tier: LiveProxy, settings: str) -> None:
    wanted = SETTINGS[settings]
    async with remote(tier.url) as service:
        assert service.identity(wanted) == compressor.identity(wanted)
        for name, text in TEXTS.items():
            found = await service.compress(text, wanted, "team", time.monotonic() + 60)
            assert untimed(found) == untimed(compressor.compress(text, wanted)), name
            assert found.text == found.kept.apply(text)
        assert not service.faults


async def test_the_score_of_every_word_comes_back_too(compressor: Compressor, tier: LiveProxy) -> None:
    text = report(20)
    async with remote(tier.url) as service:
        found = await service.compress(text, CompressionSettings(), None, time.monotonic() + 60, words=True)

    own = compressor.compress(text, words=True)
    assert untimed(found) == untimed(replace(own, words=list(own.words or ())))
    assert found.words and found.original == text


def test_a_calibration_is_part_of_what_a_replica_is_asked_for(compressor: Compressor) -> None:
    assert compressor.identity(SETTINGS["floor"]) == f"{compressor.fingerprint}-{calibration_of(compressor)}"

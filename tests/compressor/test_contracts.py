"""Contracts keep what a sentence depends on, whatever else goes; long prose and dialogue reach their ratio."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from moosproxy.compressor import CompressionSettings, Compressor
from tests.compressor.reversal.building import document
from tests.compressor.reversal.contracts import Contract, contract, lost
from tests.compressor.reversal.texts import FILLERS

RATIOS = (2.0, 3.0, 4.0)


@pytest.fixture(scope="module")
def random_weights(tiny_checkpoint: Path) -> Iterator[Compressor]:
    with Compressor.load(tiny_checkpoint, threads=1) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def bundled() -> Iterator[Compressor]:
    with Compressor.load() as loaded:
        yield loaded


def outputs(compressor: Compressor, source: Contract) -> Iterator[tuple[float, list[bool]]]:
    """Which characters are kept, at every ratio."""
    settings = CompressionSettings(ratio=2, tokenizer="o200k_base")
    plan = compressor.plan(source.text, settings)
    scores = compressor.score(plan.windows)
    for ratio in RATIOS:
        result = compressor.finish(replace(plan, settings=replace(settings, ratio=ratio)), scores)
        kept = [False] * len(source.text)
        for start, end in result.kept.spans:
            kept[start:end] = [True] * (end - start)
        yield result.ratio, kept


@pytest.mark.parametrize(
    "seeds", [range(10), pytest.param(range(10, 50), marks=pytest.mark.slow)], ids=["10", "40"]
)
def test_contracts_lose_no_condition_whatever_the_model_thinks(random_weights: Compressor, seeds: range) -> None:
    for seed in seeds:
        source = contract(seed)
        assert len(source.text) >= 8000
        for ratio, kept in outputs(random_weights, source):
            assert [] == lost(source, kept), seed
            assert ratio > 1.8


@pytest.mark.parametrize("seed", [100, 101, 102])
def test_contracts_lose_no_condition(bundled: Compressor, seed: int) -> None:
    source = contract(seed)

    for _, kept in outputs(bundled, source):
        assert [] == lost(source, kept)


def test_the_judge_sees_a_lost_condition() -> None:
    source = contract(1)
    trigger = next(at for at in range(len(source.text)) if source.text.startswith("only with", at))
    kept = [True] * len(source.text)
    kept[trigger : trigger + 4] = [False] * 4

    assert 1 == len(lost(source, kept))


def prose() -> str:
    return document("en", FILLERS["en"] * 8, beside=6).text


def dialogue() -> str:
    rng = random.Random(4)
    return "\n".join(
        f"{name}: {' '.join(rng.sample(FILLERS['en'], rng.choice([1, 1, 2, 9])))}"
        for name in rng.choices(["Ana Lopez", "Bo", "Cem"], k=120)
    )


@pytest.mark.parametrize("text", [prose(), dialogue()], ids=["prose", "dialogue"])
@pytest.mark.parametrize("ratio", RATIOS)
def test_the_asked_ratio_is_met_within_a_tenth(random_weights: Compressor, text: str, ratio: float) -> None:
    result = random_weights.compress(text, CompressionSettings(ratio=ratio, tokenizer="o200k_base"))

    assert result.tokens_before > 1000
    assert ratio == pytest.approx(result.ratio, rel=0.1)

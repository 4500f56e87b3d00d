"""What can be saved at most is known before the model runs, and is never less than what then is saved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.selection.units.reach import most_saved
from tests.compressor.tiny import CORPUS

YAML = "\n".join(f"service_{n}:\n  image: registry/app-{n}:1.{n}\n  restart: always" for n in range(60))
TEMPLATE = "\n\n".join(
    f"Dear {{{{name_{n}}}}}, order {{{{order_{n}}}}} of ${{AMOUNT_{n}}} ships." for n in range(40)
)
PROSE = " ".join(CORPUS)
BLOCKS = (YAML, TEMPLATE, PROSE, "\n".join(f"2026-01-01 INFO job {n} done" for n in range(40)), '{"a": [1,  2]}')


@pytest.fixture(scope="module")
def compressor(tiny_checkpoint: Path) -> Iterator[Compressor]:
    with Compressor.load(tiny_checkpoint) as opened:
        yield opened


@pytest.mark.parametrize("text", [YAML, TEMPLATE], ids=["at sight", "once it is protected"])
@pytest.mark.parametrize("tokenizer", [None, "o200k_base"])
def test_a_text_that_cannot_save_enough_is_left_alone_without_the_model(
    compressor: Compressor, text: str, tokenizer: str | None
) -> None:
    plan = compressor.plan(text, CompressionSettings(min_savings=0.1, tokenizer=tokenizer))
    result = compressor.finish(plan, [])

    assert (plan.alone, len(plan.windows), result.alone, result.text) == (True, 0, True, text)
    assert result.tokens_before == result.tokens_after == compressor.count(text, tokenizer)


def test_a_text_that_can_save_enough_is_read(compressor: Compressor) -> None:
    plan = compressor.plan(PROSE, CompressionSettings(min_savings=0.1))

    assert not plan.alone
    assert plan.windows


def test_without_a_least_saving_nothing_is_left_alone(compressor: Compressor) -> None:
    assert not compressor.plan(YAML, CompressionSettings()).alone


@settings(max_examples=30)
@given(st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=3))
def test_no_text_saves_more_than_was_thought_possible(compressor: Compressor, parts: list[str]) -> None:
    text = "\n\n".join(parts)
    hard = CompressionSettings(ratio=8, tokenizer="o200k_base")
    result = compressor.compress(text, hard)

    saved = 1 - result.tokens_after / result.tokens_before
    assert saved <= most_saved(compressor.plan(text, hard))


def test_the_kind_that_holds_a_ratio_back_is_named_with_its_share(compressor: Compressor) -> None:
    prose, mixed = compressor.compress(PROSE * 4), compressor.compress(f"{YAML}\n\n{PROSE}")

    assert prose.limited_by is None
    assert mixed.limited_by is not None
    kind, share = mixed.limited_by
    assert kind == "config"
    assert 0.2 < share < 1
    assert f"limited by config, {share:.0%} of the text" in mixed.summary()

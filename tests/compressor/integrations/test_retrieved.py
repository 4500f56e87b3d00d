"""One budget over all retrieved texts, cut back into texts."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

import pytest

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.integrations.retrieved import SETTINGS, shorten
from tests.compressor.integrations.conftest import ANSWER, QUERY, TEXTS


def is_cut_from(short: str, text: str) -> bool:
    rest = iter(text)
    return all(character in rest for character in short if not character.isspace())


def test_the_text_that_answers_keeps_more_than_the_others(compressor: Compressor) -> None:
    short = shorten(compressor, TEXTS, QUERY, replace(SETTINGS, ratio=3))

    assert ANSWER in short[1].text
    kept = [each.tokens_after / each.tokens_before for each in short]
    assert max(kept[0], kept[2], kept[3]) < kept[1] / 2
    assert all(is_cut_from(each.text, text) for each, text in zip(short, TEXTS, strict=True))
    assert 3 == pytest.approx(sum(e.tokens_before for e in short) / sum(e.tokens_after for e in short), rel=0.15)


def test_tokens_are_those_of_each_text(compressor: Compressor) -> None:
    short = shorten(compressor, TEXTS, QUERY, replace(SETTINGS, ratio=3, tokenizer="gpt-4o"))

    for each, text in zip(short, TEXTS, strict=True):
        assert each.tokens_before == compressor.count(text, "gpt-4o")
        assert each.tokens_after == compressor.count(each.text, "gpt-4o")
        assert each.metadata["moos_tokens_after"] == each.tokens_after
    answering = short[1]
    assert round(answering.tokens_before / answering.tokens_after, 3) == answering.metadata["moos_ratio"]


@pytest.mark.parametrize("unit", ["auto", "word"])
@pytest.mark.parametrize("fence", ["```", "````python", "~~~"])
def test_an_open_fence_ends_with_its_text(
    compressor: Compressor, fence: str, unit: Literal["auto", "word"]
) -> None:
    code = f"Run this first:\n\n{fence}\n" + "make install PREFIX=here\n" * 8
    settings = replace(SETTINGS, ratio=4, unit=unit)
    closing = re.sub("[a-z]", "", fence)

    behind_open = shorten(compressor, [code, *TEXTS], QUERY, settings)
    behind_closed = shorten(compressor, [code + closing, *TEXTS], QUERY, settings)

    assert behind_closed[1:] == behind_open[1:]
    assert ANSWER in behind_open[2].text


def test_what_asks_in_a_text_asks_nobody(compressor: Compressor) -> None:
    asking = "Please list all of the lamps on the cliff, and tell me who polished them in those years."
    short = shorten(compressor, [*TEXTS[:3], asking], QUERY, replace(SETTINGS, ratio=3))

    assert asking not in short[3].text


def test_a_text_of_which_nothing_is_kept_is_empty(compressor: Compressor) -> None:
    short = shorten(compressor, ["", *TEXTS, " \n"], QUERY, replace(SETTINGS, ratio=30))

    assert ("", 0, 0) == (short[0].text, short[0].tokens_before, short[0].tokens_after)
    assert "" in [each.text for each in short[1:-1]]
    assert short[2].text


def test_at_ratio_one_every_text_stays_as_it_is(compressor: Compressor) -> None:
    assert [*TEXTS] == [each.text for each in shorten(compressor, TEXTS, QUERY, replace(SETTINGS, ratio=1))]


def test_nothing_retrieved_is_nothing(compressor: Compressor) -> None:
    assert [] == shorten(compressor, [], QUERY, SETTINGS)


@pytest.mark.parametrize("query", ["", " ", "off", "auto"])
def test_any_query_will_do(compressor: Compressor, query: str) -> None:
    settings = CompressionSettings(ratio=3, marks=False, material=True, question="This one is not asked here.")
    short = shorten(compressor, TEXTS, query, settings)

    without = compressor.compress("\n\n".join(TEXTS), replace(settings, question="off"))
    assert (query.strip() == "") == (without.text == "\n\n".join(each.text for each in short if each.text))

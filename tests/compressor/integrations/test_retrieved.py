"""One budget over all retrieved texts, cut back into texts."""

from __future__ import annotations

from dataclasses import replace

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


def test_an_open_fence_protects_its_own_text_alone(compressor: Compressor) -> None:
    open_fence = "Run this first:\n\n```\n" + "make install PREFIX=here\n" * 8
    alone = shorten(compressor, TEXTS, QUERY, replace(SETTINGS, ratio=4))

    behind = shorten(compressor, [open_fence, *TEXTS], QUERY, replace(SETTINGS, ratio=4))

    assert open_fence[open_fence.index("```") :].strip() in behind[0].text
    assert sum(each.tokens_after for each in behind[1:]) < 1.5 * sum(each.tokens_after for each in alone)


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
    settings = CompressionSettings(ratio=3, marks=False, question="This one is not asked here.")
    short = shorten(compressor, TEXTS, query, settings)

    without = compressor.compress("\n\n".join(TEXTS), replace(settings, question="off"))
    assert (query.strip() == "") == (without.text == "\n\n".join(each.text for each in short if each.text))

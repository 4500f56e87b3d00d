from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.compressor.planning import structure, windows
from moosproxy.compressor.selection import ranking, relevance
from moosproxy.compressor.text import words as word_cutter


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size = draw(st.integers(1, 60))
    score = np.array(draw(st.lists(st.floats(0, 1), min_size=size, max_size=size)))
    costs = np.array(draw(st.lists(st.integers(1, 9), min_size=size, max_size=size)), np.int32)
    forced = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    return score, costs, forced


@given(scored(), st.floats(0, 300))
def test_forced_words_are_free_and_the_rest_meets_the_budget(
    case: tuple[np.ndarray, np.ndarray, np.ndarray], budget: float
) -> None:
    score, costs, forced = case

    kept = ranking.select(score, costs, forced, budget)

    assert kept[forced].all()
    assert costs[kept & ~forced].sum() <= budget + costs.max() / 2


@given(scored(), st.floats(0, 300))
def test_no_dropped_word_beats_a_kept_one(case: tuple[np.ndarray, np.ndarray, np.ndarray], budget: float) -> None:
    score, costs, forced = case
    kept = ranking.select(score, costs, forced, budget)
    rounded = np.round(score, ranking.DECIMALS)

    assert rounded[~kept].max(initial=-1) <= rounded[kept & ~forced].min(initial=2)


def test_equal_scores_go_to_the_earlier_word() -> None:
    score = np.array([0.3, 0.500001, 0.500004, 0.5])

    kept = ranking.select(score, np.ones(4, np.int32), np.zeros(4, bool), 2)

    assert [False, True, True, False] == kept.tolist()


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ([0, 0, 0], ()),
        ([1, 1, 1], ((0, 13),)),
        ([1, 0, 1], ((0, 3), (8, 13))),
        ([0, 1, 1], ((4, 13),)),
    ],
)
def test_runs_of_kept_words_become_one_span(kept: list[int], expected: tuple[tuple[int, int], ...]) -> None:
    starts, ends = word_cutter.find("one two three")

    assert expected == ranking.spans_of(np.array(kept, bool), starts, ends)


TABLE = """# Costs
| item | price |
|------|-------|
| tea  | low   |

- first point here
2. second point
> quoted words
Bob Smith: hello there
plain: not a speaker because of its small letter"""


def test_markers_are_bullets_numbers_bars_and_speakers() -> None:
    starts, ends = word_cutter.find(TABLE)
    mask = structure.markers(TABLE, starts, ends)
    found = [TABLE[a:b] for a, b, on in zip(starts, ends, mask, strict=True) if on]

    assert {"#", "|", "-", "2", ">", "Bob", "Smith"} <= set(found)
    assert not {"Costs", "tea", "first", "hello", "plain"} & set(found)


def test_a_marker_lives_and_dies_with_its_line() -> None:
    text = "- alpha beta\n- gamma delta"
    starts, ends = word_cutter.find(text)
    marker = structure.markers(text, starts, ends)
    strength = windows.breaks(text, starts, ends)

    kept = structure.with_markers(np.array([True, False, True, False, False, False]) & ~marker, marker, strength)

    assert [True, False, True, False, False, False] == kept.tolist()


def test_bm25_prefers_the_passage_about_the_question() -> None:
    passages = ["The tower was built in Paris.", "Bread is made of flour.", "Paris is a city of bread and towers."]

    score = relevance.bm25("When was the tower built?", passages)

    assert 0 == int(score.argmax())
    assert 1 == score.max()
    assert 0 == score[1]


@pytest.mark.parametrize("passages", [[], ["", ""], ["nothing", "in common"]])
def test_bm25_of_nothing_is_nothing(passages: list[str]) -> None:
    assert not relevance.bm25("question?", passages).any()


def test_weights_of_passages_stay_positive_and_follow_both_opinions() -> None:
    weight = relevance.combine(np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0]))

    assert 0 < weight[0] < min(weight[1], weight[2])
    assert weight.max() <= 1


def test_bm25_finds_shared_words_in_scripts_without_spaces() -> None:
    score = relevance.bm25(
        "東京タワーはいつ完成しましたか", ["パンは小麦で作る。", "東京タワーは一九五八年に完成した。"]
    )

    assert 1 == int(score.argmax())
    assert 0.2 > score[0]


def test_a_sentence_that_shares_the_questions_terms_is_raised_most_where_the_text_is_not_english() -> None:
    score, lexical = np.array([0.2, 0.2]), np.array([0.0, 1.0])

    english = relevance.with_sentences(score, lexical, 1.0)
    foreign = relevance.with_sentences(score, lexical, 0.0)

    assert 0.2 == english[0] == foreign[0]
    assert foreign[1] > english[1] > 0.2


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("The tower that was built by the city is of iron and has been there for years.", 1, 1),
        ("La torre fue construida por la ciudad hace muchos años y es de hierro.", 0, 0.1),
        ("塔は鉄でできている。", 0, 0),
        ("", 0, 0),
    ],
)
def test_english_is_told_by_its_commonest_words(text: str, least: float, most: float) -> None:
    starts, ends = word_cutter.find(text)

    assert least <= relevance.english(text, starts.tolist(), ends.tolist()) <= most

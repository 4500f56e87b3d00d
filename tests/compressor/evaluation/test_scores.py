"""Answers, survival by offset, and the bootstrap."""

from __future__ import annotations

import numpy as np
import pytest

from moosproxy.compressor.evaluation.measures import answers, critical, statistics
from moosproxy.compressor.evaluation.measures.offsets import Survival
from moosproxy.compressor.kept import KeptSpans


@pytest.mark.parametrize(
    ("answer", "golds", "expected"),
    [
        ("The Eiffel Tower.", ["eiffel tower"], 1.0),
        ("eiffel", ["Eiffel Tower"], 2 / 3),
        ("", ["Paris"], 0.0),
        ("赛马", ["赛马"], 1.0),
        ("赛", ["赛马"], 2 / 3),
        ("in 1990", ["1990", "the 1990s"], 2 / 3),
    ],
)
def test_f1_is_that_of_squad_and_counts_ideographs_one_by_one(
    answer: str, golds: list[str], expected: float
) -> None:
    assert answers.f1(answer, golds) == pytest.approx(expected)


def test_exact_match_ignores_case_articles_and_punctuation() -> None:
    assert answers.exact_match("the  Norman conquest!", ["Norman Conquest"]) == 1
    assert answers.exact_match("Norman", ["Norman Conquest"]) == 0


def test_an_answer_survives_only_as_an_unbroken_run_of_whole_words() -> None:
    assert answers.survives(["the Rhine"], "along Rhine, Germany") == 1
    assert answers.survives(["Rhine river"], "Rhine and river") == 0
    assert answers.survives(["art"], "start") == 0


def test_survival_by_offset_does_not_fall_for_repetitions_elsewhere() -> None:
    kept = Survival(KeptSpans(((0, 4), (10, 14))))

    assert kept.whole(0, 4)
    assert not kept.whole(3, 5)
    assert not kept.whole(5, 9)
    assert kept.share(2, 12) == pytest.approx(0.4)
    assert kept.count([(0, 4), (10, 12), (4, 6)]) == (2.0, 3.0)
    assert not Survival(KeptSpans(())).whole(0, 1)
    assert Survival(KeptSpans(())).share(0, 1) == 0


def test_critical_words_are_asked_of_kept_sentences_alone() -> None:
    text = "The pump failed at 17:05 today. Nobody had ordered 12 spare valves."
    kept = KeptSpans(((0, 18), (25, 31)))  # the time is lost, the second sentence gone

    found = critical.survival(text, Survival(kept))

    assert found["numbers"] == (0.0, 1.0)
    assert found["severities"] == (1.0, 1.0)


def test_intervals_hold_the_value_and_equal_methods_differ_by_nothing() -> None:
    rng = np.random.default_rng(3)
    sums = np.stack([rng.integers(0, 3, 60), np.full(60, 3)], axis=1).astype(float)

    found = statistics.share(sums)
    nothing = statistics.difference(sums, sums)

    assert found.low < found.value < found.high
    assert found.value == pytest.approx(sums[:, 0].sum() / sums[:, 1].sum())
    assert (nothing.value, nothing.low, nothing.high) == (0, 0, 0)


def test_pairing_makes_a_constant_loss_certain() -> None:
    rng = np.random.default_rng(4)
    ceiling = np.stack([rng.integers(1, 9, 50), np.full(50, 10)], axis=1).astype(float)
    half = ceiling * [0.5, 1]

    found = statistics.share_kept(half, ceiling)

    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))


def test_nothing_measured_is_nan_and_not_a_number_that_looks_right() -> None:
    assert np.isnan(statistics.share(np.zeros((3, 2))).value)

from __future__ import annotations

import itertools

import numpy as np
import pytest

from moosproxy.compressor.scoring import outlier
from moosproxy.compressor.settings import OutlierReading

RNG = np.random.default_rng(3)
HIDDEN = RNG.normal(size=(40, 16)).astype(np.float32)
P = RNG.uniform(size=40).astype(np.float32)
READINGS = [
    OutlierReading(scope, stat, sided, norm)  # type: ignore[arg-type]
    for scope, stat, sided, norm in itertools.product(
        ("class", "sequence"),
        ("centroid", "perdim_rms", "perdim_abs"),
        ("one", "two"),
        ("minmax", "rank", "sigmoid"),
    )
]


@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_every_reading_lies_between_zero_and_one(reading: OutlierReading) -> None:
    s = outlier.normalised(HIDDEN, P, reading)

    assert (40,) == s.shape
    assert 0 <= s.min() <= s.max() <= 1


@pytest.mark.parametrize("stat", ["centroid", "perdim_rms", "perdim_abs"])
@pytest.mark.parametrize("scope", ["class", "sequence"])
def test_the_token_far_from_the_others_scores_highest(stat: str, scope: str) -> None:
    hidden = HIDDEN.copy()
    hidden[11] += 30

    s = outlier.normalised(hidden, np.full(40, 0.1, np.float32), OutlierReading(scope, stat))  # type: ignore[arg-type]

    assert 11 == int(s.argmax())


def test_class_scope_measures_a_token_among_its_own_class() -> None:
    """An ordinary member of a small, distant class is an outlier of the sequence but not of its class."""
    hidden = HIDDEN.copy()
    hidden[:10] += 10
    p = np.where(np.arange(40) < 10, 0.9, 0.1).astype(np.float32)

    by_class = outlier.normalised(hidden, p, OutlierReading("class", norm="rank"))
    by_sequence = outlier.normalised(hidden, p, OutlierReading("sequence", norm="rank"))

    assert by_sequence[:10].mean() > 0.8 > by_class[:10].mean()


def test_identical_states_have_no_outliers() -> None:
    s = outlier.normalised(np.ones((12, 8), np.float32), np.full(12, 0.4, np.float32), OutlierReading())

    assert np.array_equal(np.zeros(12), s)


def test_no_tokens_give_no_scores() -> None:
    assert (0,) == outlier.normalised(
        np.zeros((0, 8), np.float32), np.zeros(0, np.float32), OutlierReading()
    ).shape

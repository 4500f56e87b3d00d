"""From what was kept to a curve that holds what it promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.compressor.calibration import GRID
from moosproxy.compressor.quality.curves import Observed, chosen, curve, isotonic, wilson


def drawn(count: int, seed: int, clusters: int | None = None) -> list[Observed]:
    """Texts whose answers are lost at random: the lower the level, the more often."""
    dice = np.random.default_rng(seed)
    found = []
    for number in range(count):
        levels = np.sort(dice.uniform(0, 1, len(GRID)))[::-1]
        lost_at = dice.uniform(0, 1) ** 3
        kept = (levels >= lost_at).astype(float)
        name = str(number % (clusters or count))
        found.append(Observed("g", name, levels.tolist(), kept.tolist(), 1.0))
    return found


def kept_at(observed: list[Observed], level: float) -> float:
    """What is kept where every text goes as far as the level allows."""
    at = [chosen(one, level) for one in observed]
    return float(np.mean([1.0 if i < 0 else one.kept[i] for one, i in zip(observed, at, strict=True)]))


@pytest.mark.parametrize("floor", [0.8, 0.9, 0.95])
def test_other_texts_keep_at_least_what_a_curve_says(floor: float) -> None:
    held = 0
    for seed in range(20):
        made = curve(drawn(400, seed))
        level = made.levels[next(i for i, share in enumerate(made.kept) if share >= floor)]
        held += kept_at(drawn(4000, 100 + seed), level) >= floor
    assert held >= 17


def test_a_curve_never_falls_and_few_texts_promise_little() -> None:
    many, few = curve(drawn(400, 1)), curve(drawn(30, 1))

    assert list(many.kept) == sorted(many.kept)
    assert list(many.levels) == sorted(many.levels)
    assert len(many.levels) <= 80
    assert few.kept[-1] < 0.93 < many.kept[-1]
    assert (many.texts, many.answers) == (400, 400)


def test_texts_of_one_record_count_as_one() -> None:
    assert curve(drawn(400, 1, clusters=20)).kept[-1] < curve(drawn(400, 1)).kept[-1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_isotonic_is_the_nearest_that_never_falls(values: list[float]) -> None:
    fitted = isotonic(values)

    assert (np.diff(fitted) >= 0).all()
    assert float(fitted.sum()) == pytest.approx(sum(values), abs=1e-9)
    assert isotonic(fitted) == pytest.approx(fitted)
    spread = float(((fitted - np.array(values)) ** 2).sum())
    for other in (np.sort(values), np.full(len(values), np.mean(values)), np.maximum.accumulate(values)):
        assert spread <= float(((other - np.array(values)) ** 2).sum()) + 1e-9


def test_wilsons_lower_end() -> None:
    assert wilson(1.0, 100) == pytest.approx(100 / (100 + 1.645**2))
    assert wilson(0.9, 100) == pytest.approx(0.839, abs=0.001)
    assert wilson(0.5, 0) == 0.0
    assert wilson(0.0, 50) == pytest.approx(0.0)

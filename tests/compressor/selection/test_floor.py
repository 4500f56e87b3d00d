"""The ratio that a floor allows: the highest, a function of text, settings and calibration alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from moosproxy.compressor import CompressionResult, CompressionSettings, Compressor
from moosproxy.compressor.calibration import GRID, Calibration, Curve
from moosproxy.compressor.selection import floor
from moosproxy.compressor.selection.finish import selection_of
from tests.compressor.tiny import CORPUS

TEXT = "\n\n".join(" ".join(CORPUS[at : at + 6]) for at in range(0, 48, 6))
ASKED = "Which error is the answer?"
GROUP = "prose, asked, long"
LOGS = "\n".join(f"2026-01-01 00:00:{n:02} INFO worker-{n % 3} finished job {n} in {n * 7} ms" for n in range(59))
CODE = "import os\n\n\n" + "\n\n\n".join(
    f"def made_{n}(a, b):\n    c = a + {n}\n    return c * b" for n in range(30)
)
TALK = "\n".join(f"{'AB'[n % 2]}: {CORPUS[n % 50]}" for n in range(60))


@pytest.fixture(scope="module")
def compressor(tiny_checkpoint: Path) -> Iterator[Compressor]:
    with Compressor.load(tiny_checkpoint, threads=1) as opened:
        yield opened


def use(compressor: Compressor, **groups: Curve) -> Calibration:
    """From now on this one predicts."""
    made = Calibration(compressor.fingerprint, {name.replace("_", ", "): curve for name, curve in groups.items()})
    compressor.__dict__["calibration"] = made
    return made


def settings(quality: float | None, ratio: float = 10.0, question: str = ASKED) -> CompressionSettings:
    return CompressionSettings(ratio=ratio, quality=quality, question=question)


def levels(compressor: Compressor, text: str = TEXT, question: str = ASKED) -> list[float]:
    """Of the text at every ratio of the grid."""
    plan = compressor.plan(text, settings(None, question=question))
    selection = selection_of(plan, compressor.score(plan.windows))
    return [floor.level(plan, selection, selection.at(ratio)) for ratio in GRID]


def same(one: CompressionResult, other: CompressionResult) -> bool:
    return (one.text, one.kept, one.tokens_after) == (other.text, other.kept, other.tokens_after)


def test_levels_fall_as_ratios_rise(compressor: Compressor) -> None:
    found = levels(compressor)

    assert found == sorted(found, reverse=True)
    assert 0 < found[-1] < found[0] <= 1


@pytest.mark.parametrize("at", range(len(GRID)))
def test_the_highest_ratio_that_is_predicted_to_keep_enough_is_taken(compressor: Compressor, at: int) -> None:
    bound = levels(compressor)[at]
    use(compressor, prose_asked_long=Curve((0.0, bound), (0.5, 0.96), 40, 40))
    result = compressor.compress(TEXT, settings(0.95))

    assert result.floor is not None
    assert (result.floor.ratio, result.floor.predicted, result.floor.known) == (GRID[at], 0.96, True)
    assert (result.asked_ratio, result.floor.group) == (GRID[at], GROUP)
    assert same(result, compressor.compress(TEXT, settings(None, GRID[at])))


def test_a_ratio_bounds_what_a_floor_may_take(compressor: Compressor) -> None:
    use(compressor, prose_asked_long=Curve((0.0,), (0.99,), 40, 40))

    for most, taken in ((10.0, 10.0), (4.5, 4.0), (1.25, 1.25), (1.2, None)):
        result = compressor.compress(TEXT, settings(0.95, most))
        assert result.floor is not None
        assert result.floor.ratio == taken


def test_a_floor_that_cannot_be_met_leaves_the_text_whole_and_says_so(compressor: Compressor) -> None:
    use(compressor, prose_asked_long=Curve((0.0,), (0.9,), 40, 40))
    result = compressor.compress(TEXT, settings(0.95))

    assert (result.text, result.ratio, result.alone) == (TEXT, 1.0, False)
    assert result.floor == type(result.floor)(0.95, None, 1.0, GROUP, True)
    assert "no ratio keeps 0.95 of the answers" in result.summary()


def test_a_group_that_was_not_measured_goes_by_the_worst_and_says_so(compressor: Compressor) -> None:
    use(compressor, code_asked_long=Curve((0.0,), (0.99,), 40, 40), data_asked_long=Curve((0.0,), (0.5,), 40, 40))
    result = compressor.compress(TEXT, settings(0.95))

    assert result.floor is not None
    assert (result.floor.ratio, result.floor.known) == (None, False)
    assert "not in the calibration" in result.summary()


@pytest.mark.parametrize(
    ("text", "question", "group"),
    [
        (TEXT, ASKED, "prose, asked, long"),
        (TEXT[:900], "off", "prose, not asked, short"),
        (LOGS, "off", "lines, not asked, long"),
        (CODE, ASKED, "code, asked, short"),
        (TALK, "off", "turns, not asked, long"),
        ("[database]\nhost = a\nport = 5\n" * 40, "off", "data, not asked, short"),
    ],
)
def test_a_text_belongs_to_the_group_of_most_of_it(
    compressor: Compressor, text: str, question: str, group: str
) -> None:
    use(compressor, prose_asked_long=Curve((0.0,), (0.99,), 40, 40))
    result = compressor.compress(text, settings(0.5, question=question))

    assert result.floor is not None
    assert result.floor.group == group


def test_an_empty_text_has_no_floor(compressor: Compressor) -> None:
    use(compressor, prose_asked_long=Curve((0.0,), (0.99,), 40, 40))

    assert compressor.compress("", settings(0.95)).text == ""
    assert compressor.compress(" \n ", settings(0.95)).text == " \n "


def test_the_calibration_is_part_of_the_identity_where_a_quality_is_asked_for(compressor: Compressor) -> None:
    one = use(compressor, prose_asked_long=Curve((0.0,), (0.99,), 40, 40))
    first, plain = compressor.identity(settings(0.9)), compressor.identity(settings(None))
    use(compressor, prose_asked_long=Curve((0.0,), (0.98,), 40, 40))

    assert plain == compressor.fingerprint == compressor.compress(TEXT, settings(None)).fingerprint
    assert first == f"{plain}-{one.digest[:16]}" != compressor.identity(settings(0.9))
    assert compressor.compress(TEXT, settings(0.9)).fingerprint == compressor.identity(settings(0.9))


def test_without_a_quality_settings_have_the_digest_that_they_always_had() -> None:
    values = asdict(CompressionSettings()) | {"protect": sorted(CompressionSettings().protect)}
    del values["quality"]

    assert (
        CompressionSettings().digest() == hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    )
    assert len({settings(quality).digest() for quality in (None, 0.9, 0.95)}) == 3

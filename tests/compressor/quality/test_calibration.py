"""The table that a quality floor is predicted by: read, refused, looked up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moosproxy.compressor import CheckpointError, CompressionSettings, Compressor, SettingsError, checkpoint
from moosproxy.compressor.calibration import FILE_NAME, GRID, Calibration, Curve, highest
from moosproxy.compressor.checkpoint import BUNDLED

LOW = Curve((0.2, 0.5, 0.9), (0.7, 0.9, 0.96), 40, 80)
HIGH = Curve((0.1, 0.5), (0.93, 0.99), 50, 60)
MADE = Calibration("abc", {"prose, asked, short": LOW, "code, asked, long": HIGH}, {"from": "a test"})


def test_a_curve_is_a_stair() -> None:
    assert [LOW.at(level) for level in (0.1, 0.2, 0.49, 0.5, 0.89, 1.0)] == [0.0, 0.7, 0.7, 0.9, 0.9, 0.96]


def test_texts_of_a_group_that_nobody_measured_go_by_the_worst_one() -> None:
    assert MADE.predicted("code, asked, long", 0.6) == 0.99
    assert MADE.predicted("lines, not asked, long", 0.6) == 0.9
    assert MADE.predicted("lines, not asked, long", 0.15) == 0.0
    assert Calibration("abc", {}).predicted("lines, not asked, long", 1.0) == 0.0


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    MADE.save(tmp_path / FILE_NAME)
    read = Calibration.load(tmp_path / FILE_NAME, "abc")

    assert (read, read.digest) == (MADE, MADE.digest)


def test_the_digest_is_of_what_decides() -> None:
    assert Calibration("abc", MADE.groups, {"from": "elsewhere"}).digest == MADE.digest
    assert Calibration("abd", MADE.groups).digest != MADE.digest
    assert Calibration("abc", {"prose, asked, short": LOW}).digest != MADE.digest


def _changed(**values: object) -> str:
    groups = {"g": {"levels": [0.1, 0.2], "kept": [0.5, 0.6], "texts": 30, "answers": 30}}
    return json.dumps({"version": 1, "checkpoint": "abc", "groups": groups, **values})


def _curve(levels: list[float], kept: list[float]) -> str:
    return _changed(groups={"g": {"levels": levels, "kept": kept, "texts": 1, "answers": 1}})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "is missing; make it with `moos calibrate`"),
        ("{", "cannot be read as JSON"),
        ("[]", "is no calibration"),
        (_changed(groups=[]), "is no calibration"),
        (_changed(groups={"g": {"levels": [0.2, 0.1], "kept": [0, 1], "texts": 1, "answers": 1}}), "ascend"),
        (
            _changed(groups={"g": {"levels": [0.1, 0.2], "kept": [0, 7], "texts": 1, "answers": 1}}),
            "between 0 and 1",
        ),
        (_changed(version=9), "is of version 9"),
        (_changed(checkpoint="other"), "was made for checkpoint other, not for abc"),
    ],
)
def test_what_is_not_this_checkpoints_calibration_is_refused(
    tmp_path: Path, content: str | None, told: str
) -> None:
    path = tmp_path / FILE_NAME
    if content is not None:
        path.write_text(content)

    with pytest.raises(CheckpointError, match=told):
        Calibration.load(path, "abc")


@pytest.mark.parametrize("last", range(-1, len(GRID)))
def test_the_highest_ratio_that_holds_is_found(last: int) -> None:
    asked: list[int] = []

    assert last == highest(GRID, lambda index: asked.append(index) or index <= last)
    assert len(asked) <= 4


def test_a_named_calibration_of_another_checkpoint_is_refused_at_once(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    MADE.save(tmp_path / "mine.json")

    with pytest.raises(CheckpointError, match="was made for checkpoint abc"):
        Compressor.load(tiny_checkpoint, threads=1, calibration=tmp_path / "mine.json")


def test_a_quality_without_a_calibration_is_told_before_the_model_runs(tiny_checkpoint: Path) -> None:
    with (
        Compressor.load(tiny_checkpoint, threads=1) as compressor,
        pytest.raises(CheckpointError, match="make it with `moos calibrate`"),
    ):
        compressor.plan("A text. " * 50, CompressionSettings(quality=0.9))


@pytest.mark.parametrize("quality", [0, 1, 1.5, -0.1, True, "0.9", float("nan")])
def test_a_quality_is_a_share(quality: object) -> None:
    with pytest.raises(SettingsError, match="quality must be a number above 0 and below 1"):
        CompressionSettings(quality=quality)  # type: ignore[arg-type]


def test_nothing_is_predicted_for_loose_words() -> None:
    with pytest.raises(SettingsError, match="needs unit"):
        CompressionSettings(quality=0.9, unit="word")


def test_the_bundled_calibration_is_the_bundled_checkpoints() -> None:
    made = Calibration.load(BUNDLED / FILE_NAME, checkpoint.load().fingerprint)

    assert {"prose, asked, short", "prose, asked, long", "prose, not asked, short"} <= made.groups.keys()
    assert made.groups["prose, asked, short"].kept[-1] >= 0.98
    assert all(curve.texts >= 30 for curve in made.groups.values())

"""`moos eval floor`: floors beside fixed ratios, kept as a file, told as a section."""

from __future__ import annotations

from pathlib import Path

import pytest

from moosproxy.compressor import Compressor
from moosproxy.compressor.calibration import GRID, Calibration, Curve
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation import floors
from moosproxy.compressor.evaluation.floors import FILE_NAME, Floors, same_quality
from moosproxy.compressor.evaluation.reporting import pages
from moosproxy.compressor.evaluation.reporting.results import Results

CURVE = [(1.25, 1.2, 0.98), (2.0, 1.8, 0.96), (3.0, 2.8, 0.86)]


@pytest.mark.parametrize(
    ("share", "ratio"), [(1.0, 1.0), (0.99, 1.1), (0.98, 1.2), (0.96, 1.8), (0.91, 2.3), (0.86, 2.8), (0.5, 2.8)]
)
def test_the_one_ratio_that_keeps_as_much(share: float, ratio: float) -> None:
    assert same_quality(CURVE, share) == pytest.approx(ratio)


def test_the_highest_of_several_that_keep_as_much() -> None:
    assert same_quality([(1.25, 1.2, 0.9), (2.0, 1.8, 0.95), (3.0, 2.8, 0.8)], 0.95) == pytest.approx(1.8)
    assert same_quality([(1.25, 1.2, 1.0), (2.0, 1.8, 1.0), (3.0, 2.8, 1.0)], 1.0) == pytest.approx(2.8)


@pytest.fixture
def found(answer_data: Path, tiny_checkpoint: Path) -> Floors:
    """Of a checkpoint whose calibration promises the same for every text."""
    with Compressor.load(tiny_checkpoint, threads=1) as compressor:
        curve = Curve((0.0,), (0.96,), 40, 40)
        compressor.__dict__["calibration"] = Calibration(
            compressor.fingerprint, {"any": curve}, {"from": "a test"}
        )
        return floors.measure(compressor, answer_data, 4, lambda: None, ("squad_dev", "squad_dev, nobody asks"))


def test_floors_that_are_promised_take_the_highest_ratio_and_others_none(found: Floors) -> None:
    for one in found.sets:
        reached = {asked: (ratio, kept) for asked, ratio, kept in one.fixed}
        low, middle, high = one.floors
        assert (low.ratio, low.measured) == (middle.ratio, middle.measured) == reached[GRID[-1]]
        assert (low.predicted, low.whole) == (0.96, 0.0)
        assert (high.ratio, high.measured, high.predicted, high.whole) == (1.0, 1.0, 1.0, 1.0)
        assert one.texts == 4
        assert sum(one.groups.values()) == 4
    assert {group.split(", ")[1] for group in found.sets[1].groups} == {"not asked"}


def test_several_sets_are_told_together_too(answer_data: Path, tiny_checkpoint: Path) -> None:
    with Compressor.load(tiny_checkpoint, threads=1) as compressor:
        curves = {"any": Curve((0.0,), (0.96,), 40, 40)}
        compressor.__dict__["calibration"] = Calibration(compressor.fingerprint, curves)
        found = floors.measure(compressor, answer_data, 2, lambda: None, ("squad_dev", "xquad"))

    first, second, both = found.sets
    assert (both.name, both.texts) == (floors.ALL, first.texts + second.texts)
    shares = [one.floors[0].ratio ** -1 for one in (first, second)]
    assert min(shares) < 1 / both.floors[0].ratio < max(shares) or shares[0] == pytest.approx(shares[1])


def test_a_report_tells_them_without_the_data(found: Floors, tmp_path: Path) -> None:
    found.save(tmp_path / FILE_NAME)
    facts = {"checkpoint": "abc"}
    pages.write(Results(facts), [], tmp_path)
    written = (tmp_path / "results.md").read_text()

    assert Floors.load(tmp_path / FILE_NAME) == found
    assert "## A floor instead of a ratio" in written
    assert "| squad_dev, nobody asks | 4 | 0.98 | 100.0 | 100.0 [100.0, 100.0] | 1.00x |" in written
    (tmp_path / FILE_NAME).unlink()
    pages.write(Results(facts), [], tmp_path)
    assert "A floor instead" not in (tmp_path / "results.md").read_text()


def test_what_is_no_run_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('{"facts": {}, "sets": [{"name": "a"}]}')

    with pytest.raises(CompressorError, match="run `moos eval floor` first"):
        Floors.load(tmp_path / FILE_NAME)

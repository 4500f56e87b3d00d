"""Differences between two evaluations are paired by text and counted in points of the full text's score."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from moosproxy.compressor.commands.evaluate import evaluate
from moosproxy.compressor.evaluation.reporting import compare
from moosproxy.compressor.evaluation.reporting.results import FULL_TEXT, Results


def results(*scores: float) -> Results:
    made = Results({})
    for number, score in enumerate(scores):
        made.add("squad_dev", FULL_TEXT, "1", "f1", f"text {number}", (0.8, 1.0))
        for ratio in ("2", "4"):
            made.add("squad_dev", "ours", ratio, "f1", f"text {number}", (score, 1.0))
    return made


def test_a_loss_is_told_in_points_of_the_full_text() -> None:
    found = list(compare.differences(results(0.4, 0.8), results(0.4, 0.72), "f1"))

    assert [("ours", "2"), ("ours", "4"), ("all", "all")] == [row[1:3] for row in found]
    assert -5 == pytest.approx(found[-1][3].value)
    assert found[-1][3].low == pytest.approx(-10)


def test_texts_that_only_one_evaluation_has_are_not_compared() -> None:
    assert not list(compare.differences(results(0.4, 0.8), results(0.4), "f1"))


def test_the_command_names_a_missing_file(tmp_path: Path) -> None:
    given = CliRunner().invoke(evaluate, ["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")])

    assert 2 == given.exit_code
    assert "a.json" in given.output

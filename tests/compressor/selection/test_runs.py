import numpy as np
import pytest

from moosproxy.compressor.selection import runs


def test_words_of_a_run_move_towards_their_mean() -> None:
    score = np.array([1.0, 0.0, 0.4, 0.9, 0.1])
    content = np.array([True, True, False, True, False])

    assert [0.75, 0.25, 0.4, 0.9, 0.1] == pytest.approx(runs.shared(score, content).tolist())


def test_a_long_run_is_shared_in_stretches() -> None:
    score = np.array([1.0] * runs.LONGEST + [0.0] * 3)

    assert score.tolist() == runs.shared(score, np.ones(len(score), bool)).tolist()


def test_without_content_words_nothing_changes() -> None:
    score = np.array([0.2, 0.8])

    assert score.tolist() == runs.shared(score, np.zeros(2, bool)).tolist()
    assert [] == runs.shared(np.zeros(0), np.zeros(0, bool)).tolist()

"""Whether an answer from a shorter text says what it should."""

from __future__ import annotations

from collections.abc import Sequence

from moosproxy.compressor.evaluation.measures.answers import f1, survives

ENOUGH = 0.5
"""Of token F1: an answer that reaches this says the same in other words."""


def same(answer: str, golds: Sequence[str]) -> bool:
    """Whether a right answer stands in it, or enough of the words of one."""
    return survives(golds, answer) > 0 or f1(answer, golds) >= ENOUGH

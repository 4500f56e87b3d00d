"""What another package left of a text, found again in the original."""

from __future__ import annotations

from pathlib import Path

import pytest

from moosproxy.compressor import checkpoint
from moosproxy.compressor.evaluation import slim

TEXT = (
    "The river floods the meadows. It does so in spring.\nThe farmers drive their cows to the hills. Nobody minds."
)


@pytest.mark.parametrize(
    ("shortened", "expected"),
    [
        ("It does so in spring. Nobody minds.", ["It does so in spring.", "Nobody minds."]),
        ("Nobody minds. It does so  in spring.", ["It does so in spring.", "Nobody minds."]),
        (
            "The river floods the meadows. It does so in spring.",
            ["The river floods the meadows.", "It does so in spring."],
        ),
        ("Somebody minds. Nobody minds.", ["Nobody minds."]),
        ("", []),
    ],
)
def test_sentences_are_found_where_they_stood(shortened: str, expected: list[str]) -> None:
    assert [TEXT[start:end] for start, end in slim.spans_of(shortened, TEXT)] == expected


def test_the_package_keeps_about_what_is_asked_for(tiny_checkpoint: Path) -> None:
    method = slim.Llmslim(checkpoint.load(tiny_checkpoint).encoder)
    text = " ".join(
        f"Sentence {n} tells of river {n % 7} and of the farmers on its {n % 3} banks." for n in range(60)
    )
    (half,) = method.shorten(text, "What of river 5?", [2])

    assert 0.4 < half.pieces / half.pieces_before < 0.6
    assert half.kept.spans

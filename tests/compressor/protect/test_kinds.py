"""Every kind finds its examples and leaves alone what looks like them; numbers and addresses to the letter."""

import pytest

from moosproxy.compressor.protect import DETECTORS, find
from moosproxy.compressor.settings import Kind
from tests.compressor.protect.examples import NEGATIVE, POSITIVE
from tests.compressor.protect.finds import covered, found


@pytest.mark.parametrize(
    ("kind", "text", "piece"), [(kind, *case) for kind, cases in POSITIVE.items() for case in cases]
)
def test_a_kind_covers_its_examples(kind: Kind, text: str, piece: str) -> None:
    assert covered(text, kind, piece), found(text, kind)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in NEGATIVE.items() for text in texts])
def test_a_kind_leaves_lookalikes_alone(kind: Kind, text: str) -> None:
    assert found(text, kind) == []


def test_every_kind_has_a_detector_and_examples_of_both_sorts() -> None:
    assert set(DETECTORS) == set(POSITIVE) == set(NEGATIVE) == set(Kind)


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_that_is_switched_off_finds_nothing(kind: Kind) -> None:
    text = "\n\n".join(text for text, _ in POSITIVE[kind])
    others = find(text, set(Kind) - {kind})

    assert all(span.kind != kind for span in others)
    assert any(span.kind == kind for span in find(text, set(Kind)))


def test_a_number_takes_only_what_belongs_to_it() -> None:
    assert found("12 in the 3 boxes at 5pm", Kind.NUMBER) == ["12", "3", "5pm"]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("about 18,400 of the 61,250 readings", ["18,400 of the 61,250"]),
        ("it runs between 70 and 95 minutes.", ["between 70 and 95 minutes"]),
        ("below 50 percent, twice in a row", ["below 50 percent", "twice"]),
        ("no more than 5 or 6 of them", ["no more than 5 or 6"]),
        ("wait ten minutes, not two hundred and fifty-three", ["ten minutes", "two hundred and fifty-three"]),
        ("nach zwei Stunden", ["zwei Stunden"]),
        ("three attempts left it often eightfold", ["three attempts"]),
        ("5 million", ["5 million"]),
        ("it fell under, 7 of 9", ["7 of 9"]),
        ("3\n4", ["3", "4"]),
    ],
)
def test_a_number_keeps_its_bounds_its_joints_and_its_unit_spelled_out_or_not(
    text: str, numbers: list[str]
) -> None:
    assert found(text, Kind.NUMBER) == numbers


def test_a_url_leaves_the_sentence_its_full_stop() -> None:
    assert found("Go to https://a.io/b. Then (see https://c.io).", Kind.URL) == ["https://a.io/b", "https://c.io"]

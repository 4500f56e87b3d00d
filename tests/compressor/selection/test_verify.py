"""What a cut sentence still owes."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.compressor.protect import find
from moosproxy.compressor.selection import verify
from moosproxy.compressor.settings import Kind
from moosproxy.compressor.text import words


def spans_of(text: str) -> list[tuple[int, int]]:
    starts, ends = words.find(text)
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def owed(text: str, *kept: str) -> list[tuple[str, str]]:
    spans = spans_of(text)
    flags = [text[start:end] in kept for start, end in spans]
    return [(text[slice(*spans[index])], kind) for index, kind in verify.missing(text, spans, flags)]


@pytest.mark.parametrize(
    ("text", "kept", "expected"),
    [
        ("The request was not approved.", ["request"], ["not", "approved"]),
        ("The plan was not yet fully adopted.", ["plan"], ["not", "adopted"]),
        ("The plan was not adopted.", ["not"], ["adopted"]),
        ("They don't smoke.", ["They", "smoke"], ["don't"]),
        ("It does n't work.", ["work"], ["n't"]),
        ("We saw 12 patients there.", ["saw"], ["12", "patients"]),
        ("It weighs 12 kg in all.", ["weighs"], ["12", "kg"]),
        ("Pause for ten minutes at once.", ["Pause"], ["ten", "minutes"]),
        ("We lost two collectors there.", ["lost"], ["two", "collectors"]),
        ("It fell below 50 percent.", ["fell"], ["below", "50", "percent"]),
        ("Job ABC-1234 ended.", ["ended"], ["ABC-1234"]),
        ("Python 3.11.2 is here.", ["Python"], ["3.11.2"]),
        ("The call was denied today.", ["call"], ["denied"]),
        ("He said “go home” and left.", ["home"], ["“", "go", "”"]),
        ("Он не пришёл.", ["Он", "пришёл"], ["не"]),
        ("计划没有批准。", ["计", "划"], ["没", "批", "准"]),
    ],
)
def test_what_a_kept_sentence_owes_is_named(text: str, kept: list[str], expected: list[str]) -> None:
    assert "".join(piece for piece, _ in owed(text, *kept)) == "".join(expected)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("The request was not approved.", []),
        ("The request was not approved.", ["The", "was", "."]),
        ("It was 12 today. We left.", ["left"]),
        ("It was 12 today.\nWe left", ["left"]),
        ("He said “go home” and left early this morning.", ["left"]),
        ("", []),
        ("   ", []),
    ],
)
def test_a_sentence_that_is_gone_or_says_nothing_owes_nothing(text: str, kept: list[str]) -> None:
    assert owed(text, *kept) == []


def test_the_kind_that_claims_a_word_is_told() -> None:
    assert dict(owed("Job 3f2a9c1 was not denied 12 times.", "Job")) == {
        "not": "negation",
        "denied": "severity",
        "3": "id",
        "f2a9c1": "id",
        "12": "number",
        "times": "number",
    }


def test_spans_that_are_known_already_are_used() -> None:
    text = "Nobody left 12 boxes."
    spans = spans_of(text)
    found = [span for span in find(text, set(Kind)) if span.kind == Kind.NUMBER]

    assert verify.missing(text, spans, [False, True, False, False, False], found) == [(2, "number"), (3, "number")]


def test_pairs_of_qualifier_and_head() -> None:
    text = "It was not yet approved by 12 patients on 5 May 2024."
    spans = spans_of(text)
    pairs = [(text[slice(*spans[a])], text[slice(*spans[b])]) for a, b in verify.qualifies(text, spans)]

    assert pairs == [("12", "patients"), ("not", "approved")]


SENTENCES = [
    "The 12 crates were not opened.",
    "ERROR 3f2a9c1 in v1.2.3",
    "“We cannot say. It is late” he said.",
    "She never left on 5 May 2024!",
    "\n",
    "It rained.",
    "没有人来。",
    "Costs $3.50, or 7 euros",
    "'neither of them' failed 8 times?",
    "\n\n",
]


@given(st.lists(st.sampled_from(SENTENCES), max_size=12).map(" ".join), st.floats(0, 1), st.integers(0, 99))
def test_once_paid_nothing_more_is_owed(text: str, share: float, seed: int) -> None:
    spans = spans_of(text)
    chance = random.Random(seed)
    kept = [chance.random() < share for _ in spans]
    missing = verify.missing(text, spans, kept)

    assert all(not kept[index] for index, _ in missing)
    for index, _ in missing:
        kept[index] = True
    assert verify.missing(text, spans, kept) == []


@given(st.lists(st.sampled_from(SENTENCES), max_size=12).map(" ".join), st.integers(0, 99))
def test_all_kept_owes_nothing_and_nothing_kept_owes_nothing(text: str, seed: int) -> None:
    spans = spans_of(text)

    assert verify.missing(text, spans, [True] * len(spans)) == []
    assert verify.missing(text, spans, [False] * len(spans)) == []

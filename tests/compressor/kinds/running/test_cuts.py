"""Which words go from a sentence that stays, and which never do."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor.kept import KeptSpans
from moosproxy.compressor.kinds.running.cuts import cuts
from tests.compressor.reversal.building import SAFE, sentences
from tests.compressor.reversal.texts import TEMPLATES


def cut(text: str) -> str:
    """The text as it is put together without what may go."""
    kept, at = [], 0
    for start, end in cuts(text, [(0, len(text))]):
        if start > at:
            kept.append((at, start))
        at = end
    return KeptSpans((*kept, (at, len(text)))).apply(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "The bridge at Elvet was built by a bishop of the town.",
            "The bridge at Elvet was built by bishop of town.",
        ),
        ("In fact, this is a house of stone and it was sold.", "this is house of stone and it was sold."),
        ("We think that um the report is on the table.", "We think that report is on table."),
        ("They said that the house is very old.", "They said house is old."),
        ("I was there and we we saw it with the children.", "I was there and we saw it with children."),
        (
            "Das Haus der Stadt ist sehr alt und es wurde verkauft.",
            "Das Haus der Stadt ist alt und es wurde verkauft.",
        ),
        ("Elle habite dans la maison et elle est très grande.", "Elle habite dans maison et elle est grande."),
        ("La casa está en la ciudad y es muy grande.", "La casa está en ciudad y es grande."),
    ],
)
def test_listed_words_go(text: str, expected: str) -> None:
    assert expected == cut(text)


@pytest.mark.parametrize(
    "text",
    [
        "He has a few friends and he is to get a little money.",  # "few friends" is the opposite
        "He is one of the first in the White House of the Netherlands.",
        "It was 20 dollars a day for the oldest of them.",
        'He said "the end of the world is for the king" to his son.',
        "The function is in `the module of the server` for this.",
        "Die Frau des Lehrers ist mit dem Hund der Nachbarin gegangen.",  # an article says who it was
        "La vio en casa y la llamó, y él lo dijo a su madre.",  # a pronoun
        "Il le voit dans ce jardin et elle les appelle.",
        "今天的会议讨论了预算的问题。",
        "Собрание было в доме на реке.",
        "Zebra quux frobnicate the blorp.",  # no language for sure
    ],
)
def test_other_words_stay(text: str) -> None:
    assert text == cut(text)


@pytest.mark.parametrize("language", TEMPLATES)
def test_what_turns_a_sentence_around_protects_every_word_of_it(language: str) -> None:
    for sentence in sentences(language):
        lost = set(re.findall(r"\w+", sentence.lower())) - set(re.findall(r"\w+", cut(sentence).lower()))
        assert lost <= SAFE[language], sentence


@pytest.mark.parametrize(
    "trigger",
    [
        *(
            "not",
            "never",
            "hardly",
            "unless",
            "only",
            "if",
            "until",
            "before",
            "after",
            "otherwise",
            "except",
            "must",
        ),
        *(
            "may",
            "might",
            "shall",
            "should",
            "than",
            "almost",
            "at least",
            "rather than",
            "as long as",
            "subject to",
        ),
        *("other than", "gave up", "called off", "denied", "doubted", "failed", "but", "more", "suppose"),
    ],
)
def test_a_trigger_anywhere_keeps_the_whole_sentence(trigger: str) -> None:
    text = f"The very old house of the town was sold by the baker, {trigger} the boat is in the harbour."

    assert text == cut(text)


def test_sounds_go_everywhere_in_english_but_um_is_a_word_in_german() -> None:
    assert "We do not uhm think that it was sold." == cut("We do not uhm think that it um was sold.")
    assert "Er kommt nicht um acht und um die Ecke ist der Hof." == cut(
        "Er kommt nicht um acht und um die Ecke ist der Hof."
    )


@given(
    st.lists(st.sampled_from([*["the", "a", "of", "is", "um,", "very", "house", ".", "“", "`"], "\n"])).map(
        " ".join
    )
)
@settings(max_examples=150)
def test_only_listed_words_go_and_in_order(text: str) -> None:
    found = list(cuts(text, [(0, len(text))]))

    assert all(before[1] <= after[0] for before, after in pairwise(found))
    assert {text[start:end].strip(" \n,") for start, end in found} <= {"the", "a", "um", "very", "of"}


def test_spans_grow_with_the_text_and_never_leave_it() -> None:
    one = "The house of the town is on the hill and it was very old. "

    found = list(cuts(one * 500, [(at * len(one), at * len(one) + len(one) - 1) for at in range(500)]))

    assert 500 * len(list(cuts(one, [(0, len(one) - 1)]))) == len(found)

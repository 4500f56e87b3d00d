"""Word labels from annotations."""

from __future__ import annotations

import numpy as np
import pytest

from moosproxy.compressor.planning import windows
from moosproxy.compressor.text import words
from moosproxy.compressor.training.data import labels
from moosproxy.compressor.training.data.labels import TaggedText
from moosproxy.compressor.training.data.lexicon import Lexicon, is_filler

ENGLISH = Lexicon.learn("en", ())
TEXT = "The old bridge was painted in 1907. Engineers closed the bridge after the flood. It never rained again."


def _tagged(text: str) -> TaggedText:
    starts, ends = words.find(text)
    strength = windows.breaks(text, starts, ends)
    sentences = np.concatenate(([0], np.cumsum(strength > windows.NO_BREAK)[:-1])).astype(np.int32)
    return TaggedText(
        text, starts, ends, ENGLISH.keys([text[s:e] for s, e in zip(starts, ends, strict=True)]), sentences
    )


def _by_word(tagged: TaggedText, values: np.ndarray) -> dict[str, float]:
    pairs = zip(tagged.starts, tagged.ends, values, strict=True)
    return {tagged.text[s:e]: round(float(v), 3) for s, e, v in reversed(list(pairs))}


def _span(needle: str) -> tuple[int, int]:
    at = TEXT.index(needle)
    return at, at + len(needle)


def test_answers_of_a_question_count_twice_and_their_sentence_by_how_much_a_word_tells() -> None:
    tagged = _tagged(TEXT)
    marked = labels.for_question(tagged, ENGLISH.key_set("When was the bridge painted?"), [_span("1907")])
    target, weight = _by_word(tagged, marked.target), _by_word(tagged, marked.weight)

    assert (target["1907"], weight["1907"]) == (1.0, 2.0)
    assert target["painted"] == target["bridge"] == 1.0
    assert target["old"] == pytest.approx(0.6)
    assert target["was"] < 0.5
    assert target["flood"] < 0.1
    assert marked.target[np.flatnonzero(tagged.matching(ENGLISH.key_set("bridge")))[1]] == pytest.approx(0.3)


def test_evidence_is_the_sentence_of_the_answer() -> None:
    tagged = _tagged(TEXT)
    marked = labels.for_question(tagged, frozenset(), [_span("flood")])

    assert marked.evidence is not None
    assert _by_word(tagged, marked.evidence)["Engineers"] == 1
    assert _by_word(tagged, marked.evidence)["1907"] == 0


def test_a_foreign_passage_is_worth_next_to_nothing_and_holds_no_evidence() -> None:
    tagged = _tagged(TEXT)
    marked = labels.for_foreign_question(tagged, ENGLISH.key_set("Who built the bridge?"))

    assert marked.target.max() == pytest.approx(0.1)
    assert marked.evidence is not None
    assert not marked.evidence.any()


def test_the_union_over_questions_leaves_unasked_content_open_and_drops_stop_words() -> None:
    tagged = _tagged(TEXT)
    questions = [
        (ENGLISH.key_set("When was the bridge painted?"), [_span("1907")]),
        (ENGLISH.key_set("Why was it closed?"), [_span("the flood")]),
    ]
    marked = labels.for_any_question(tagged, questions)
    target, weight = _by_word(tagged, marked.target), _by_word(tagged, marked.weight)

    assert target["1907"] == target["flood"] == target["closed"] == 1
    assert (target["rained"], weight["rained"]) == (0, pytest.approx(0.3))
    assert (target["was"], weight["was"]) == (0, 1)


def test_a_summary_marks_its_words_and_a_later_mention_less() -> None:
    tagged = _tagged("Um, the remote needs a battery. Yeah, a battery in the remote.")
    marked = labels.for_summary(tagged, ENGLISH.key_set("The remotes need batteries, um."), is_filler)

    assert _by_word(tagged, marked.target)["remote"] == 1
    assert marked.target[tagged.matching(ENGLISH.key_set("battery"))].tolist() == [1.0, 0.5]
    assert _by_word(tagged, marked.target)["Um"] == 0
    assert _by_word(tagged, marked.target)["Yeah"] == 0


def test_occurrences_respect_word_borders() -> None:
    assert labels.occurrences("Ann met Anna and Ann", "Ann") == [(0, 3), (17, 20)]
    assert labels.occurrences("手塚治虫と手塚", "手塚") == [(0, 2), (5, 7)]
    assert labels.occurrences("anything", "") == []


def test_inflected_words_share_a_key_and_negations_are_content() -> None:
    assert ENGLISH.key_set("painted") == ENGLISH.key_set("paints")
    assert "not" in ENGLISH.key_set("was not there")
    assert ENGLISH.key_set("the of and , .") == frozenset()


def test_other_languages_learn_their_stop_words_and_pair_their_ideographs() -> None:
    texts = [f"{word} de pedra" for word in ("rio", "livro", "noite", "dia", "lua", "sol", "mar", "ponte")]
    portuguese = Lexicon.learn("pt", texts)

    assert "de" in portuguese.stop
    assert portuguese.key_set("casas") == portuguese.key_set("casa")
    assert Lexicon.learn("zh", ()).keys(["北", "京", "!"]) == ["北京", "京", ""]

"""Methods spend the same budget, and each its own way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.evaluation import methods
from moosproxy.compressor.evaluation.measures.lexicon import DocumentFrequencies, is_stop
from tests.compressor.tiny import CORPUS

TEXT = "\n".join(CORPUS[:12])


@pytest.fixture(scope="module")
def compressor(tiny_checkpoint: Path) -> Iterator[Compressor]:
    """The tiny checkpoint on one thread."""
    with Compressor.load(tiny_checkpoint, threads=1) as opened:
        yield opened


def _all(compressor: Compressor) -> list[methods.Method]:
    encoder = compressor.checkpoint.encoder
    scorer = methods.Scorer(compressor)
    return [
        methods.RandomWords(encoder),
        methods.HeadAndTail(encoder),
        methods.IdfPruning(encoder, DocumentFrequencies(CORPUS)),
        methods.LexicalSentences(encoder),
        methods.Rival(scorer, forced=True),
        methods.Rival(scorer, forced=False),
        methods.Ours(scorer, aware=False, words=True),
        methods.Ours(scorer, aware=True, words=True),
    ]


def test_every_method_realises_the_ratio_within_three_percent(compressor: Compressor) -> None:
    for method in _all(compressor):
        for ratio, short in zip((2.0, 4.0), method.shorten(TEXT, "what is 42?", (2.0, 4.0)), strict=True):
            assert short.pieces_before / short.pieces == pytest.approx(ratio, rel=0.03), method.name
            assert short.text == short.kept.apply(TEXT)


def test_names_and_versions_are_distinct_because_they_are_keys(compressor: Compressor) -> None:
    found = _all(compressor)

    assert len({method.name for method in found}) == len(found)
    assert len({method.version for method in found}) == len(found)


def test_random_words_are_the_same_ones_every_time(compressor: Compressor) -> None:
    method = methods.RandomWords(compressor.checkpoint.encoder)

    assert method.shorten(TEXT, None, (3.0,)) == method.shorten(TEXT, None, (3.0,))


def test_head_and_tail_keeps_both_ends(compressor: Compressor) -> None:
    (short,) = methods.HeadAndTail(compressor.checkpoint.encoder).shorten(TEXT, None, (3.0,))

    (head, tail) = short.kept.spans
    assert head[0] == 0
    assert tail[1] == len(TEXT)


def test_idf_pruning_drops_stop_words_before_anything_else(compressor: Compressor) -> None:
    method = methods.IdfPruning(compressor.checkpoint.encoder, DocumentFrequencies(CORPUS))
    (short,) = method.shorten("The answer is in the box of the old mill by the river", None, (2.0,))

    assert short.text.split() == [word for word in short.text.split() if not is_stop(word)]


def test_bm25_sentences_start_with_the_one_that_shares_the_question(compressor: Compressor) -> None:
    text = "Cats sleep all day long. The treaty was signed in Lisbon. Dogs bark at every stranger."
    (short,) = methods.LexicalSentences(compressor.checkpoint.encoder).shorten(
        text, "Where was it signed?", (3.0,)
    )

    assert "signed" in short.text
    assert "Dogs" not in short.text


def test_the_rival_spends_its_budget_window_by_window(compressor: Compressor) -> None:
    method = methods.Rival(methods.Scorer(compressor), forced=False)
    text = TEXT * 8
    (short,) = method.shorten(text, None, (2.0,))
    halves = [sum(max(0, min(e, b) - max(s, a)) for s, e in short.kept.spans) for a, b in _halves(text)]

    assert halves[0] == pytest.approx(halves[1], rel=0.1)


def _halves(text: str) -> list[tuple[int, int]]:
    return [(0, len(text) // 2), (len(text) // 2, len(text))]


def test_the_rival_forces_numbers_and_sentence_marks(compressor: Compressor) -> None:
    (short,) = methods.Rival(methods.Scorer(compressor), forced=True).shorten(TEXT, None, (3.0,))

    assert short.text.count("42") == TEXT.count("42")
    assert short.text.count("!") == TEXT.count("!")


def test_remembered_scores_are_the_computed_ones(compressor: Compressor) -> None:
    scorer = methods.Scorer(compressor)
    method = methods.Ours(scorer, aware=True, words=True)

    first = method.shorten(TEXT, "what is 42?", (2.0,))
    again = method.shorten("\n" + TEXT, "what is 42?", (2.0,))[0]

    assert method.shorten(TEXT, "what is 42?", (2.0,)) == first
    assert again.text == first[0].text

"""A sentence that one lost word would turn around is there whole, or not there at all."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from moosproxy.compressor import CompressionSettings, Compressor, Kind
from moosproxy.compressor.protect import ProtectedSpan, find
from tests.compressor.reversal.building import Document, document, fault, sentences, whole
from tests.compressor.reversal.texts import NOUNS, TEMPLATES

RATIOS = (1.5, 2, 3, 4, 8)


@pytest.fixture(scope="module")
def compressor() -> Iterator[Compressor]:
    with Compressor.load() as loaded:
        yield loaded


def outputs(compressor: Compressor, text: str) -> Iterator[tuple[float, str]]:
    """The text at every ratio; its windows are the same at all of them, so they are read once."""
    settings = CompressionSettings(ratio=RATIOS[0], tokenizer="o200k_base")
    plan = compressor.plan(text, settings)
    scores = compressor.score(plan.windows)
    for ratio in RATIOS:
        asked = replace(plan, settings=replace(settings, ratio=ratio))
        yield ratio, compressor.finish(asked, scores).text


def faults(compressor: Compressor, source: Document) -> list[str]:
    return [
        f"at {ratio}: {wrong}"
        for ratio, output in outputs(compressor, source.text)
        for sentence in source.planted
        if (wrong := fault(source, sentence, output))
    ]


def facts(sentence: str) -> list[ProtectedSpan]:
    return find(sentence, {Kind.NEGATION, Kind.CONDITION, Kind.NUMBER})


def test_only_who_did_what_to_whom_is_no_fact_of_its_own() -> None:
    found = [
        template
        for language, templates in TEMPLATES.items()
        for template in templates
        if not facts(template.format(*NOUNS[language][:2]))
    ]

    assert [
        "The {0} was sued by the {1} for the lost boat.",
        "Den {0} beißt der Hund vom {1}.",
        "El {0} fue demandado por el {1} por el barco perdido.",
    ] == found


def test_more_than_a_thousand_sentences_are_built() -> None:
    assert 1000 < sum(len(sentences(language)) for language in TEMPLATES)


@pytest.mark.parametrize("language", TEMPLATES)
def test_no_sentence_is_turned_around(compressor: Compressor, language: str) -> None:
    planted = random.Random(3).sample(sentences(language), 30)

    assert [] == faults(compressor, document(language, planted))


@pytest.mark.slow
@pytest.mark.parametrize("language", TEMPLATES)
def test_no_sentence_of_all_is_turned_around(compressor: Compressor, language: str) -> None:
    assert [] == faults(compressor, document(language, sentences(language), beside=5, seed=2))


@pytest.mark.parametrize("language", TEMPLATES)
def test_in_a_short_text_that_nobody_asks_about_all_of_them_stay(compressor: Compressor, language: str) -> None:
    planted = random.Random(5).sample([sentence for sentence in sentences(language) if facts(sentence)], 8)
    source = document(language, planted, beside=3)

    for _, output in outputs(compressor, source.text):
        assert [] == [sentence for sentence in planted if not whole(language, sentence).search(output)]


def test_the_judge_sees_a_lost_word_and_a_foreign_one() -> None:
    source = document("en", ["The baker does not owe the sailor any money.", "The miller left on foot."])

    assert fault(source, source.planted[0], "The baker does owe the sailor any money.")
    assert fault(source, source.planted[0], "The baker does not owe […] any money.")
    assert fault(source, source.planted[0], "The baker does not […] owe the sailor any money.")
    assert not fault(source, source.planted[0], "baker does not owe sailor any money.")
    assert not fault(source, source.planted[0], "The miller left on foot.")

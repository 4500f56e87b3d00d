"""The whole way from text to shorter text, on a small random checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moosproxy.compressor import CompressionSettings, Compressor, Kind, SettingsError
from tests.compressor import tiny

BARE = frozenset[Kind]()
PROSE = " ".join(
    f"{tiny.WORDS[i % 293]} {tiny.WORDS[i * 7 % 283]}{'.' if i % 9 == 8 else ''}" for i in range(1500)
)


@pytest.fixture(scope="module")
def compressor(tiny_checkpoint: Path) -> Iterator[Compressor]:
    with Compressor.load(tiny_checkpoint, threads=1) as loaded:
        yield loaded


@pytest.mark.parametrize("text", ["", " \n", "word", "你好世界", "x" * 3000, "👨‍👩‍👧", "a\r\nb\r\n", PROSE[:500]])
def test_ratio_one_is_the_identity(compressor: Compressor, text: str) -> None:
    result = compressor.compress(text, CompressionSettings(ratio=1))

    assert text == result.text == result.kept.apply(text)
    assert 1 == result.ratio


@pytest.mark.parametrize("ratio", [1.5, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("tokenizer", [None, "gpt-4o"])
def test_the_asked_ratio_is_met_within_a_twentieth(
    compressor: Compressor, ratio: float, tokenizer: str | None
) -> None:
    result = compressor.compress(PROSE, CompressionSettings(ratio=ratio, protect=BARE, tokenizer=tokenizer))

    assert result.tokens_before > 1_000
    assert ratio == pytest.approx(result.ratio, rel=0.05)
    assert ("o200k_base" if tokenizer else "encoder") == result.tokenizer


@given(text=st.text(max_size=600), ratio=st.floats(1, 20), alpha=st.floats(0, 1))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_output_is_an_ordered_subsequence_of_the_input(
    compressor: Compressor, text: str, ratio: float, alpha: float
) -> None:
    result = compressor.compress(text, CompressionSettings(ratio=ratio, alpha=alpha, marks=False))
    rest = iter(text)

    assert all(character in rest for character in result.text if not character.isspace())
    assert result.text == result.kept.apply(text)


def test_a_higher_ratio_keeps_fewer_tokens(compressor: Compressor) -> None:
    kept = [
        compressor.compress(PROSE, CompressionSettings(ratio=ratio)).tokens_after for ratio in (1.5, 2, 3, 5, 9)
    ]

    assert sorted(kept, reverse=True) == kept
    assert len(set(kept)) == len(kept)


def test_protected_text_survives_and_is_counted(compressor: Compressor) -> None:
    text = (
        PROSE[:3000] + " It cost $12.50 and was not denied at https://example.org/a?b=1 then. " + PROSE[3000:6000]
    )

    result = compressor.compress(text, CompressionSettings(ratio=6))

    needles = ("$12.50", "not", "denied", "https://example.org/a?b=1")
    assert len({needle in result.text for needle in needles}) == 1  # with their sentence, or not at all
    words = compressor.compress(text, CompressionSettings(ratio=6, unit="word"))
    assert all(needle in words.text for needle in needles)
    assert {"number", "url", "severity", "negation"} <= set(words.protected)


def test_caller_spans_and_patterns_survive(compressor: Compressor) -> None:
    start = PROSE.index(" ", 2000) + 1
    end = PROSE.index(" ", 2040)
    word = tiny.WORDS[17]

    result = compressor.compress(
        PROSE, CompressionSettings(ratio=8, protect=BARE, patterns=(rf"\b{word}\b",)), spans=[(start, end)]
    )

    assert PROSE[start:end] in result.text
    assert PROSE.split().count(word) == result.text.split().count(word)


def test_lines_bullets_and_speakers_keep_their_shape(compressor: Compressor) -> None:
    rows = [f"- {' '.join(tiny.WORDS[i : i + 8])}" for i in range(0, 120, 8)]
    talk = [f"Alice: {' '.join(tiny.WORDS[i : i + 9])}" for i in range(120, 220, 9)]
    text = "\n".join(rows) + "\n\n" + "\n".join(talk)

    result = compressor.compress(text, CompressionSettings(ratio=2, protect=BARE))
    lines = [line for line in result.text.split("\n") if line]

    assert all(line.startswith(("- ", "Alice: ", "[…")) for line in lines)
    assert "\n\n" in result.text


def test_the_question_in_the_text_survives_word_for_word(compressor: Compressor) -> None:
    question = "Which of these words was the most expensive one?"
    text = f"{PROSE}\n\nQuestion: {question}"

    result = compressor.compress(text, CompressionSettings(ratio=4))

    assert question in result.text
    assert result.question is not None
    assert question == text[slice(*result.question)].removeprefix("Question: ")


def test_another_question_gives_another_text(compressor: Compressor) -> None:
    one = compressor.compress(PROSE, CompressionSettings(ratio=4, question=tiny.WORDS[3]))
    other = compressor.compress(PROSE, CompressionSettings(ratio=4, question=tiny.WORDS[250]))

    assert one.text != other.text


def test_scores_come_with_every_word_when_asked_for(compressor: Compressor) -> None:
    result = compressor.compress(PROSE[:800], CompressionSettings(ratio=2), words=True)

    assert result.words is not None
    assert "".join(PROSE[:800].split()) == "".join(PROSE[word.start : word.end] for word in result.words)
    assert compressor.compress(PROSE[:800]).words is None


def test_the_result_names_its_stages_and_its_fingerprint(compressor: Compressor) -> None:
    result = compressor.compress(PROSE)

    assert {"blocks", "tokenise", "protect", "windows", "count", "score", "select"} == set(result.timings)
    assert compressor.fingerprint == result.fingerprint


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"ratio": 0.5}, "ratio"),
        ({"ratio": float("nan")}, "ratio"),
        ({"ratio": "two"}, "ratio"),
        ({"alpha": 1.5}, "alpha"),
        ({"alpha": -0.1}, "alpha"),
        ({"patterns": ("(",)}, "pattern"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, object], fault: str) -> None:
    with pytest.raises(SettingsError, match=fault):
        CompressionSettings(**options)  # type: ignore[arg-type]


def test_plans_of_many_texts_can_be_scored_together(compressor: Compressor) -> None:
    texts = [PROSE[:2000], PROSE[500:4000], "short", ""]
    plans = [compressor.plan(text, CompressionSettings(ratio=3)) for text in texts]
    scores = compressor.score([window for plan in plans for window in plan.windows])

    at = 0
    for text, plan in zip(texts, plans, strict=True):
        own = scores[at : at + len(plan.windows)]
        at += len(plan.windows)
        assert compressor.compress(text, CompressionSettings(ratio=3)).text == compressor.finish(plan, own).text

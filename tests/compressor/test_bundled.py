"""The checkpoint in the repository, through the engines that users have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from moosproxy.compressor import CompressionSettings, Compressor, Kind, checkpoint
from moosproxy.compressor.checkpoint import BUNDLED

PASSAGES = {
    "bridge": "The stone bridge at Elvet was finished in 1228 by Bishop Puiset, who paid 412 marks for it. "
    "A chapel stood at its eastern end until the flood of 1771 carried three arches away.",
    "bakery": "Mornings at the bakery begin at four. Flour is weighed, the ovens are lit, and the first trays "
    "leave before the market opens; children come later for the broken biscuits.",
    "ferry": "The ferry does not sail in winds above 25 knots. Tickets bought there cost $14.50, and crossing "
    "to the isle takes 55 minutes unless the tide is against it.",
    "choir": "Every spring the choir rehearses in the old granary. Its conductor prefers Byrd and Tallis, and the "
    "neighbours have learned the alto part through the wall.",
}
DOCUMENT = "\n\n".join(f"[{number}] {text}" for number, text in enumerate(list(PASSAGES.values()) * 3, 1))


@pytest.fixture(scope="module")
def compressor() -> Iterator[Compressor]:
    with Compressor.load() as loaded:
        yield loaded


def test_it_is_whole_small_and_question_aware() -> None:
    loaded = checkpoint.load()

    assert loaded.question_aware
    assert sum(file.stat().st_size for file in BUNDLED.iterdir()) < 56 * 2**20
    assert "licence" in (BUNDLED / "README.md").read_text(encoding="utf-8")


def test_the_answer_to_the_question_survives_where_most_is_dropped(compressor: Compressor) -> None:
    text = f"{DOCUMENT}\n\nQuestion: Who finished the bridge at Elvet?"

    result = compressor.compress(text, CompressionSettings(ratio=6, protect=frozenset()))

    assert "Puiset" in result.text
    assert "biscuits" not in result.text
    assert result.text.endswith("Question: Who finished the bridge at Elvet?")


LONG_ANSWER = (
    "Among the visitors was the engineer Maria Lindqvist, who told everybody at length how in the winter of 1987 "
    "her grandfather, the harbour master of Visby, had pulled eleven fishermen out of the freezing water with "
    "nothing but a rowing boat, a rope and a lantern."
)


@pytest.mark.parametrize("ratio", [3.0, 6.0, 12.0])
def test_the_sentence_that_answers_stays_though_only_others_would_fit(
    compressor: Compressor, ratio: float
) -> None:
    text = (
        f"The committee looked at the plans for a bridge. Lunch was served at one. {LONG_ANSWER} Coffee followed "
        "at three. The harbour was busy all day. Some of the guests took the late ferry. Nobody stayed the night."
    )
    question = "Whom did the harbour master of Visby pull out of the water?"
    result = compressor.compress(text, CompressionSettings(ratio=ratio, question=question))

    assert LONG_ANSWER in result.text
    assert "Coffee" not in result.text
    assert result.eased or ratio == 3


def test_stop_words_go_before_names(compressor: Compressor) -> None:
    result = compressor.compress(PASSAGES["bridge"], CompressionSettings(ratio=2, protect=frozenset()))

    assert {"Elvet", "Puiset", "1228"} <= set(result.text.replace(",", " ").split())
    assert " the " not in result.text


def test_a_kept_sentence_keeps_its_negation_its_numbers_and_their_units(compressor: Compressor) -> None:
    result = compressor.compress(DOCUMENT, CompressionSettings(ratio=3))

    assert "not sail" in result.text
    assert {"25 knots", "$14.50", "55 minutes"} <= {
        n for n in ("25 knots", "$14.50", "55 minutes") if n in result.text
    }


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_its_bytes_do_not_depend_on_threads_or_batches(engine: str) -> None:
    settings = CompressionSettings(ratio=3, alpha=0.8, question="What does a ticket cost?")
    outcomes = set()
    for threads in (1, 2, 3):
        with Compressor.load(engine=engine, threads=threads) as loaded:
            outcomes.add(loaded.compress(DOCUMENT, settings).text)
            plan = loaded.plan(DOCUMENT, settings)
            scores = [loaded.score([window])[0] for window in reversed(plan.windows)][::-1]
            outcomes.add(loaded.finish(plan, scores).text)

    assert 1 == len(outcomes)


@pytest.mark.slow
def test_engines_choose_nearly_the_same_words() -> None:
    kept: list[set[int]] = []
    settings = CompressionSettings(ratio=3, protect=frozenset[Kind](), unit="word")
    for engine in ("openvino", "onnxruntime", "torch"):
        with Compressor.load(engine=engine) as loaded:
            words = loaded.compress(DOCUMENT, settings, words=True).words
            assert words is not None
            kept.append({word.start for word in words if word.kept})

    assert all(len(kept[0] & other) >= 0.97 * len(kept[0]) for other in kept[1:])

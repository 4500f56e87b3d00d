"""From records to the items that are trained on, and to the batches of a run."""

from __future__ import annotations

import numpy as np
import pytest

from moosproxy.compressor.planning import windows
from moosproxy.compressor.records import held_out
from moosproxy.compressor.text.encoding import TextEncoder
from moosproxy.compressor.training.config import shipped
from moosproxy.compressor.training.data import corpora, items, labels, mixture
from moosproxy.compressor.training.data.items import Item
from tests.compressor.tiny import CORPUS
from tests.compressor.training.conftest import records


def test_items_are_the_windows_that_serving_builds(encoder: TextEncoder) -> None:
    text = " ".join(CORPUS[:12])
    prepared = items.prepare(encoder, corpora.Lexicon.learn("en", ()), text)
    question = items.question_pieces(encoder, "What is the answer?")
    count = len(prepared.tagged.starts)
    marked = labels.WordLabels(np.linspace(0, 1, count, dtype=np.float32), np.ones(count, np.float32))
    built = items.build(encoder, prepared, marked, question)

    encoding = encoder.encode(text)
    strength = windows.breaks(text, encoding.word_starts, encoding.word_ends)
    ranges = windows.cut(encoding, strength, None, windows.text_limit(question, encoder))
    expected = windows.build(encoder, encoding, ranges, question, None)
    assert len(built) == len(expected) > 1
    for item, window in zip(built, expected, strict=True):
        assert np.array_equal(item.ids, window.ids)
        assert np.array_equal(item.type_ids, window.type_ids)
        assert not item.weight[: window.offset].any()
        assert item.weight[-1] == 0
        assert item.weight[window.offset : -1].all()


def test_every_piece_carries_the_label_of_its_word(encoder: TextEncoder) -> None:
    record = records(1)[0]
    stream = corpora.aware(corpora.Passages([record], encoder), np.random.default_rng(0))
    item = next(stream)[0]
    inside = item.target == 1
    text = encoder.tokenizer.decode(item.ids[inside].tolist()).replace(" ", "")

    assert "zaaa" in text.replace("##", "")
    assert item.relevance is True


def test_negatives_hold_no_answer_and_are_marked_irrelevant(encoder: TextEncoder) -> None:
    stream = corpora.foreign(corpora.Passages(records(), encoder), np.random.default_rng(0))
    for _ in range(5):
        for item in next(stream):
            assert item.relevance is False
            assert item.target.max() <= labels.MATCH_IN_NEGATIVE + 1e-6


def test_hardened_items_are_zero_or_one_with_equal_weights(made: list[Item]) -> None:
    soft = next(item for item in made if ((item.target > 0) & (item.target < 1)).any())
    hard = items.hardened(soft)

    assert set(np.unique(hard.target)) <= {0.0, 1.0}
    assert np.array_equal(hard.weight > 0, soft.weight > 0)
    assert set(np.unique(hard.weight)) == {0.0, 1.0}


def test_batches_cover_every_item_once_and_respect_the_token_limit(made: list[Item]) -> None:
    planned = mixture.batches(made, 512, 7)

    assert sorted(number for batch in planned for number in batch) == list(range(len(made)))
    assert all(len(b) == 1 or len(b) * max(len(made[n].ids) for n in b) <= 512 for b in planned)
    assert planned == mixture.batches(made, 512, 7)
    assert planned != mixture.batches(made, 512, 8)


def test_titles_decide_what_is_held_out() -> None:
    rows = [{"id": f"{n}", "title": f"t{n % 50}"} for n in range(500)]
    kept = {row["title"] for row in rows if held_out(row, 0.2, 7)}
    rest = {row["title"] for row in rows if not held_out(row, 0.2, 7)}

    assert kept
    assert not kept & rest
    assert not any(held_out(row, 0.0, 7) for row in rows)


def test_the_mixtures_are_shares_that_sum_to_one() -> None:
    for shares in mixture.NAMED.values():
        assert sum(shares.values()) == pytest.approx(1)
    assert shipped()[0].split_seed == shipped()[1].split_seed
    assert {run.mixture for run in shipped()} <= set(mixture.NAMED)

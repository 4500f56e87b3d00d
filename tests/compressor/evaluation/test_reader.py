"""The judge: gates that equal deletion, training that resumes, answers that are slices."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertForQuestionAnswering

from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.judging.gates import GatedAttention, attend
from moosproxy.compressor.evaluation.judging.reader import Reader, SpanReader, save
from moosproxy.compressor.evaluation.judging.thinning import Context, Thinning, thin
from moosproxy.compressor.evaluation.judging.train_reader import ReaderRecipe, train
from tests.compressor.tiny import CORPUS, bert_config, wordpiece


def _network(vocabulary: int) -> SpanReader:
    torch.manual_seed(1)
    config = bert_config(vocabulary, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    return SpanReader(BertForQuestionAnswering(config)).eval()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained reader's directory, which doubles as the encoder to start from."""
    folder = tmp_path_factory.mktemp("base")
    file = wordpiece(folder / "words.json")
    save(_network(Tokenizer.from_file(str(file)).get_vocab_size()), file, folder)
    return folder


def _data(folder: Path) -> Path:
    rows = []
    for number, text in enumerate(CORPUS):
        answer = text.split()[3]
        qas = [{"question": "which word", "answers": [{"text": answer, "start": text.index(answer)}]}]
        qas.append({"question": "what number", "answers": [{"text": "42", "start": text.index("42")}]})
        rows.append({"id": str(number), "title": str(number % 7), "context": text, "lang": "en", "qas": qas})
    (folder / "train").mkdir(parents=True)
    with gzip.open(folder / "train" / "qa_spans.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return folder


def test_a_gate_of_zero_equals_deleting_the_piece() -> None:
    network = _network(100)
    ids = torch.randint(5, 100, (1, 20))
    keep = torch.ones(1, 20)
    keep[0, [4, 5, 11]] = 0
    kept = keep[0] > 0

    with torch.no_grad():
        gated, _ = network(ids, keep, torch.zeros_like(ids))
        deleted, _ = network(ids[:, kept], torch.ones(1, 17), torch.zeros(1, 17, dtype=torch.long))

    torch.testing.assert_close(gated[:, kept], deleted, atol=1e-5, rtol=1e-4)


def test_gates_with_a_gradient_compute_the_same_as_without() -> None:
    network = _network(100)
    ids = torch.randint(5, 100, (2, 12))
    gates = torch.ones(2, 12)
    gates[0, 3:6] = 0

    plain, _ = network(ids, gates, torch.zeros_like(ids))
    learned, _ = network(ids, gates.clone().requires_grad_(), torch.zeros_like(ids))

    torch.testing.assert_close(plain, learned, atol=1e-5, rtol=1e-4)


def test_the_secant_gradient_is_the_change_of_really_dropping_or_adding_the_piece() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, 9, 4) / 2 for _ in range(3))  # no piece holds nearly all of the weight
    gates = torch.ones(1, 9)
    gates[0, [2, 7]] = 0
    weight = torch.randn(1, 2, 9, 4)
    learned = gates.clone().requires_grad_()
    (GatedAttention.apply(q, k, v, learned) * weight).sum().backward()

    assert learned.grad is not None
    for piece in range(9):
        flipped = gates.clone()
        flipped[0, piece] = 1 - flipped[0, piece]
        change = ((attend(q, k, v, flipped) - attend(q, k, v, gates)) * weight).sum()
        sign = 1 if gates[0, piece] == 0 else -1
        assert float(learned.grad[0, piece]) == pytest.approx(sign * float(change), abs=1e-4)


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(tmp_path: Path, base: Path) -> None:
    data = _data(tmp_path / "data")
    recipe = replace(ReaderRecipe(), step_pieces=512, save_every=4)

    whole = train(data, base, tmp_path / "whole", recipe, limit_steps=8)
    with pytest.raises(KeyboardInterrupt):
        _interrupted(data, base, tmp_path / "parts", recipe)
    resumed = train(data, base, tmp_path / "parts", recipe, limit_steps=8)

    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    assert not (tmp_path / "parts" / "progress.pt").exists()


def _interrupted(data: Path, base: Path, out: Path, recipe: ReaderRecipe) -> None:
    from moosproxy.compressor.evaluation.judging import train_reader

    steps = 0
    real = train_reader.loss

    def loss(network: SpanReader, batch: list[train_reader.Example], pad: int) -> torch.Tensor:
        nonlocal steps
        steps += 1
        if steps == 7:
            raise KeyboardInterrupt
        return real(network, batch, pad)

    train_reader.loss = loss
    try:
        train(data, base, out, recipe, limit_steps=8)
    finally:
        train_reader.loss = real


def test_answers_are_slices_of_the_text_and_do_not_depend_on_the_company(base: Path) -> None:
    reader = Reader.load(base, torch.float32)
    texts = [CORPUS[0], "", CORPUS[1] * 30, CORPUS[2]]

    together = reader.answers(["which word"] * 4, texts)
    alone = [reader.answers(["which word"], [text])[0] for text in texts]

    assert together == alone
    assert together[1] == ""
    assert all(answer in text for answer, text in zip(together, texts, strict=True))
    assert all(together[i] for i in (0, 2, 3))


def test_a_reader_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CompressorError, match="nowhere"):
        Reader.load(tmp_path / "nowhere")


def test_thinning_keeps_the_answer_at_the_rate_it_is_told_and_spares_whole_texts() -> None:
    rng = np.random.default_rng(0)
    context = Context(np.arange(60) % 3 == 0, rng.random(60), np.arange(60) // 10)
    how = Thinning(full=0.2, lowest=0.2, gold=1.0, decoys=0)

    drawn = [thin(context, slice(10, 13), [], how, rng) for _ in range(400)]

    assert all(keep[10:13].all() for keep in drawn)
    assert 0.13 < np.mean([keep.all() for keep in drawn]) < 0.28
    assert 0.5 < np.mean([keep.mean() for keep in drawn]) < 0.8

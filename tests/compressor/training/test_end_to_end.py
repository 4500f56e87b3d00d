"""Training through a frozen reader: gates, budgets, secant gradients and the loop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertForQuestionAnswering, BertForTokenClassification

from moosproxy.compressor.evaluation.judging.reader import SpanReader
from moosproxy.compressor.text.encoding import TextEncoder
from moosproxy.compressor.training import end_to_end
from moosproxy.compressor.training.config import TrainConfig
from moosproxy.compressor.training.data import mixture
from moosproxy.compressor.training.end_to_end import AnswerTrainer
from moosproxy.compressor.training.gate import BudgetGate, GatedPick, threshold
from tests.compressor.tiny import CORPUS, bert_config, wordpiece


def test_the_best_words_are_kept_until_the_budget_is_spent() -> None:
    scores = np.array([0.1, 2.0, -1.0, 1.0, 0.5], np.float32)
    costs = np.array([1, 2, 1, 1, 3], np.int32)

    kept, tau = threshold(scores, costs, np.zeros(5, bool), 3.0)

    assert kept.tolist() == [False, True, False, True, False]
    assert tau == pytest.approx(0.75)


def test_forced_words_are_kept_first_and_count() -> None:
    scores = np.array([3.0, 2.0, -1.0], np.float32)

    kept, tau = threshold(scores, np.ones(3, np.int32), np.array([False, False, True]), 2.0)

    assert kept.tolist() == [True, False, True]
    assert tau == pytest.approx(2.5)


def test_the_budget_takes_back_what_a_raised_score_would_spend() -> None:
    z = torch.tensor([0.3, -0.2, 0.1, 0.0, 0.4], requires_grad=True)
    costs, texts = torch.tensor([1.0, 2.0, 1.0, 1.0, 1.0]), torch.tensor([0, 0, 0, 1, 1])
    kept = torch.tensor([True, False, True, False, True])
    free = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0])

    gates = BudgetGate.apply(z, kept, z.detach(), costs, free, texts)
    (gates * torch.tensor([1.0, 0.0, -2.0, 0.5, 0.25])).sum().backward()

    assert gates.tolist() == kept.float().tolist()
    assert z.grad is not None
    # Moving all scores of a text by the same amount changes nothing: its gradient adds up to zero.
    assert z.grad[:3].sum().item() == pytest.approx(0, abs=1e-6)
    assert z.grad[3:].sum().item() == pytest.approx(0, abs=1e-6)
    assert z.grad[0] > 0 > z.grad[2]


def test_forced_words_and_other_texts_get_no_gradient() -> None:
    z = torch.zeros(4, requires_grad=True)
    texts, free = torch.tensor([0, 0, 1, 1]), torch.tensor([0.0, 1.0, 1.0, 1.0])

    gates = BudgetGate.apply(z, torch.ones(4, dtype=torch.bool), z.detach(), torch.ones(4), free, texts)
    (gates * torch.tensor([5.0, 0.0, 1.0, -1.0])).sum().backward()

    assert z.grad is not None
    assert z.grad[:2].tolist() == [0, 0]
    assert z.grad[2] > 0 > z.grad[3]


def _probability(logits: torch.Tensor, gates: torch.Tensor, target: int) -> float:
    kept = torch.where(gates > 0, logits.exp(), torch.zeros(()))
    return float(kept[target] / kept.sum())


@pytest.mark.parametrize("target", [0, 2])
def test_a_pick_among_gated_pieces_has_the_secant_as_gradient(target: int) -> None:
    torch.manual_seed(1)
    logits, gates = torch.randn(5), torch.tensor([1.0, 0.0, 0.0 if target == 2 else 1.0, 1.0, 1.0])
    wanted = gates.clone()[None].requires_grad_()

    picked = GatedPick.apply(logits[None], wanted, torch.tensor([target]))
    picked.sum().backward()

    assert picked.item() == pytest.approx(_probability(logits, gates, target))
    assert wanted.grad is not None
    for piece in range(5):
        there, gone = gates.clone(), gates.clone()
        there[piece], gone[piece] = 1.0, 0.0
        really = _probability(logits, there, target) - _probability(logits, gone, target)
        assert wanted.grad[0, piece].item() == pytest.approx(really, abs=1e-6)


TINY = TrainConfig(tokens=9_000, batch_tokens=512, lr=3e-3, mixture="questions", asked=(0.5, 0.3), beta=0.0)


def _rows(count: int = 12) -> list[dict[str, object]]:
    """Passages whose answer is always the three words after "answer"."""
    rows = []
    for number in range(count):
        name = f"z{chr(97 + number)}q {CORPUS[number].split()[0]} stone"
        context = f"{CORPUS[number]} The secret answer {name} lies here. {CORPUS[number + 20]}"
        span = {"text": name, "start": context.index(name)}
        asked = [{"question": "What is the secret answer?", "answers": [span]}]
        rows.append({"id": f"r{number}", "title": f"t{number}", "lang": "en", "context": context, "qas": asked})
    return rows


def _bert(kind: Any, size: int) -> Any:
    torch.manual_seed(1)
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return kind(bert_config(size, max_position_embeddings=400, num_labels=2, **none))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    """The tiny tokenizer."""
    return TextEncoder.from_file(wordpiece(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"))


def _trainer(encoder: TextEncoder) -> AnswerTrainer:
    size = encoder.tokenizer.get_vocab_size()
    streams = mixture.Streams({"qa_spans": _rows()}, encoder, 7)
    made = mixture.collect(streams, mixture.QUESTIONS, 1_800)
    return AnswerTrainer(
        _bert(BertForTokenClassification, size),
        encoder,
        made,
        TINY,
        reader=SpanReader(_bert(BertForQuestionAnswering, size)),
        texts=end_to_end.collect(streams, TINY.asked, TINY.tokens),
    )


def test_texts_are_collected_by_their_shares_and_all_asked(encoder: TextEncoder) -> None:
    trainer = _trainer(encoder)
    asked = [number for reads, numbers in trainer.plan if reads for number in numbers]
    plain = [number for reads, numbers in trainer.plan if not reads for number in numbers]
    with_question = [text for text in trainer.texts if text.placed[0][0].relevance is not None]
    tokens = sum(text.input_pieces for text in trainer.texts)

    assert sorted(asked) == list(range(len(trainer.texts)))
    assert sorted(plain) == list(range(len(trainer.items)))
    assert tokens == pytest.approx(0.8 * TINY.tokens, rel=0.05)
    assert sum(t.input_pieces for t in with_question) == pytest.approx(0.3 * TINY.tokens, rel=0.1)


def _answer_loss(trainer: AnswerTrainer) -> float:
    texts = trainer.texts[:12]
    with torch.no_grad():
        lost = end_to_end.answer_losses(trainer.model, trainer.reader, texts, trainer.encoder, TINY, 5).answer
    assert lost is not None
    return float(lost)


def test_only_the_compressor_learns_and_the_answers_loss_falls(encoder: TextEncoder) -> None:
    trainer = _trainer(encoder)
    frozen = {name: value.clone() for name, value in trainer.reader.state_dict().items()}
    before = _answer_loss(trainer)
    said: list[float] = []

    trainer.run(None, lambda progress: said.append(progress.answer))

    assert all(torch.equal(value, frozen[name]) for name, value in trainer.reader.state_dict().items())
    assert not any(parameter.grad is not None for parameter in trainer.reader.parameters())
    assert _answer_loss(trainer) < 0.95 * before
    assert said[-1] > 0


def test_a_word_far_below_the_threshold_changes_nothing_for_the_reader(encoder: TextEncoder) -> None:
    trainer = _trainer(encoder)
    texts = trainer.texts[:4]
    config = replace(TINY, answer_aux=0.0)

    near = end_to_end.answer_losses(trainer.model, trainer.reader, texts, encoder, config, 3).total
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(end_to_end, "NEAR", 1e9)
        shown = end_to_end.answer_losses(trainer.model, trainer.reader, texts, encoder, config, 3).total

    assert float(near.detach()) == pytest.approx(float(shown.detach()), rel=2e-2)  # bf16

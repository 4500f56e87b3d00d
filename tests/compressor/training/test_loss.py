"""The contract of L_CS and of the soft cross entropy."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from moosproxy.compressor.training.loss import (
    class_similarity,
    classes,
    layer_similarity,
    similarity_loss,
    soft_cross_entropy,
)

AXIS = torch.eye(4)


def _batch(vectors: list[torch.Tensor], labels: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.stack(vectors).unsqueeze(0), torch.tensor([labels])


def _random(seed: int = 3, sequences: int = 2, tokens: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(sequences, tokens, 8, generator=generator)
    labels = torch.tensor([[1, 0, 0, 1, 1, 0, -100, 0, 1]] * sequences)
    return hidden, labels


def test_identical_vectors_have_similarity_one() -> None:
    hidden, labels = _batch([AXIS[0]] * 5, [1, 0, 1, 0, 0])

    assert similarity_loss(hidden, labels).item() == pytest.approx(1)


def test_antipodal_classes_have_similarity_minus_one() -> None:
    hidden, labels = _batch([AXIS[0], -AXIS[0], -2 * AXIS[0]], [1, 0, 0])

    assert similarity_loss(hidden, labels).item() == pytest.approx(-1)


def test_orthogonal_classes_have_similarity_zero() -> None:
    hidden, labels = _batch([AXIS[0], AXIS[1], AXIS[2]], [1, 0, 0])

    assert similarity_loss(hidden, labels).item() == pytest.approx(0)


def test_it_equals_the_mean_cosine_over_all_pairs() -> None:
    hidden, labels = _random(sequences=1)
    units = hidden[0] / hidden[0].norm(dim=-1, keepdim=True)
    pairs = units[labels[0] == 1] @ units[labels[0] == 0].T

    assert similarity_loss(hidden, labels).item() == pytest.approx(pairs.mean().item(), abs=1e-6)


def test_rescaling_single_vectors_changes_nothing() -> None:
    hidden, labels = _random()
    scale = torch.linspace(0.1, 30, hidden.shape[0] * hidden.shape[1]).reshape(*hidden.shape[:2], 1)

    assert torch.allclose(similarity_loss(hidden * scale, labels), similarity_loss(hidden, labels), atol=1e-6)


def test_permuting_tokens_inside_a_class_changes_nothing() -> None:
    hidden, labels = _random(sequences=1)
    swapped = hidden.clone()
    swapped[0, [0, 3, 4, 8]] = hidden[0, [8, 4, 0, 3]]

    assert torch.allclose(similarity_loss(swapped, labels), similarity_loss(hidden, labels), atol=1e-6)


def test_padding_and_ignored_tokens_have_no_effect() -> None:
    hidden, labels = _random()
    padded = torch.cat([hidden, torch.full((2, 3, 8), 1e4)], dim=1)
    more = torch.cat([labels, torch.full((2, 3), -100)], dim=1)

    assert torch.equal(similarity_loss(padded, more), similarity_loss(hidden, labels))


def test_a_sequence_with_one_class_is_left_out_of_the_mean_and_not_counted_as_zero() -> None:
    hidden, labels = _random()
    alone = similarity_loss(hidden[:1], labels[:1])
    labels = labels.clone()
    labels[1] = torch.where(labels[1] == 1, 0, labels[1])
    similarity, both = class_similarity(hidden, labels)

    assert both.tolist() == [True, False]
    assert torch.allclose(similarity_loss(hidden, labels), alone)
    assert similarity.shape == (2,)


def test_the_loss_is_a_graph_connected_zero_when_no_sequence_qualifies() -> None:
    hidden, labels = _random()
    hidden.requires_grad_(True)
    loss = similarity_loss(hidden, torch.zeros_like(labels))
    loss.backward()

    assert loss.item() == 0
    assert hidden.grad is not None
    assert hidden.grad.abs().sum().item() == 0


def test_a_floor_of_zero_stops_pushing_classes_that_are_already_apart() -> None:
    hidden, labels = _batch([AXIS[0], -AXIS[0] + 0.1 * AXIS[1]], [1, 0])
    hidden.requires_grad_(True)
    similarity_loss(hidden, labels, floor=0.0).backward()

    assert hidden.grad is not None
    assert hidden.grad.abs().sum().item() == 0
    assert similarity_loss(hidden, labels).item() < -0.9


def test_gradients_reach_both_classes_in_bf16_input_computed_in_fp32() -> None:
    hidden, labels = _random()
    half = hidden.bfloat16().requires_grad_(True)
    loss = similarity_loss(half, labels)
    loss.backward()

    assert loss.dtype == torch.float32
    assert half.grad is not None
    assert (half.grad.abs().sum(-1) > 0)[labels != -100].all()
    assert (half.grad.abs().sum(-1) == 0)[labels == -100].all()


def test_hard_targets_and_unit_weights_give_plain_cross_entropy() -> None:
    logits = torch.randn(3, 7, 2, generator=torch.Generator().manual_seed(1))
    target = torch.randint(0, 2, (3, 7), generator=torch.Generator().manual_seed(2))
    plain = cross_entropy(logits.reshape(-1, 2), target.reshape(-1))

    assert torch.allclose(soft_cross_entropy(logits, target.float(), torch.ones(3, 7)), plain)


def test_words_of_weight_zero_do_not_count() -> None:
    logits = torch.randn(1, 4, 2, generator=torch.Generator().manual_seed(1))
    target, weight = torch.tensor([[1.0, 0.0, 0.6, 0.3]]), torch.tensor([[1.0, 2.0, 0.0, 0.0]])
    shorter = soft_cross_entropy(logits[:, :2], target[:, :2], weight[:, :2])

    assert torch.allclose(soft_cross_entropy(logits, target, weight), shorter)
    assert soft_cross_entropy(logits, target, torch.zeros(1, 4)).item() == 0


def test_classes_split_at_one_half_and_ignore_weight_zero() -> None:
    target, weight = torch.tensor([0.0, 0.3, 0.5, 1.0, 1.0]), torch.tensor([1.0, 1.0, 1.0, 2.0, 0.0])

    assert classes(target, weight).tolist() == [0, 0, 1, 1, -100]


def test_layer_similarity_gives_one_number_a_layer() -> None:
    hidden, labels = _random()
    flat = torch.ones_like(hidden)

    assert layer_similarity((flat, hidden), labels) == pytest.approx([1.0, similarity_loss(hidden, labels).item()])

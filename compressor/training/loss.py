"""The training objective: weighted cross entropy plus beta times the inter-class cosine similarity L_CS.

Nothing here knows a model; all functions take tensors.
"""

from __future__ import annotations

import torch
from torch import Tensor

NORM_EPS = 1e-8
IGNORED = -100
# A soft target of at least this counts as the class "preserve" for L_CS.
PRESERVE_FROM = 0.5


def soft_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean cross entropy against soft targets; 0, still part of the graph, if all weights are 0.

    logits (..., 2), target (...) in [0, 1], weight (...) >= 0.
    """
    logp = logits.float().log_softmax(-1)
    entropy = -(target * logp[..., 1] + (1 - target) * logp[..., 0])
    return (entropy * weight).sum() / weight.sum().clamp_min(NORM_EPS)


def classes(target: Tensor, weight: Tensor) -> Tensor:
    """Hard classes for L_CS, shape of target: 1 preserve, 0 discard, -100 where the weight is 0."""
    hard = (target >= PRESERVE_FROM).long()
    return torch.where(weight > 0, hard, torch.full_like(hard, IGNORED))


def class_similarity(hidden: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """S of each sequence, shape (B,), and which sequences hold both classes, shape (B,) bool.

    hidden (B, T, d), labels (B, T) in {1, 0, -100}. S is the mean cosine over all pairs of a preserved and a
    discarded token of one sequence, computed in O(T d) as the product of the two mean unit vectors.
    """
    units = hidden.float()
    units = units / units.norm(dim=-1, keepdim=True).clamp_min(NORM_EPS)
    means, counts = [], []
    for label in (1, 0):
        mask = (labels == label).float()
        count = mask.sum(-1)
        # A masked product, not a masked sum: padding may hold anything finite and must not matter.
        means.append(torch.einsum("bt,btd->bd", mask, units) / count.clamp_min(1).unsqueeze(-1))
        counts.append(count)
    return (means[0] * means[1]).sum(-1), (counts[0] > 0) & (counts[1] > 0)


def similarity_loss(hidden: Tensor, labels: Tensor, *, floor: float | None = None) -> Tensor:
    """L_CS: mean of S over the sequences that hold both classes; a graph-connected 0 if none does.

    Range [-1, 1]: it may go negative. `floor` 0 stops the pull at orthogonal classes: max(S, 0).
    """
    similarity, both = class_similarity(hidden, labels)
    if floor is not None:
        similarity = similarity.clamp_min(floor)
    return torch.where(both, similarity, similarity * 0).sum() / both.sum().clamp_min(1)


def layer_similarity(hidden_states: tuple[Tensor, ...], labels: Tensor) -> list[float]:
    """S^l of the embeddings and of every layer, averaged over the sequences that hold both classes."""
    return [float(similarity_loss(hidden.detach(), labels)) for hidden in hidden_states]

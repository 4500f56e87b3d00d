"""From word scores to kept words and back: a hard budget forward, a smooth one backward.

Forward, the best words are kept until the budget is spent, as `scoring.select` does. Backward, a word's gate is
sigmoid((z - tau) / T) around the threshold tau. Because the budget is fixed, raising one word lowers others: the
gradient of tau is taken out, so that no penalty has to hold the budget.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from moosproxy.compressor.text.encoding import IntArray
from moosproxy.compressor.training.data.labels import Bools, Floats

# Width of the sigmoid, in logits.
TEMPERATURE = 0.5


def threshold(scores: Floats, costs: IntArray, forced: Bools, budget: float) -> tuple[Bools, float]:
    """Kept words, shape (words,), and the score between the last kept and the first dropped word.

    Forced words are kept first and count against the budget (pieces).
    """
    order = np.lexsort((-scores, ~forced))
    kept = np.zeros(len(scores), bool)
    kept[order[np.cumsum(costs[order]) <= budget]] = True
    kept |= forced
    inside, outside = scores[kept & ~forced], scores[~kept]
    if not len(inside) or not len(outside):
        return kept, float(scores.max(initial=0.0) if not len(inside) else scores.min(initial=0.0))
    return kept, float((inside.min() + outside.max()) / 2)


class BudgetGate(torch.autograd.Function):
    """Gates in {0, 1}, shape (words,), from scores z, shape (words,), that know of a budget per text.

    distance: z - tau without gradient; free: words that selection decides about (not forced); texts: number of
    each word's text. All of shape (words,).
    """

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, kept: Tensor, distance: Tensor, costs: Tensor, free: Tensor, texts: Tensor
    ) -> Tensor:
        smooth = torch.sigmoid(distance / TEMPERATURE)
        ctx.save_for_backward(smooth * (1 - smooth) / TEMPERATURE * free, costs, texts)
        return kept.to(z.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        slope, costs, texts = ctx.saved_tensors
        count = int(texts.max()) + 1
        pulled = gradients[0] * slope
        pull = torch.zeros(count, device=slope.device).index_add(0, texts, pulled)
        mass = torch.zeros(count, device=slope.device).index_add(0, texts, costs * slope)
        taken = costs * slope * (pull / mass.clamp_min(1e-8))[texts]
        return pulled - taken, None, None, None, None, None


class GatedPick(torch.autograd.Function):
    """Probability of each row's target piece among the gated ones, shape (rows,).

    logits, gates: (rows, pieces), gates in {0, 1}; target: (rows,). The gradient to the gates is the secant: by
    how much the probability really changes if a piece is put back or taken away.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, gates: Tensor, target: Tensor) -> Tensor:
        total = logits.masked_fill(gates <= 0, -1e4).logsumexp(-1, keepdim=True)
        share = (logits - total).clamp(max=20).exp()  # e / Z, of dropped pieces too
        picked = (share * gates).gather(1, target[:, None])[:, 0]
        ctx.save_for_backward(share, gates, target, picked)
        return picked

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        share, gates, target, picked = ctx.saved_tensors
        gradient = gradients[0][:, None]
        own = torch.zeros_like(share).scatter(1, target[:, None], 1.0)
        to_logits = gradient * picked[:, None] * (own - share * gates)
        rest = torch.where(gates > 0, (1 - share).clamp_min(0.1), 1 + share)
        moved = -picked[:, None] * share / rest
        at_target = torch.where(gates > 0, picked[:, None], share / (1 + share))
        return to_logits, gradient * torch.where(own > 0, at_target, moved), None

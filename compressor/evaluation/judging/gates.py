"""Attention whose keys carry gates: a gate of 0 removes a piece exactly, a gate of 1 is plain attention.

With gates g and exponentials e the weights are e*g / sum(e*g), which equals deleting the pieces whose gate is 0.
The backward pass to q, k and v is exact. The one to the gates is the *secant*: by how much the output really
changes if the piece is put back (or taken away), and not the tangent, which explodes where a removed piece would
have had nearly all of the weight.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# A kept piece that holds nearly all of the weight: its removal leaves at least this share of the sum.
SMALLEST_REST = 0.1


class GatedAttention(torch.autograd.Function):
    """q, k, v: (batch, heads, pieces, size); gates: (batch, pieces) in {0, 1}. Returns the shape of q."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, gates: Tensor) -> Tensor:
        scale = q.shape[-1] ** -0.5
        logits = (q @ k.transpose(-1, -2)) * scale
        weights = logits.masked_fill(gates[:, None, None, :] <= 0, -1e4).softmax(-1)
        output: Tensor = weights @ v
        ctx.save_for_backward(q, k, v, gates, weights, output)
        ctx.scale = scale
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        (gradient,) = gradients
        q, k, v, gates, weights, output = ctx.saved_tensors
        along = gradient @ v.transpose(-1, -2)  # <gradient_i, v_j>
        own = (gradient * output).sum(-1, keepdim=True)  # <gradient_i, output_i>
        difference = along - own
        inner = weights * difference * ctx.scale
        grad_gates = None
        if ctx.needs_input_grad[3]:
            grad_gates = (_secant(q, k, gates, ctx.scale) * difference.float()).sum((1, 2)).to(gates.dtype)
        return inner @ k, inner.transpose(-1, -2) @ q, weights.transpose(-1, -2) @ gradient, grad_gates


def _secant(q: Tensor, k: Tensor, gates: Tensor, scale: float) -> Tensor:
    """The share of (v_j - output_i) by which piece j moves output i: e/(Z+e) put back, e/(Z-e) taken away."""
    logits = (q @ k.transpose(-1, -2)).float() * scale
    kept = gates[:, None, None, :] > 0
    total = logits.masked_fill(~kept, -1e4).logsumexp(-1, keepdim=True)
    share = (logits - total).clamp(max=20).exp()  # e / Z
    rest: Tensor = torch.where(kept, (1 - share).clamp(min=SMALLEST_REST), 1 + share)
    return share / rest


def attend(q: Tensor, k: Tensor, v: Tensor, gates: Tensor) -> Tensor:
    """Attention over the gated keys, shape of q."""
    if gates.requires_grad:
        output: Tensor = GatedAttention.apply(q, k, v, gates)  # type: ignore[no-untyped-call]
        return output
    absent = gates[:, None, None, :] <= 0
    if torch.is_grad_enabled():  # written out: the stock kernel's backward pass is four times slower on CPU
        logits = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
        written: Tensor = logits.masked_fill(absent, -1e4).softmax(-1) @ v
        return written
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=~absent)

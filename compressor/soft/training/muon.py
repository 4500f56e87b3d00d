"""Muon in single precision.

torch's own computes in bfloat16, which a processor without it emulates: eight times slower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import torch
from torch import Tensor

_MOMENTUM: Final = 0.95
_FACTORS: Final = (3.4445, -4.775, 2.0315)
_ROUNDS: Final = 5


class Muon(torch.optim.Optimizer):
    """Steps along the orthogonal factor of the momentum, so that every direction of a matrix moves alike.

    Nesterov momentum 0.95 and five rounds of the quintic Newton-Schulz iteration, as in torch.optim.Muon and at
    the same rates. params: matrices.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """closure is not used."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                momentum = state.setdefault("momentum", torch.zeros_like(weight))
                momentum.lerp_(weight.grad, 1 - _MOMENTUM)
                step = orthogonal(weight.grad.lerp(momentum, _MOMENTUM))
                # Tall matrices take longer steps, so that the change of their outputs is about as large.
                scale = max(1.0, weight.shape[0] / weight.shape[1]) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"]).add_(step, alpha=-group["lr"] * scale)


def orthogonal(matrix: Tensor) -> Tensor:
    """About the nearest (semi-)orthogonal matrix: singular values end near 1, between 0.5 and 1.5."""
    a, b, c = _FACTORS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.float().T if tall else matrix.float()
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(_ROUNDS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    factor: Tensor = x.T if tall else x
    return factor.to(matrix.dtype)

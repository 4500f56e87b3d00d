"""Fixed 8-bit grids for the inputs of linear layers, fitted on text: static, so no score depends on its batch.

Each layer's input is divided by one factor a channel, which the weight takes over (SmoothQuant, Xiao et al. 2023,
section 4), and then rounded to one grid. Factor and clipping are chosen by the error of the layer's own output,
relative to each token: [CLS] is tens of times larger than any word in a few channels of the wide activations, and
a grid over all would leave the words a handful of levels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from moosproxy.compressor.engines.base import padded_inputs
from moosproxy.compressor.planning.windows import Window
from moosproxy.compressor.training.sealing.graph import Grid

# Of each window [CLS] and so many other tokens are looked at.
TOKENS = 40
# How much of the uneven size of channels the weight takes over.
SHARES = (0.0, 0.5, 0.65, 0.8, 1.0)
# Channels are only divided beyond this quantile of the ordinary tokens' largest values: tames [CLS] alone.
CEILINGS = (0.5, 0.9, 1.0)
# The grid's ends as shares of the observed extremes.
SHRINK = (0.5, 0.65, 0.8, 0.9, 1.0)
_QUERIES = ("query", "key", "value")


@dataclass(frozen=True)
class Fit:
    """The grid of a layer's input and the root of the mean squared relative error of its output."""

    grid: Grid
    error: float


@torch.inference_mode()
def fits(model: Any, windows: Sequence[Window], pad: int) -> dict[str, Fit]:
    """The best grid of each linear layer of the encoder (the head stays exact), fitted over the windows.

    model: a BertForTokenClassification in fp32. Queries, keys and values share their input, and so their grid.
    """
    layers = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and ".encoder." in name
    }
    inputs = _inputs(model, layers, windows, pad)
    found: dict[str, Fit] = {}
    for names in _sharing(layers):
        weight = torch.cat([layers[name].weight for name in names]).float()
        best = _fit(inputs[names[0]], weight)
        found.update(dict.fromkeys(names, best))
    return found


def _sharing(names: Mapping[str, Any]) -> list[list[str]]:
    """Names of the layers by the input that they share."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        parent, _, last = name.rpartition(".")
        groups[parent if last in _QUERIES else name].append(name)
    return list(groups.values())


def _inputs(model: Any, layers: Mapping[str, Any], windows: Sequence[Window], pad: int) -> dict[str, torch.Tensor]:
    """Inputs of each layer at [CLS] and TOKENS spread tokens of each window, (tokens, width), [CLS] first."""
    seen: defaultdict[str, list[torch.Tensor]] = defaultdict(list)
    rows = torch.zeros(0, dtype=torch.long)

    def watch(name: str) -> Any:
        return layers[name].register_forward_pre_hook(
            lambda _, given: seen[name].append(given[0][0, rows].clone())
        )

    hooks = [watch(names[0]) for names in _sharing(layers)]
    try:
        for window in windows:
            last = len(window.ids) - 1
            rows = torch.from_numpy(np.unique(np.linspace(0, last, TOKENS + 1).astype(np.int64)))
            batch = {key: torch.from_numpy(value) for key, value in padded_inputs(window, pad, 2).items()}
            model(**batch)
    finally:
        for hook in hooks:
            hook.remove()
    return {
        name: torch.cat([part[:1] for part in parts] + [part[1:] for part in parts])
        for name, parts in seen.items()
    }


def _fit(values: torch.Tensor, weight: torch.Tensor) -> Fit:
    """values: (tokens, in). weight: (out, in)."""
    exact = values @ weight.T
    size = (exact - exact.mean(0)).square().sum(1)
    best: Fit | None = None
    for divisor in _divisors(values, weight):
        eighth = rounded_weight(weight * divisor)
        scaled = values / divisor
        low, high = min(float(scaled.min()), 0.0), max(float(scaled.max()), 0.0)
        for shrink in SHRINK:
            grid = Grid(low * shrink, high * shrink, divisor.numpy())
            off = (_rounded(scaled, grid) @ eighth.T - exact).square().sum(1)
            error = float((off / size).mean().sqrt())
            if best is None or error < best.error:
                best = Fit(grid, error)
    assert best is not None  # SHARES and SHRINK are not empty
    return best


def _divisors(values: torch.Tensor, weight: torch.Tensor) -> Iterator[torch.Tensor]:
    """Candidates for what each channel is divided by, shape (in,)."""
    top = values.abs().amax(0).clamp(min=1e-5)
    reach = weight.abs().amax(0).clamp(min=1e-5)
    for share in SHARES:
        divisor = top**share / reach ** (1 - share) if share else torch.ones_like(top)
        yield divisor / divisor.mean()
    for quantile in CEILINGS:
        yield (top / torch.quantile(top, quantile)).clamp(min=1)


def _rounded(values: torch.Tensor, grid: Grid) -> torch.Tensor:
    zero = round(-grid.low / grid.step)
    return ((values / grid.step).round() + zero).clamp(0, 255).sub(zero).mul(grid.step)


def rounded_weight(weight: torch.Tensor) -> torch.Tensor:
    """A weight (out, in) through 8 bits, symmetric, one scale for each output."""
    step = (weight.abs().amax(1, keepdim=True) / 127).clamp(min=1e-8)
    return (weight / step).round().clamp(-127, 127) * step

"""ICAE, a method like the 500xCompressor, and EPL, for comparison: tokens behind the context collect it.

All run the language model with LoRA over [context ; memory tokens], causally. ICAE hands on the final states of
the memory tokens as input embeddings, the 500xCompressor their keys and values of every layer. EPL is the latter
with the memory tokens' positions spread over the context, so that each stands where what it collects stands.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from moosproxy.compressor.soft.config import SoftConfig
from moosproxy.compressor.soft.models.base import FrozenModel, causal_mask
from moosproxy.compressor.soft.models.lora import Adapter
from moosproxy.compressor.soft.models.memory import Memory
from moosproxy.compressor.soft.models.methods import SoftCompressor
from moosproxy.compressor.soft.models.positions import slots
from moosproxy.compressor.soft.models.sac import encoded


class Appended(SoftCompressor):
    """Trained: the memory tokens, LoRA on q and v, the markers. A shorter memory uses the first memory tokens."""

    def __init__(self, base: FrozenModel, config: SoftConfig) -> None:
        super().__init__(base, config)
        deviation = 1.0 if config.form.start == "normal" else 0.02
        self.memory = nn.Parameter(torch.randn(slots(config.chunk, min(config.ratios)), base.width) * deviation)
        self._adapter = Adapter(base, config.rank, config.alpha) if config.rank else None
        self.lora = nn.ParameterDict(self._adapter.weights if self._adapter else {})

    def encode(self, ids: Tensor, ratio: int) -> Memory:
        length, count = ids.shape[1], slots(ids.shape[1], ratio)
        context = self.base.embed(ids)
        embeddings = torch.cat([context, self.started(self.memory[:count], context, ratio)], dim=1)
        mask = causal_mask(embeddings.shape[1], 0, embeddings)
        places = self.places(length, ratio)
        positions = torch.tensor([*range(length), *places], device=ids.device)
        states, cache = encoded(self.base, self._adapter, embeddings, mask, positions)
        if self.config.method == "icae":
            return Memory(length, count, states[:, -count:])
        keys = tuple(layer.keys[:, :, -count:] for layer in cache.layers)
        values = tuple(layer.values[:, :, -count:] for layer in cache.layers)
        return Memory(length, max(length, places[-1] + 1), None, keys, values)

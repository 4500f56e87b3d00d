"""SAC (arXiv 2510.08907): keys and values of anchor tokens, gathered by a pass in which every token sees all."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from moosproxy.compressor.soft.config import SoftConfig
from moosproxy.compressor.soft.models.base import FrozenModel, causal_mask
from moosproxy.compressor.soft.models.lora import Adapter
from moosproxy.compressor.soft.models.memory import Memory
from moosproxy.compressor.soft.models.methods import SoftCompressor
from moosproxy.compressor.soft.models.positions import anchors, slots


class Sac(SoftCompressor):
    """Anchors are real tokens at their real positions, marked by an added vector, so nothing is appended.

    Trained: the anchor vector or table, LoRA on q and v, the markers. With ratio 1, rank 0, a causal mask and no
    anchor vector the memory is the model's own cache of the context.
    """

    def __init__(self, base: FrozenModel, config: SoftConfig) -> None:
        super().__init__(base, config)
        rows = slots(config.chunk, min(config.ratios)) if config.anchor_table else 1
        self.anchor = nn.Parameter(torch.randn(rows, base.width) * 0.02)
        self._adapter = Adapter(base, config.rank, config.alpha) if config.rank else None
        self.lora = nn.ParameterDict(self._adapter.weights if self._adapter else {})

    def encode(self, ids: Tensor, ratio: int) -> Memory:
        length = ids.shape[1]
        at = torch.tensor(anchors(length, ratio), device=ids.device)
        # One row is added to every anchor; of a table the j-th anchor of the chunk gets row j.
        marks = self.anchor[: len(at)].expand(len(at), -1).to(self.base.dtype)
        embeddings = self.base.embed(ids).index_add(1, at, marks.expand(ids.shape[0], -1, -1))
        mask = causal_mask(length, 0, embeddings)
        if self.config.mask != "causal":
            mask[at if self.config.mask == "anchors" else slice(None)] = 0
        positions = torch.arange(length, device=ids.device)
        cache = encoded(self.base, self._adapter, embeddings, mask, positions)[1]
        keys = tuple(layer.keys.index_select(2, at) for layer in cache.layers)
        return Memory(
            length, length, None, keys, tuple(layer.values.index_select(2, at) for layer in cache.layers)
        )


def encoded(
    base: FrozenModel, adapter: Adapter | None, embeddings: Tensor, mask: Tensor, positions: Tensor
) -> tuple[Tensor, DynamicCache]:
    """One pass of the language model as an encoder: (B, t, d) at positions (t,) -> final states and cache."""
    cache = DynamicCache()
    if adapter is None:
        return base.run(embeddings, mask, positions, cache), cache
    with adapter.on():
        return base.run(embeddings, mask, positions, cache), cache

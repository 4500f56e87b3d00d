"""IC-Former (arXiv 2406.13618): a few cross-attention blocks turn embeddings into digests.

No layer of the language model runs. Cost: O(kn + k^2) for k digests of n tokens.

Beside the published form there is one that learns many times sooner: digests stand where SAC's anchors do, begin
as the mean embedding of the run they stand for, and leave at the scale of the base's own embeddings.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from moosproxy.compressor.soft.config import SoftConfig
from moosproxy.compressor.soft.models.base import FrozenModel
from moosproxy.compressor.soft.models.memory import Memory
from moosproxy.compressor.soft.models.methods import SoftCompressor, spread
from moosproxy.compressor.soft.models.positions import even_chunks, slots

_THETA = 10_000.0


class IcFormer(SoftCompressor):
    """Digests are trained from zero, and added to means in the pooled form; a shorter memory uses the first."""

    scale: Tensor | None

    def __init__(self, base: FrozenModel, config: SoftConfig) -> None:
        super().__init__(base, config)
        width, heads = base.width, int(base.config.num_attention_heads)
        self._head_dim = width // heads
        self.digests = nn.Parameter(torch.zeros(slots(config.chunk, min(config.ratios)), width))
        self.blocks = nn.ModuleList(
            CrossBlock(width, int(base.config.intermediate_size), heads) for _ in range(config.blocks)
        )
        self.norm = nn.RMSNorm(width, eps=1e-6)
        pooled = config.form.start == "pooled"
        self._unit = spread(base) if pooled else 1.0
        self.register_parameter("scale", nn.Parameter(torch.tensor(self._unit)) if pooled else None)
        nn.init.zeros_(self.markers)
        self.to(base.device)

    def cut(self, length: int) -> list[range]:
        """Chunks of nearly equal size: divide and concatenate."""
        return even_chunks(length, self.config.chunk)

    def encode(self, ids: Tensor, ratio: int) -> Memory:
        length, count = ids.shape[1], slots(ids.shape[1], ratio)
        context = self.base.embed(ids).to(self.digests.dtype) / self._unit
        digests = self.started(self.digests[:count], context, ratio)
        # The same raw concatenation feeds the keys and values of every block: the first digests, not the updated.
        source = torch.cat([context, digests], dim=1)
        mask = digest_mask(length, count).to(ids.device)
        rotation = rotations([*range(length), *self.places(length, ratio)], self._head_dim, source)
        state = digests
        for block in self.blocks:
            state = block(state, source, mask, rotation)
        state = self.norm(state) if self.scale is None else self.norm(state) * self.scale
        return Memory(length, count, state.to(self.base.dtype))


class CrossBlock(nn.Module):
    """Pre-norm cross-attention from digests to [context ; digests], then a SwiGLU layer."""

    def __init__(self, width: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_norm, self.source_norm, self.inner_norm = (nn.RMSNorm(width, eps=1e-6) for _ in range(3))
        self.query, self.key, self.value, self.out = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.gate, self.up = (nn.Linear(width, inner, bias=False) for _ in range(2))
        self.down = nn.Linear(inner, width, bias=False)
        for layer in (self.query, self.key, self.value, self.out, self.gate, self.up, self.down):
            nn.init.normal_(layer.weight, std=0.02)

    def forward(self, state: Tensor, source: Tensor, mask: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        """state (B, k, d), source (B, n + k, d), mask (k, n + k) of what may be seen -> (B, k, d)."""
        read = self.source_norm(source)
        queries = rotated(self._split(self.query(self.query_norm(state))), rotation)
        keys, values = rotated(self._split(self.key(read)), rotation), self._split(self.value(read))
        seen = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        state = state + self.out(seen.transpose(1, 2).flatten(2))
        inner = self.inner_norm(state)
        added: Tensor = self.down(functional.silu(self.gate(inner)) * self.up(inner))
        return state + added

    def _split(self, vectors: Tensor) -> Tensor:
        return vectors.view(*vectors.shape[:2], self.heads, -1).transpose(1, 2)


def digest_mask(context: int, digests: int) -> Tensor:
    """(digests, context + digests) of bool: each digest sees the whole context and the digests up to itself."""
    return torch.ones(digests, context + digests, dtype=torch.bool).tril(context)


def rotations(positions: list[int], head_dim: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines (t, head_dim) of t rotary positions."""
    powers = torch.arange(0, head_dim, 2, device=like.device, dtype=torch.float32) / head_dim
    angles = torch.outer(torch.tensor(positions, device=like.device, dtype=torch.float32), _THETA**-powers)
    both = torch.cat([angles, angles], dim=-1)
    return both.cos().to(like.dtype), both.sin().to(like.dtype)


def rotated(vectors: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Vectors (B, heads, t, head_dim) at the *last* t positions: queries so stand where the digests' keys do."""
    cos, sin = (each[-vectors.shape[2] :] for each in rotation)
    left, right = vectors.chunk(2, dim=-1)
    return vectors * cos + torch.cat((-right, left), dim=-1) * sin

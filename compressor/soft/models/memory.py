"""Soft memory: what a context has become, and what the language model reads instead of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from moosproxy.compressor.soft.models.base import FrozenModel


@dataclass(frozen=True, slots=True)
class Memory:
    """A batch of contexts as vectors, in one of two forms.

    embeddings (B, k, d): to be read as input embeddings, at the next k positions (IC-Former, ICAE).
    keys, values, one (B, heads, k, head_dim) a layer: to be put into the cache; the keys are rotated already, to
    positions counted from the start of this memory (SAC, 500x).
    original: tokens that it stands for. span: positions that it takes in the reading model. back: embeddings right
    behind keys and values begin that many positions before the next one.
    """

    original: int
    span: int
    embeddings: Tensor | None = None
    keys: tuple[Tensor, ...] = field(default=())
    values: tuple[Tensor, ...] = field(default=())
    back: int = 0

    @property
    def tokens(self) -> int:
        """k: how many vectors, or pairs of key and value a layer, it takes."""
        return int(self._tensors()[0].shape[-2])

    @property
    def contexts(self) -> int:
        """B: how many contexts."""
        return int(self._tensors()[0].shape[0])

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return sum(each.numel() * each.element_size() for each in self._tensors())

    def row(self, index: int) -> Memory:
        """The memory of one context of the batch, with storage of its own."""
        return self._map(lambda each: each[index : index + 1].clone())

    def rows(self, start: int, stop: int) -> Memory:
        """A view of some contexts of the batch."""
        return self._map(lambda each: each[start:stop])

    def to(self, device: torch.device) -> Memory:
        """The same on another device."""
        return self._map(lambda each: each.to(device))

    def detach(self) -> Memory:
        """The same without a graph."""
        return self._map(lambda each: each.detach())

    def tensors(self) -> dict[str, Tensor]:
        """Everything but the two counts, by name, as a file holds it."""
        if self.embeddings is not None:
            return {"embeddings": self.embeddings.contiguous()}
        pairs = enumerate(zip(self.keys, self.values, strict=True))
        return {
            f"{name}.{layer}": each.contiguous()
            for layer, (key, value) in pairs
            for name, each in (("keys", key), ("values", value))
        }

    @classmethod
    def of(cls, tensors: dict[str, Tensor], original: int, span: int) -> Memory:
        """The inverse of `tensors`."""
        if "embeddings" in tensors:
            return cls(original, span, tensors["embeddings"])
        layers = range(len(tensors) // 2)
        keys = tuple(tensors[f"keys.{layer}"] for layer in layers)
        return cls(original, span, None, keys, tuple(tensors[f"values.{layer}"] for layer in layers))

    def _tensors(self) -> tuple[Tensor, ...]:
        return (self.embeddings,) if self.embeddings is not None else (*self.keys, *self.values)

    def _map(self, change: Callable[[Tensor], Tensor]) -> Memory:
        if self.embeddings is not None:
            return replace(self, embeddings=change(self.embeddings))
        return replace(self, keys=tuple(map(change, self.keys)), values=tuple(map(change, self.values)))


def joined(parts: Sequence[Memory], base: FrozenModel) -> Memory:
    """Memories of consecutive chunks as one: in order, positions continuing over the chunks."""
    if len(parts) == 1:
        return parts[0]
    original, span = sum(part.original for part in parts), sum(part.span for part in parts)
    if parts[0].embeddings is not None:
        rows = [part.embeddings for part in parts if part.embeddings is not None]
        return Memory(original, span, torch.cat(rows, dim=1))
    starts = [sum(part.span for part in parts[:index]) for index in range(len(parts))]
    keys = tuple(
        torch.cat([base.turned(part.keys[layer], start) for part, start in zip(parts, starts, strict=True)], dim=2)
        for layer in range(len(parts[0].keys))
    )
    values = tuple(
        torch.cat([part.values[layer] for part in parts], dim=2) for layer in range(len(parts[0].values))
    )
    return Memory(original, span, None, keys, values)

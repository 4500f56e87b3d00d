"""How the frozen model reads text and soft memory in the order in which they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from moosproxy.compressor.soft.models.base import FrozenModel, causal_mask
from moosproxy.compressor.soft.models.memory import Memory

Piece = Tensor | Memory
"""Token ids (B, t) of whole numbers, embeddings (B, t, d), or memory of B contexts. A single row is for all B."""

_BLOCK = 1024


@dataclass(slots=True)
class Reading:
    """What has been read so far. position: that of the next token; with memory it exceeds what the cache holds."""

    base: FrozenModel
    cache: Any = field(default_factory=DynamicCache)
    position: int = 0

    def read(self, pieces: Sequence[Piece]) -> Tensor:
        """Reads on, and returns the final states (B, t, d) of the tokens and embeddings after the last key-value
        memory; that must not come last."""
        pending: list[Tensor] = []
        rows = max((each.contexts if isinstance(each, Memory) else each.shape[0] for each in pieces), default=1)
        self._widen(rows)
        for piece in pieces:
            if isinstance(piece, Memory) and piece.embeddings is None:
                self._flush(pending, rows)
                pending = []
                self._insert(piece, rows)
                continue
            if isinstance(piece, Memory) and not pending:
                self.position -= piece.back
            pending.append(self._embedded(piece))
        states = self._flush(pending, rows)
        if states is None:
            raise ValueError("nothing to predict from: memory must be followed by a marker or text")
        return states

    def _embedded(self, piece: Piece) -> Tensor:
        if isinstance(piece, Memory):
            assert piece.embeddings is not None
            return piece.embeddings
        return piece if piece.is_floating_point() else self.base.embed(piece)

    def _widen(self, rows: int) -> None:
        """What was read once, for one row, stands in all of them."""
        if self.cache.get_seq_length() and self.cache.layers[0].keys.shape[0] < rows:
            self.cache.batch_repeat_interleave(rows)

    def _flush(self, pending: list[Tensor], rows: int) -> Tensor | None:
        """Runs the model over what waits, in blocks, so that the mask of a long text stays small."""
        if not pending:
            return None
        embeddings = torch.cat([each.expand(rows, -1, -1) for each in pending], dim=1)
        states = [self._run(block) for block in torch.split(embeddings, _BLOCK, dim=1)]
        return torch.cat(states, dim=1)

    def _run(self, embeddings: Tensor) -> Tensor:
        count, past = embeddings.shape[1], self.cache.get_seq_length()
        positions = torch.arange(self.position, self.position + count, device=embeddings.device)
        self.position += count
        return self.base.run(embeddings, causal_mask(count, past, embeddings), positions, self.cache)

    def _insert(self, memory: Memory, rows: int) -> None:
        """Puts keys and values behind the cache, turned to the place where the memory now stands."""
        for layer, (keys, values) in enumerate(zip(memory.keys, memory.values, strict=True)):
            turned = self.base.turned(keys, self.position)
            self.cache.update(turned.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), layer)
        self.position += memory.span

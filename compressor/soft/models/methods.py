"""What every soft compressor does alike: cut a context into chunks, compress each, join the memories."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import groupby
from typing import Final, Literal

import torch
from torch import Tensor, nn

from moosproxy.compressor.soft.config import SoftConfig
from moosproxy.compressor.soft.models.base import FrozenModel
from moosproxy.compressor.soft.models.memory import Memory, joined
from moosproxy.compressor.soft.models.positions import fixed_chunks, places

Task = Literal["repeat", "go_on"]
_ROW: Final[dict[Task, int]] = {"repeat": 0, "go_on": 1}
# Chunks of one long context that are compressed at once; more would only take memory.
_AT_ONCE: Final = 8


class SoftCompressor(nn.Module, ABC):
    """Contexts in, memory out. Its parameters are all that training changes.

    markers (2, d): the learned vectors behind a memory, `repeat` ([AE]) and `go_on` ([LM], IC-Former's [FT]).
    moved: how far memory tokens whose positions move have come, 0 (spread) to 1 (appended); training sets it.
    """

    moved = 1.0

    def __init__(self, base: FrozenModel, config: SoftConfig) -> None:
        super().__init__()
        self.base = base
        self.config = config
        self.markers = nn.Parameter(torch.randn(2, base.width) * 0.02)

    @abstractmethod
    def encode(self, ids: Tensor, ratio: int) -> Memory:
        """The memory of one chunk each: ids (B, n), all real tokens, n at most `config.chunk`."""

    def cut(self, length: int) -> list[range]:
        """The chunks of a context."""
        return fixed_chunks(length, self.config.chunk)

    def compress(self, ids: Tensor, ratio: int) -> Memory:
        """ids (B, n) -> the memory of B contexts. Every chunk is compressed by itself, positions continue.

        Raises RatioNotTrained. Chunks of one length run together; which ones share a run changes rounding only.
        """
        self.config.check(ratio)
        rows = ids.shape[0]
        parts: list[Memory] = []
        for _, group in groupby(self.cut(ids.shape[1]), key=len):
            chunks = list(group)
            at_once = max(1, _AT_ONCE // rows)
            for first in range(0, len(chunks), at_once):
                run = chunks[first : first + at_once]
                stacked = torch.cat([ids[:, chunk.start : chunk.stop] for chunk in run])
                parts += _unstacked(self.encode(stacked, ratio), len(run), rows)
        return joined(parts, self.base)

    def places(self, length: int, ratio: int) -> list[int]:
        """The positions of the memory tokens of a chunk."""
        wanted = self.config.form.positions
        return places(length, ratio, {"spread": 0.0, "appended": 1.0, "moving": self.moved}[wanted])

    def started(self, tokens: Tensor, embeddings: Tensor, ratio: int) -> Tensor:
        """Learned tokens (k, d) and the embeddings of a chunk (B, n, d) -> what its memory tokens begin as."""
        if self.config.form.start != "pooled":
            return tokens.to(embeddings.dtype).expand(embeddings.shape[0], -1, -1)
        return pooled(embeddings, len(tokens), ratio) + tokens.to(embeddings.dtype)

    def marker(self, task: Task) -> Memory:
        """What follows the memory: one learned vector that stands for no token.

        Behind keys and values that stand where the context stood it takes the last token's place, as published, so
        that what comes next stands where it would behind the text.
        """
        vector = self.markers[_ROW[task]][None, None].to(self.base.dtype)
        beside = self.config.marker_beside and self.config.method in ("sac", "epl")
        return Memory(0, 0 if beside else 1, vector, back=1 if beside else 0)


def pooled(embeddings: Tensor, count: int, ratio: int) -> Tensor:
    """(B, n, d) -> (B, count, d): means of runs of `ratio` tokens, the last of all that are left."""
    rows, _, width = embeddings.shape
    border = (count - 1) * ratio
    whole = embeddings[:, :border].reshape(rows, count - 1, ratio, width).mean(2)
    return torch.cat([whole, embeddings[:, border:].mean(1, keepdim=True)], dim=1)


def spread(base: FrozenModel) -> float:
    """Root mean square of the base's input embeddings: what the reading model is used to."""
    table: Tensor = base.model.get_input_embeddings().weight
    return float(table[:4096].float().square().mean().sqrt())


def _unstacked(memory: Memory, chunks: int, rows: int) -> list[Memory]:
    """(chunks * rows) contexts -> one memory a chunk, of `rows` contexts each."""
    if chunks == 1:
        return [memory]
    return [memory.rows(chunk * rows, (chunk + 1) * rows) for chunk in range(chunks)]

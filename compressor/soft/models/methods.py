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
from moosproxy.compressor.soft.models.positions import fixed_chunks

Task = Literal["repeat", "go_on"]
_ROW: Final[dict[Task, int]] = {"repeat": 0, "go_on": 1}
# Chunks of one long context that are compressed at once; more would only take memory.
_AT_ONCE: Final = 8


class SoftCompressor(nn.Module, ABC):
    """Contexts in, memory out. Its parameters are all that training changes.

    markers (2, d): the learned vectors behind a memory, `repeat` ([AE]) and `go_on` ([LM], IC-Former's [FT]).
    """

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

    def marker(self, task: Task) -> Tensor:
        """(1, 1, d): what follows the memory."""
        return self.markers[_ROW[task]][None, None].to(self.base.dtype)


def _unstacked(memory: Memory, chunks: int, rows: int) -> list[Memory]:
    """(chunks * rows) contexts -> one memory a chunk, of `rows` contexts each."""
    if chunks == 1:
        return [memory]
    return [memory.rows(chunk * rows, (chunk + 1) * rows) for chunk in range(chunks)]

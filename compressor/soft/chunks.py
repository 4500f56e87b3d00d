"""A context in chunks whose memories are kept: one that has grown is cut as before, but for its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import torch
from torch import Tensor

from moosproxy.compressor.soft.models.memory import Memory
from moosproxy.compressor.soft.models.methods import SoftCompressor

_AT_ONCE = 8
"""Chunks that are compressed together; more would only take memory."""
_MOVING = 2
"""Chunks at the end whose borders depend on the length."""


def stable_chunks(compressor: SoftCompressor, length: int) -> list[range]:
    """The chunks of a context of `length` tokens, as the method cuts them, but full ones up to the last two.

    A method that shares a long context out evenly would move every border with every token.
    """
    size = compressor.config.chunk
    before = max(0, -(-length // size) - _MOVING) * size
    full = [range(start, start + size) for start in range(0, before, size)]
    return full + [range(before + cut.start, before + cut.stop) for cut in compressor.cut(length - before)]


def compressed(
    compressor: SoftCompressor,
    ids: Tensor,
    chunks: Sequence[range],
    ratio: int,
    go_on: Callable[[], bool] = lambda: True,
) -> Iterator[tuple[range, Memory]]:
    """ids (1, n): each of the chunks with its memory, in order, each with storage of its own.

    Ends early where go_on says no; it is asked before each run of chunks. Raises RatioNotTrained.
    """
    compressor.config.check(ratio)
    for _, alike in groupby(chunks, key=len):
        group = list(alike)
        for first in range(0, len(group), _AT_ONCE):
            if not go_on():
                return
            run = group[first : first + _AT_ONCE]
            memory = compressor.encode(torch.cat([ids[:, chunk.start : chunk.stop] for chunk in run]), ratio)
            yield from ((chunk, memory.row(row)) for row, chunk in enumerate(run))

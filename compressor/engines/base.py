"""What an engine is.

Every engine computes each window by itself, in one thread, at a length that depends on that window
alone: so a score never depends on what else is in the batch, on the number of threads, or on the process.
Parallelism comes from running several windows side by side, which also survives a busy neighbour: there is no
barrier to spin on.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.checkpoint import Checkpoint
from moosproxy.compressor.planning.windows import Window

FloatArray = npt.NDArray[np.float32]
T = TypeVar("T")
# Receives the logits (pieces, 2) and last hidden states (pieces, width) of the window's text pieces and, last,
# the logits (2,) of the first special token. The arrays are only valid during the call.
Reduce = Callable[[Window, FloatArray, FloatArray, FloatArray], T]

PAD_MULTIPLE = 32


class Engine(Protocol):
    """Runs windows through the encoder."""

    name: str
    kernels: str
    """In which numbers it computes on this processor, for people."""
    calls: int
    """Calls of run() at a time that keep it busy."""
    windows: int
    """Windows of such a call: more gain nothing, and whoever has one of them waits for all."""

    def __init__(self, checkpoint: Checkpoint, threads: int) -> None:
        """Loads the checkpoint; raises CheckpointError if it cannot be loaded."""

    def run(self, windows: Sequence[Window], reduce: Reduce[T]) -> list[T]:
        """What `reduce` makes of each window, in order. Thread-safe; releases the GIL while computing."""

    def close(self) -> None:
        """Frees threads and memory; idempotent."""


def padded_length(window: Window) -> int:
    """The length that this window is always padded to: the next multiple of PAD_MULTIPLE."""
    return -(-len(window.ids) // PAD_MULTIPLE) * PAD_MULTIPLE


def padded_inputs(window: Window, pad: int, type_vocabulary: int) -> dict[str, npt.NDArray[np.int64]]:
    """The three input arrays of one window, each int64 of shape (1, padded length)."""
    return _inputs(window, padded_length(window), pad, type_vocabulary)


def unpadded_inputs(window: Window, type_vocabulary: int) -> dict[str, npt.NDArray[np.int64]]:
    """The same for a graph without a mask: shape (1, length)."""
    return _inputs(window, len(window.ids), 0, type_vocabulary)


def _inputs(window: Window, length: int, pad: int, type_vocabulary: int) -> dict[str, npt.NDArray[np.int64]]:
    size = len(window.ids)
    ids = np.full((1, length), pad, np.int64)
    ids[0, :size] = window.ids
    types = np.zeros((1, length), np.int64)
    if type_vocabulary > 1:
        types[0, :size] = window.type_ids
    mask = np.zeros((1, length), np.int64)
    mask[0, :size] = 1
    return {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}


def reduce_outputs(window: Window, logits: FloatArray, hidden: FloatArray, reduce: Reduce[T]) -> T:
    """Calls `reduce` with the part of one window's outputs, (length, 2) and (length, width), that is text."""
    text = slice(window.offset, window.offset + window.stop - window.start)
    return reduce(window, logits[text], hidden[text], logits[0])


def available_threads() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def sums_8_bit_products_exactly() -> bool:
    """Whether this processor adds products of 8-bit numbers in 32 bits, as VNNI and AMX do.

    Older x86 instructions (AVX2's vpmaddubsw) add pairs in 16 bits and clip, which moves p by 0.02 in the mean
    with the bundled checkpoint. False where nobody can tell.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        return True
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split())
    except OSError:
        return False
    return bool(flags & {"avx512_vnni", "avx_vnni", "amx_int8"})

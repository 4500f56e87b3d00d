"""The same file in llama.cpp: its tokens, and where its greedy answer parts from that of the loaded model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from moosproxy.compressor.soft.models.base import FrozenModel

NEAR_TIE = 0.5
"""Logits between two tokens below which either engine may take either: llama.cpp rounds activations to 8 bits."""


@contextmanager
def opened(file: Path, context: int = 512) -> Iterator[Any]:
    """llama.cpp with the file."""
    from llama_cpp import Llama

    made = Llama(str(file), n_ctx=context, n_threads=1, verbose=False)
    try:
        yield made
    finally:
        made.close()


def answer_of(other: Any, ids: Sequence[int], longest: int) -> list[int]:
    """Its greedy answer, without the token that ends it."""
    out: list[int] = []
    other.reset()
    for token in other.generate(list(ids), temp=0.0, repeat_penalty=1.0):
        if token == other.token_eos() or len(out) == longest:
            return out
        out.append(int(token))
    return out


def parted(base: FrozenModel, ids: Sequence[int], answer: Sequence[int]) -> tuple[int, float] | None:
    """Where our own greedy choice is another, and by how many logits; None where it never is."""
    with torch.inference_mode():
        logits = base.model(torch.tensor([[*ids, *answer]])).logits[0, len(ids) - 1 : -1].float()
    for place, (row, token) in enumerate(zip(logits, answer, strict=True)):
        if int(row.argmax()) != token:
            return place, float(row.max() - row[token])
    return None

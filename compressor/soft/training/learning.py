"""What a compressor is trained to do: to make the frozen model say what stands in a batch's tail."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from moosproxy.compressor.soft.models.base import FrozenModel
from moosproxy.compressor.soft.models.methods import SoftCompressor, Task
from moosproxy.compressor.soft.models.reading import Piece, Reading
from moosproxy.compressor.soft.training.batches import IGNORED, Batch


def loss_of(compressor: SoftCompressor, batch: Batch, ratio: int, task: Task) -> tuple[Tensor, float]:
    """Cross-entropy of the tail's labels, mean over tokens, read behind the memory of the context; and the share
    of labels guessed right."""
    memory = compressor.compress(batch.context, ratio)
    return loss_behind(compressor.base, batch, [memory, compressor.marker(task)])


def loss_behind(base: FrozenModel, batch: Batch, pieces: Sequence[Piece]) -> tuple[Tensor, float]:
    """The same behind anything else that is read in the context's place; nothing at all if `pieces` is empty."""
    reading = Reading(base)
    head = [] if batch.before is None else [batch.before]
    if head and pieces:
        # It is the same for every row and nothing in it is learned: read once, and never gone back through.
        with torch.no_grad():
            reading.read(head)
        head = []
    states = reading.read([*head, *pieces, batch.tail])
    # The state before a token predicts it; the marker's predicts the first.
    known = min(batch.tail.shape[1], states.shape[1] - 1)
    labels = batch.labels[:, -known:]
    asked = labels != IGNORED
    logits = base.head(states[:, -known - 1 : -1][asked]).float()
    wanted = labels[asked]
    right = (logits.argmax(-1) == wanted).float().mean().item()
    return functional.cross_entropy(logits, wanted), right


def autoencoding(context: Tensor, end: int) -> Batch:
    """The context is to be said again, to its end."""
    tail = torch.cat([context, torch.full_like(context[:, :1], end)], dim=1)
    return Batch(context, tail, tail)

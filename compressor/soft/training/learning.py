"""What a compressor is trained to do: to make the frozen model say what stands in a batch's tail."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from moosproxy.compressor.soft.models.methods import SoftCompressor, Task
from moosproxy.compressor.soft.models.reading import Reading
from moosproxy.compressor.soft.training.batches import IGNORED, Batch


def loss_of(compressor: SoftCompressor, batch: Batch, ratio: int, task: Task) -> tuple[Tensor, float]:
    """Cross-entropy of the tail's labels, mean over tokens, read behind the memory of the context; and the share
    of labels guessed right."""
    base = compressor.base
    memory = compressor.compress(batch.context, ratio)
    before = [] if batch.before is None else [batch.before]
    states = Reading(base).read([*before, memory, compressor.marker(task), batch.tail])
    asked = batch.labels != IGNORED
    # The state before a token predicts it; the marker's predicts the first.
    logits = base.head(states[:, -batch.tail.shape[1] - 1 : -1][asked]).float()
    wanted = batch.labels[asked]
    right = (logits.argmax(-1) == wanted).float().mean().item()
    return functional.cross_entropy(logits, wanted), right


def autoencoding(context: Tensor, end: int) -> Batch:
    """The context is to be said again, to its end."""
    tail = torch.cat([context, torch.full_like(context[:, :1], end)], dim=1)
    return Batch(context, tail, tail)

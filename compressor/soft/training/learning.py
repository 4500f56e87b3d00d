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


def loss_of(
    compressor: SoftCompressor, batch: Batch, ratio: int, task: Task, distil: float = 0.0
) -> tuple[Tensor, float]:
    """Cross-entropy of the tail's labels, mean over tokens, read behind the memory of the context; and the share
    of labels guessed right. distil: the share of the loss that is `divergence` from what the text itself does."""
    base = compressor.base
    states = _states(base, batch, [compressor.compress(batch.context, ratio), compressor.marker(task)])
    loss, right = _said(base, states, batch)
    if distil:
        with torch.no_grad():
            whole = _states(base, batch, [batch.context])
        loss = (1 - distil) * loss + distil * divergence(base, states, whole, batch)
    return loss, right


def loss_behind(base: FrozenModel, batch: Batch, pieces: Sequence[Piece]) -> tuple[Tensor, float]:
    """The same behind anything else that is read in the context's place; nothing at all if `pieces` is empty."""
    return _said(base, _states(base, batch, pieces), batch)


def divergence(base: FrozenModel, states: Tensor, whole: Tensor, batch: Batch) -> Tensor:
    """Kullback-Leibler divergence of the next token behind memory from that behind the text, mean over the tail,
    questions included: the model's own way to answer stays, and every token of a question tells something.

    states, whole (B, t, d): those before each of the tail's tokens, behind memory and behind the text.
    """
    asked = batch.labels != IGNORED
    last = asked.shape[1] - asked.int().flip(1).argmax(1)
    real = torch.arange(asked.shape[1], device=asked.device)[None] < (last * asked.any(1))[:, None]
    real = real[:, -states.shape[1] :]
    short, full = (
        functional.log_softmax(base.head(each[:, -real.shape[1] :][real]).float(), -1) for each in (states, whole)
    )
    return functional.kl_div(short, full, reduction="batchmean", log_target=True)


def _states(base: FrozenModel, batch: Batch, pieces: Sequence[Piece]) -> Tensor:
    """(B, t, d): the state before each of the tail's tokens; where nothing is read ahead, of all but the first."""
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
    return states[:, -known - 1 : -1]


def _said(base: FrozenModel, states: Tensor, batch: Batch) -> tuple[Tensor, float]:
    labels = batch.labels[:, -states.shape[1] :]
    asked = labels != IGNORED
    logits = base.head(states[asked]).float()
    wanted = labels[asked]
    right = (logits.argmax(-1) == wanted).float().mean().item()
    return functional.cross_entropy(logits, wanted), right


def autoencoding(context: Tensor, end: int) -> Batch:
    """The context is to be said again, to its end."""
    tail = torch.cat([context, torch.full_like(context[:, :1], end)], dim=1)
    return Batch(context, tail, tail)

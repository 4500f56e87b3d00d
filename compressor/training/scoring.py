"""Scores of held-out texts from a model in training: the serving path with torch in the engine's place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy import typing as npt

from moosproxy.compressor.hardware import amp
from moosproxy.compressor.planning import windows
from moosproxy.compressor.text.encoding import IntArray, TextEncoder
from moosproxy.compressor.training.data.items import PreparedText
from moosproxy.compressor.training.data.labels import Bools, Floats

# Windows of a forward pass. Scores do not decide anything that is cached, so batches may be as they come.
BATCH_WINDOWS = 24


@dataclass(frozen=True)
class TextScores:
    """word: p(preserve) of each word, shape (words,). relevance: that of its window's [CLS], same shape."""

    word: Floats
    relevance: Floats


@torch.no_grad()
def score(
    model: Any, encoder: TextEncoder, texts: Sequence[tuple[PreparedText, IntArray | None]]
) -> list[TextScores]:
    """Scores each text with its question in front, or alone."""
    jobs: list[tuple[int, windows.Window]] = []
    for number, (prepared, question) in enumerate(texts):
        limit = windows.text_limit(question, encoder)
        ranges = windows.cut(prepared.encoding, prepared.strength, None, limit)
        built = windows.build(encoder, prepared.encoding, ranges, question, None)
        jobs += [(number, window) for window in built]
    jobs.sort(key=lambda job: -len(job[1].ids))
    pieces = [np.zeros((2, len(prepared.encoding.ids)), np.float32) for prepared, _ in texts]
    was_training = model.training
    model.eval()
    for at in range(0, len(jobs), BATCH_WINDOWS):
        batch = jobs[at : at + BATCH_WINDOWS]
        p = _forward(model, [window for _, window in batch], encoder.pad)
        for row, (number, window) in zip(p, batch, strict=True):
            span = slice(window.start, window.stop)
            pieces[number][0, span] = row[window.offset : window.offset + window.stop - window.start]
            pieces[number][1, span] = row[0]
    model.train(was_training)
    return [
        TextScores(_word_means(prepared, p[0]), _word_means(prepared, p[1]))
        for (prepared, _), p in zip(texts, pieces, strict=True)
    ]


def _forward(model: Any, batch: list[windows.Window], pad: int) -> Floats:
    size = max(len(window.ids) for window in batch)
    ids = np.full((len(batch), size), pad, np.int64)
    types, mask = np.zeros_like(ids), np.zeros_like(ids)
    for row, window in enumerate(batch):
        ids[row, : len(window.ids)], types[row, : len(window.ids)] = window.ids, window.type_ids
        mask[row, : len(window.ids)] = 1
    device = next(model.parameters()).device
    with amp(device):
        logits = model(
            input_ids=torch.from_numpy(ids).to(device),
            token_type_ids=torch.from_numpy(types).to(device),
            attention_mask=torch.from_numpy(mask).to(device),
        ).logits
    p: Floats = logits.float().softmax(-1)[..., 1].cpu().numpy()
    return p


def _word_means(prepared: PreparedText, values: Floats) -> Floats:
    count = len(prepared.tagged.starts)
    sums = np.bincount(prepared.encoding.piece_words, weights=values, minlength=count)
    costs = np.maximum(prepared.encoding.word_costs, 1)
    means: npt.NDArray[np.float64] = sums / costs
    return means.astype(np.float32)


def select(scores: Floats, costs: IntArray, ratio: float) -> Bools:
    """Words kept under one budget in pieces: the best first by score rounded to 1e-5, ties by position."""
    order = np.argsort(-np.round(scores.astype(np.float64), 5), kind="stable")
    spent = np.cumsum(costs[order])
    kept = np.zeros(len(scores), bool)
    kept[order[spent <= costs.sum() / ratio]] = True
    return kept

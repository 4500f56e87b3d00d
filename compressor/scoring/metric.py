"""Model outputs to scores: p_preserve and s_norm per piece, m per piece, m per word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.engines import Reduce
from moosproxy.compressor.planning.windows import Window
from moosproxy.compressor.scoring import outlier
from moosproxy.compressor.text.encoding import Encoding

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class WindowScores:
    """Scores of one window's text pieces.

    p: p_preserve, shape (pieces,). s: s_norm or None where alpha = 1. relevance: p at the first special token,
    which training taught to say whether the window matters to the question in front of it.
    """

    start: int
    stop: int
    p: FloatArray
    s: FloatArray | None
    relevance: float


def reducer(preserve: int) -> Reduce[WindowScores]:
    """How an engine's raw outputs become WindowScores. preserve: index of the label that means "keep"."""

    def reduce(window: Window, logits: FloatArray, hidden: FloatArray, first: FloatArray) -> WindowScores:
        p = _preserve(logits, preserve)
        s = None if window.reading is None else outlier.normalised(hidden, p, window.reading)
        relevance = float(_preserve(first[np.newaxis], preserve)[0])
        return WindowScores(window.start, window.stop, p, s, relevance)

    return reduce


def _preserve(logits: FloatArray, preserve: int) -> FloatArray:
    """Softmax probability of the label `preserve` of two, shape (pieces,)."""
    difference = logits[:, 1 - preserve] - logits[:, preserve]
    return np.asarray(1 / (1 + np.exp(np.minimum(difference, 80))), np.float32)


def piece_metric(scores: Sequence[WindowScores], pieces: int, alpha: float) -> FloatArray:
    """m = alpha * p + (1 - alpha) * s_norm of every piece; 0 where no window looked. Shape (pieces,)."""
    m = np.zeros(pieces, np.float32)
    for window in scores:
        if window.s is None:
            m[window.start : window.stop] = window.p
        else:
            m[window.start : window.stop] = alpha * window.p + (1 - alpha) * window.s
    return m


def word_means(values: FloatArray, encoding: Encoding) -> npt.NDArray[np.float64]:
    """Mean over the pieces of each word, shape (words,); a word without pieces takes its left neighbour's."""
    first, last = encoding.word_pieces
    total = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
    count = last - first
    mean = (total[last] - total[first]) / np.maximum(count, 1)
    empty = count == 0
    if empty.any() and not empty.all():
        source = np.maximum.accumulate(np.where(empty, -1, np.arange(len(mean))))
        mean = mean[np.maximum(source, int(np.argmin(empty)))]
    return np.asarray(mean, np.float64)

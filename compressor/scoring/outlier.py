"""MOOSComp's outlier score: how unusual a token's last hidden state is, so that rare tokens can survive.

The paper fixes m = alpha * p + (1 - alpha) * s_norm and that s is based on a Z-score; the reading of the rest is
a parameter (OutlierReading).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.settings import OutlierReading

FloatArray = npt.NDArray[np.float32]

_EPSILON = 1e-6
# A class with fewer tokens than this has no statistics worth the name; the window's are used instead.
MIN_CLASS_TOKENS = 8


def normalised(hidden: FloatArray, p: FloatArray, reading: OutlierReading) -> FloatArray:
    """s_norm in [0, 1] of each token of one window. hidden: (tokens, width). p: (tokens,)."""
    if not len(p):
        return np.zeros(0, np.float32)
    score = _scores(hidden, reading)
    if reading.scope == "class":
        preserved = p >= 0.5
        for members in (preserved, ~preserved):
            if members.sum() >= MIN_CLASS_TOKENS:
                score[members] = _scores(hidden[members], reading)
    if reading.sided == "two":
        score = np.abs(score)
    return _normalise(score, reading.norm)


def _scores(hidden: FloatArray, reading: OutlierReading) -> FloatArray:
    mean = hidden.mean(axis=0)
    if reading.stat == "centroid":
        apart = hidden - mean
        return _z(np.sqrt(np.einsum("ij,ij->i", apart, apart)))  # a third of np.linalg.norm's time
    z = (hidden - mean) / (hidden.std(axis=0) + _EPSILON)
    if reading.stat == "perdim_rms":
        return np.asarray(np.sqrt((z * z).mean(axis=1)), np.float32)
    return np.asarray(np.abs(z).mean(axis=1), np.float32)


def _z(values: npt.NDArray[np.float32]) -> FloatArray:
    return np.asarray((values - values.mean()) / (values.std() + _EPSILON), np.float32)


def _normalise(score: FloatArray, norm: str) -> FloatArray:
    if norm == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-score)), np.float32)
    low, high = score.min(), score.max()
    if high - low < 1e-8:
        return np.zeros_like(score)
    if norm == "rank":
        order = np.argsort(np.argsort(score, kind="stable"), kind="stable")
        return np.asarray(order / max(len(score) - 1, 1), np.float32)
    return np.asarray((score - low) / (high - low), np.float32)

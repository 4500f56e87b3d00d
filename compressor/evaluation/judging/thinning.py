"""Thinned contexts: what a compressor might leave of a text, drawn at random.

A reader trained on these reads compressed text about as well as text like it can be read, so that its answers
measure what the compressor kept and not how surprised the reader is by telegrams.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Thinning:
    """How to draw. Shares are probabilities; rates are shares of words.

    full: contexts left whole. lowest: smallest keep rate. modes: weights of random words, stop words first, IDF
    with noise, phrases, uneven sentences. gold: how often the asked answer is forced to stay; others: how often
    each other answer of the context is. decoys: at most so many random runs are forced to stay as well, else
    "an unbroken run" would be a shortcut for "answer".
    """

    full: float = 0.2
    lowest: float = 0.2
    modes: tuple[float, float, float, float, float] = (0.25, 0.25, 0.2, 0.15, 0.15)
    gold: float = 0.85
    others: float = 0.6
    decoys: int = 4
    longest_decoy: int = 8


@dataclass(frozen=True)
class Context:
    """What thinning needs to know of a text's words. All arrays have shape (words,).

    stop: stop words and punctuation. idf: inverse document frequency. sentence: number of the word's sentence.
    """

    stop: Bools
    idf: Floats
    sentence: npt.NDArray[np.int64]


def thin(context: Context, gold: slice, others: list[slice], how: Thinning, rng: np.random.Generator) -> Bools:
    """Which words stay, shape (words,). gold, others: word ranges of the answers."""
    count = len(context.stop)
    if rng.random() < how.full:
        return np.ones(count, bool)
    rate = rng.uniform(how.lowest, 1.0)
    score = _scores(context, int(rng.choice(len(how.modes), p=how.modes)), rng)
    keep = np.zeros(count, bool)
    keep[np.argsort(-score, kind="stable")[: max(1, round(rate * count))]] = True
    if rng.random() < how.gold:
        keep[gold] = True
    for other in others:
        if rng.random() < how.others:
            keep[other] = True
    for _ in range(rng.integers(how.decoys + 1)):
        start = rng.integers(count)
        keep[start : start + rng.integers(1, how.longest_decoy + 1)] = True
    return keep


def _scores(context: Context, mode: int, rng: np.random.Generator) -> Floats:
    noise = rng.random(len(context.stop))
    if mode == 1:
        noise -= 2.0 * context.stop
    if mode == 2:
        noise = context.idf / context.idf.max() + 0.5 * noise
    if mode == 3:
        phrase = np.cumsum(rng.random(len(noise)) < rng.uniform(0.15, 0.5))
        noise = rng.random(int(phrase[-1]) + 1)[phrase] + 1e-3 * noise
    if mode == 4:
        liking = rng.random(int(context.sentence[-1]) + 1)[context.sentence] * rng.uniform(0.5, 3.0)
        noise += liking - rng.uniform(0, 1) * context.stop
    return noise

"""Passages that look relevant to a question: a small inverted index with IDF weights."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


class PassageIndex:
    """Ranks passages by the summed IDF of the keys they share with a question."""

    def __init__(self, passages: Sequence[frozenset[str]]):
        """passages: the content keys of each passage."""
        self.size = len(passages)
        postings: dict[str, list[int]] = defaultdict(list)
        for number, keys in enumerate(passages):
            for key in keys:
                postings[key].append(number)
        self.postings = {key: np.array(numbers, np.int32) for key, numbers in postings.items()}

    def nearest(self, question: frozenset[str], count: int) -> npt.NDArray[np.int64]:
        """Numbers of the `count` best passages, best first, ties by number."""
        scores = np.zeros(self.size)
        for key in sorted(question):
            numbers = self.postings.get(key)
            if numbers is not None:
                scores[numbers] += math.log(1 + self.size / len(numbers))
        return np.argsort(-scores, kind="stable")[:count]

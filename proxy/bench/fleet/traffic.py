"""What arrives: turns of agents, whose old messages are known and whose newest text is not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_CHUNK = 4096

Step = tuple[float, float]
"""From this second on, so many requests a second."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Sizes in tokens. The defaults are those of the other benches, so that their figures can be compared.

    shortest, longest: of the newest text, each order of magnitude as often as the other (`moos bench soak`).
    messages, history: the older ones, and their tokens together (`moos bench turn`). known: share of newest texts
    that somebody has sent before. answer_s: how long an answer streams. bytes_per_token: of a request's body.
    """

    shortest: int = 100
    longest: int = 20_000
    messages: int = 30
    history: int = 50_000
    known: float = 0.0
    min_tokens: int = 300
    answer_s: float = 10.0
    bytes_per_token: float = 4.6

    @property
    def new_tokens(self) -> float:
        """Of a request, on average."""
        return (self.longest - self.shortest) / self._magnitudes

    @property
    def compressed_share(self) -> float:
        """Share of requests whose newest text has to be shortened."""
        reached = math.log(self.longest / max(self.shortest, self.min_tokens)) / self._magnitudes
        return min(1.0, reached) * (1 - self.known)

    @property
    def compressed_tokens(self) -> float:
        """Tokens to shorten for each request, on average."""
        return (self.longest - max(self.shortest, self.min_tokens)) / self._magnitudes * (1 - self.known)

    @property
    def _magnitudes(self) -> float:
        return math.log(self.longest / self.shortest)

    def arrivals(self, steps: list[Step], seed: int) -> Iterator[tuple[float, float]]:
        """Seconds and tokens to shorten (0: none) of one request after the other, as a Poisson process."""
        dice = np.random.default_rng(seed)
        low, high = math.log(self.shortest), math.log(self.longest)
        now, rate, later = 0.0, steps[0][1], list(steps[1:])
        while True:
            gaps = dice.exponential(1.0, _CHUNK).tolist()
            sizes = np.exp(dice.uniform(low, high, _CHUNK))
            sizes[(sizes < self.min_tokens) | (dice.random(_CHUNK) < self.known)] = 0
            for gap, size in zip(gaps, sizes.tolist(), strict=True):
                now += gap / rate
                while later and now >= later[0][0]:
                    rate = later.pop(0)[1]
                yield now, size

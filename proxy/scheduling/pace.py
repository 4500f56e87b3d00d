"""How fast work goes here and now, measured as it goes."""

from __future__ import annotations

import math

_MEMORY_TOKENS = 16_384
"""Older work than this counts for about a third: a neighbour on the box comes and goes within seconds."""


class Pace:
    """Seconds a token, a mean in which the newest work weighs most."""

    def __init__(self, first_guess: float) -> None:
        """first_guess: stands until something was measured."""
        self.seconds_per_token = first_guess
        self._measured = False

    def note(self, tokens: int, seconds: float) -> None:
        """So much was done in so long."""
        if tokens <= 0:
            return
        weight = -math.expm1(-tokens / _MEMORY_TOKENS) if self._measured else 1.0
        self.seconds_per_token += weight * (seconds / tokens - self.seconds_per_token)
        self._measured = True

"""What a token costs here and now, measured as it goes."""

from __future__ import annotations

import time
from collections.abc import Callable

_PRIOR_TOKENS = 1_000
"""What the first guess weighs: a short text's fixed costs say little about a long one."""
_MEMORY_TOKENS = 16_384
"""What all that was measured weighs at most: a neighbour on the box comes and goes within seconds."""
_FRESH_S, _HALF_LIFE_S = 10.0, 5.0
"""What was measured is believed for so long, and then half as much each time: a stall must not keep everybody out
for ever, since nothing is measured while nobody is let in."""


class Rate:
    """Seconds, or anything else, for each token: a mean in which the newest counts most."""

    def __init__(self, first_guess: float, clock: Callable[[], float] = time.monotonic) -> None:
        """first_guess: where nothing was measured, or not for long. clock: in seconds."""
        self._guess = self._mean = first_guess
        self._seen = _PRIOR_TOKENS
        self._clock = clock
        self._noted = clock()

    @property
    def per_token(self) -> float:
        """As far as is known now."""
        stale = max(0.0, self._clock() - self._noted - _FRESH_S)
        believed: float = 0.5 ** (stale / _HALF_LIFE_S)
        return self._guess + believed * (self._mean - self._guess)

    def note(self, tokens: int, amount: float) -> None:
        """So many tokens took so much."""
        if tokens <= 0:
            return
        self._mean = self.per_token
        self._mean += tokens / (self._seen + tokens) * (amount / tokens - self._mean)
        self._seen = min(self._seen + tokens, _MEMORY_TOKENS)
        self._noted = self._clock()

"""What a token costs here and now, measured as it goes."""

from __future__ import annotations

_PRIOR_TOKENS = 1_000
"""What the first guess weighs: a short text's fixed costs say little about a long one."""
_MEMORY_TOKENS = 16_384
"""What all that was measured weighs at most: a neighbour on the box comes and goes within seconds."""


class Rate:
    """Seconds, or anything else, for each token: a mean in which the newest counts most."""

    def __init__(self, first_guess: float) -> None:
        self.per_token = first_guess
        self._seen = _PRIOR_TOKENS

    def note(self, tokens: int, amount: float) -> None:
        """So many tokens took so much."""
        if tokens <= 0:
            return
        self.per_token += tokens / (self._seen + tokens) * (amount / tokens - self.per_token)
        self._seen = min(self._seen + tokens, _MEMORY_TOKENS)

"""Admission: how much may wait at once, and how much of it may be one team's."""

from __future__ import annotations

from collections import Counter

TEAM_SHARE = 4
"""A team may hold this many times what stays free: four fifths alone, four ninths beside one other, and so on."""


class Door:
    """Counts the tokens under way. Whoever fills the queue leaves room for a team that is not in it yet."""

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._held: Counter[str | None] = Counter()
        self.tokens = 0
        """Under way, of all teams."""

    def enter(self, team: str | None, tokens: int) -> bool:
        """Whether the tokens may come in; then they count until leave()."""
        free = self._max_tokens - self.tokens - tokens
        if self._held[team] + tokens > TEAM_SHARE * free:
            return False
        self._held[team] += tokens
        self.tokens += tokens
        return True

    def leave(self, team: str | None, tokens: int) -> None:
        """The opposite of an enter() that was granted."""
        self.tokens -= tokens
        self._held[team] -= tokens
        if not self._held[team]:
            del self._held[team]

"""Who may come in: a text that can be done by its deadline, while memory and its team's share last.

The model serves teams in turn and within a team whoever came first. So a text waits for what its own team has
waiting, and for as much of every other team's.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from moosproxy.proxy.scheduling.rate import Rate

TEAM_SHARE = 4
"""A team may hold this many times what stays free: four fifths alone, four ninths beside one other, and so on."""
CERTAINTY = 0.85
"""A text is let in if it is expected to be done in this share of its time: paces change."""
_MODEL_GUESS, _TEXT_GUESS = 1 / 50_000, 1 / 500_000
"""Seconds a token, until measured: who comes first is let in, and given up if it was too much."""


@dataclass(eq=False, slots=True)
class Ticket:
    """A text that was let in. tokens: estimated. left: pieces that the model still has to see of it.

    waits: for its plan. begun: the model has seen some of it. deadline: in seconds of the clock.
    """

    team: str | None
    tokens: int
    left: int
    deadline: float
    waits: bool = True
    begun: bool = False


class Admission:
    """Counts what is under way. Belongs to one event loop."""

    def __init__(self, max_tokens: int, clock: Callable[[], float] = time.monotonic) -> None:
        """max_tokens: bound on the estimated tokens under way, for memory's sake."""
        self.model, self.text = Rate(_MODEL_GUESS, clock), Rate(_TEXT_GUESS, clock)
        self._pieces = Rate(1.0, clock)
        self.tokens = 0
        """Under way, of all teams."""
        self._max_tokens = max_tokens
        self._clock = clock
        self._held: Counter[str | None] = Counter()
        self._left: Counter[str | None] = Counter()
        self._unplanned = 0

    def enter(self, team: str | None, tokens: int, deadline: float) -> Ticket | None:
        """A ticket if the text can be done in time or is alone; its tokens then count until leave()."""
        free = self._max_tokens - self.tokens - tokens
        if self._held[team] + tokens > TEAM_SHARE * free:
            return None
        if self.tokens and self.expected_s(team, tokens) > CERTAINTY * (deadline - self._clock()):
            return None
        ticket = Ticket(team, tokens, self._pieces_of(tokens), deadline)
        self.tokens += tokens
        self._held[team] += tokens
        self._left[team] += ticket.left
        self._unplanned += tokens
        return ticket

    def expected_s(self, team: str | None, tokens: int) -> float:
        """Seconds until a text that comes now is done."""
        own, pieces = self._left[team], self._pieces_of(tokens)
        ahead = own + sum(min(left, own + pieces) for other, left in self._left.items() if other != team)
        waits = max(ahead * self.model.per_token, self._unplanned * self.text.per_token)
        return waits + pieces * self.model.per_token + tokens * self.text.per_token

    def planned(self, ticket: Ticket, left: int) -> None:
        """The text is planned, and the model has to see so many pieces of it."""
        self._pieces.note(ticket.tokens, left)
        self._left[ticket.team] += left - ticket.left
        ticket.left = left
        self._start(ticket)

    def served(self, ticket: Ticket, pieces: int) -> None:
        """The model has seen so many more of them."""
        ticket.begun = True
        self._left[ticket.team] -= pieces
        ticket.left -= pieces

    def lost(self, ticket: Ticket) -> bool:
        """Whether it would be late even if nobody else were there. Where nobody else is, it is tried."""
        if self.tokens == ticket.tokens:
            return False
        return self._clock() + ticket.left * self.model.per_token > ticket.deadline

    def leave(self, ticket: Ticket) -> None:
        """It is done, or given up."""
        self._start(ticket)
        self.tokens -= ticket.tokens
        for count, tokens in ((self._held, ticket.tokens), (self._left, ticket.left)):
            count[ticket.team] -= tokens
            if not count[ticket.team]:
                del count[ticket.team]
        ticket.left = 0

    def _pieces_of(self, tokens: int) -> int:
        """What the model is likely to see of a text of so many estimated tokens."""
        return round(tokens * self._pieces.per_token)

    def _start(self, ticket: Ticket) -> None:
        if ticket.waits:
            ticket.waits = False
            self._unplanned -= ticket.tokens

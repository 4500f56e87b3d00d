"""Plain prose for the edge bench: sentences put together at random, so that no two texts are alike.

There are few numbers and names in it, which the compressor would protect: the bench asks how long an answer takes
at a given ratio, and so the text must allow it.
"""

from __future__ import annotations

import random

QUESTION = "\n\nWho looked after the harbour?"

_WHO = (
    "The committee", "Our supplier", "The night shift", "A visitor from the harbour", "The new librarian",
    "Every second neighbour", "The carpenter's daughter", "The council of the island", "A retired teacher",
    "The owner of the bakery", "The crew of the ferry", "Somebody from the museum", "The youngest engineer",
)  # fmt: skip
_DID = (
    "looked at", "postponed", "wrote down", "quietly accepted", "asked about", "repaired", "described in detail",
    "paid for", "remembered", "complained about", "measured once more", "was proud of", "gave away",
)  # fmt: skip
_WHAT = (
    "the delivery of timber", "the minutes of the last meeting", "a generous budget", "the leaking roof",
    "the garden behind the school", "an old map of the coast", "the price of flour", "the broken weather station",
    "a collection of letters", "the lighthouse and its keeper", "the plans for a bridge", "the choir's rehearsal",
    "the road to the quarry",
)  # fmt: skip
_WHEN = (
    "after lunch", "for reasons that were easy to guess", "as had been agreed before", "while it rained",
    "in the hope of a quiet winter", "before the guests arrived", "with the help of two friends",
    "because the harbour was frozen", "and told the newspaper about it", "during a long evening by the fire",
    "so that the work could go on", "as their parents had done", "in front of the whole village",
)  # fmt: skip


class Prose:
    """The same seed gives the same texts."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def of(self, characters: int) -> str:
        """About as long as that, in paragraphs, with a question at the end."""
        out: list[str] = []
        size = 0
        while size < characters:
            words = (self._dice.choice(choices) for choices in (_WHO, _DID, _WHAT, _WHEN))
            out.append(" ".join(words) + (".\n\n" if self._dice.random() < 0.15 else ". "))
            size += len(out[-1])
        return "".join(out).rstrip() + QUESTION

"""Which pieces of code a question names: parts of identifiers against words, plural and endings aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from moosproxy.compressor.kinds.base import TERM_CHARS, Asked
from moosproxy.compressor.text.patterns import Pattern

PARTS = Pattern(r"\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|\p{Lo}+|\d+")
COMMON = 1 / 3
"""A word that stands in a larger share of many pieces tells none of them."""
MANY = 12
_WORD = Pattern(r"\w+")
_ENDING = Pattern(r"(?<=\w{3})(?:ies|ing|ed|es|er|ers|s|y|e)$")


def stems(piece: str) -> set[str]:
    """The words of a piece of code or text, lower case, without endings."""
    return {_ENDING.sub("", part.lower()) for part in PARTS.findall(piece)}


def named(pieces: Sequence[str], asked: Asked) -> list[float]:
    """For each piece how much of what the question names stands in it: 0 for nothing, up to 1 for each word."""
    wanted = _wanted(asked)
    if not wanted:
        return [0.0] * len(pieces)
    hits = [stems(piece) & wanted for piece in pieces]
    seen = Counter(stem for hit in hits for stem in hit)
    if len(pieces) >= MANY:
        seen = Counter({stem: count for stem, count in seen.items() if count <= COMMON * len(pieces)})
    return [sum(1 / (1 + 0.1 * (seen[stem] - 1)) for stem in hit if seen[stem]) for hit in hits]


def _wanted(asked: Asked) -> set[str]:
    found = {stem for term in asked.terms for stem in stems(term) if len(stem) >= TERM_CHARS}
    # Names as the question writes them: terms are in lower case and no longer tell the parts of camel case.
    for word in _WORD.findall(asked.text or ""):
        if word.lower() in asked.terms:
            found |= {stem for stem in stems(word) if len(stem) >= TERM_CHARS}
    return found

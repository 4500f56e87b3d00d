"""Sections, lines, paragraphs and sentence ends of a text, as offsets. Everything here is linear.

Detectors search section by section: one search in C holds the interpreter lock, and a message may have
millions of characters. Sections end at a line end wherever there is one, so that line-local patterns never
notice them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SECTION = 1 << 15
"""Characters searched in one go: a few milliseconds at most."""

Span = tuple[int, int]

_BLANK_LINES = re.compile(r"\n[ \t\r\f\v]*+\n\s*+")
_SENTENCE_END = re.compile(r"[.!?…](?:[\"'”’»)\]]*+)(?=\s)|[。！？؟।．][”’」』）]*+|\n")


def sections(text: str, size: int = SECTION) -> Iterator[Span]:
    """Consecutive spans of at most `size` characters that cover the text, cut at a line end, else after a
    sentence, else at a space, else hard."""
    start, length = 0, len(text)
    while length - start > size:
        limit = start + size
        for mark in ("\n", ". ", " "):
            cut = text.rfind(mark, start, limit)
            if cut >= 0:
                end = cut + len(mark)
                break
        else:
            end = limit
        yield start, end
        start = end
    if start < length:
        yield start, length


def matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """All matches, section by section. Patterns see what lies before a section but not behind it."""
    for start, end in sections(text):
        yield from pattern.finditer(text, start, end)


def lines(text: str) -> Iterator[Span]:
    """Lines without their line break (a carriage return stays); the same count as text.split("\\n")."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield start, end
        start = end + 1
    yield start, len(text)


def paragraphs(text: str) -> list[Span]:
    """Blocks between blank lines, trimmed of surrounding white space; empty for a blank text."""
    found: list[Span] = []
    start = 0
    for match in matches(_BLANK_LINES, text):
        _add_trimmed(found, text, start, match.start())
        start = match.end()
    _add_trimmed(found, text, start, len(text))
    return found


def blocks(text: str) -> list[Span]:
    """Paragraphs; in a text without blank lines its lines."""
    found = paragraphs(text)
    if len(found) != 1:
        return found
    found = []
    for start, end in lines(text):
        _add_trimmed(found, text, start, end)
    return found


def _add_trimmed(found: list[Span], text: str, start: int, end: int) -> None:
    start, end = trimmed(text, start, end)
    if start < end:
        found.append((start, end))


def trimmed(text: str, start: int, end: int) -> Span:
    """The span without white space at its ends; (end, end) if there is nothing else in it."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return (start, start + len(piece.strip())) if start < end else (end, end)


def sentence_ends(text: str, start: int = 0, end: int | None = None) -> list[int]:
    """Offsets just behind every sentence end or line break in [start, end); the end itself is not listed."""
    stop = len(text) if end is None else end
    found: list[int] = []
    while start < stop:
        # Sections of the whole text would copy it; this steps through the asked part alone.
        limit = min(stop, start + SECTION)
        if limit < stop:
            limit = max(text.rfind("\n", start, limit), text.rfind(" ", start, limit)) + 1 or limit
            limit = limit if limit > start else min(stop, start + SECTION)
        found.extend(match.end() for match in _SENTENCE_END.finditer(text, start, limit))
        start = limit
    return found

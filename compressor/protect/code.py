"""Fenced and inline code of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from moosproxy.compressor.text.layout import Span, lines, matches

INLINE_LIMIT = 1000
"""Inline code of more characters is a stray pair of backticks, not code."""

_OPENING = re.compile(r"[ \t>]*+(?P<fence>`{3,}+|~{3,}+)(?P<info>[^\r\n]*+)")
_BACKTICKS = re.compile(r"`++")


def fenced_code(text: str) -> Iterator[Span]:
    """From an opening fence (three or more ` or ~, indented or quoted) to its closing one, else to the end."""
    if "```" not in text and "~~~" not in text:
        return
    opened = -1
    fence = ""
    for start, end in lines(text):
        if not text.startswith(("`", "~", " ", "\t", ">"), start):
            continue
        match = _OPENING.match(text, start, end)
        if not match:
            continue
        marks, info = match["fence"], match["info"]
        if opened < 0:
            if marks[0] == "~" or "`" not in info:
                opened, fence = start, marks
        elif marks.startswith(fence) and not info.strip():
            yield opened, end
            opened = -1
    if opened >= 0:
        yield opened, len(text)


def inline_code(text: str) -> Iterator[Span]:
    """Text between two runs of equally many backticks within one paragraph."""
    if "`" not in text:
        return
    runs = [match.span() for match in matches(_BACKTICKS, text)]
    partner = _next_of_same_length(runs)
    index = 0
    while index < len(runs):
        other = partner[index]
        start = runs[index][0]
        if other and runs[other][1] - start <= INLINE_LIMIT and "\n\n" not in text[start : runs[other][1]]:
            yield start, runs[other][1]
            index = other
        index += 1


def _next_of_same_length(runs: list[Span]) -> list[int]:
    """For each run the index of the next run of the same length, 0 where there is none."""
    partner = [0] * len(runs)
    latest: dict[int, int] = {}
    for index in range(len(runs) - 1, -1, -1):
        length = runs[index][1] - runs[index][0]
        partner[index] = latest.get(length, 0)
        latest[length] = index
    return partner

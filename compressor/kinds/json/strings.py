"""Prose inside of JSON strings, sentence by sentence: an escape sequence is never parted."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace

from moosproxy.compressor.kept import Span
from moosproxy.compressor.kinds.base import Asked, Block, TextKind, Unit
from moosproxy.compressor.kinds.running.prose import Prose
from moosproxy.compressor.text import json_grammar

_HALF_CHARACTER = "¤"


def sentence_units(text: str, inside: Span, asked: Asked, before: int) -> list[Unit]:
    """The units of a string that reads like prose, none for any other. inside: without the quotes.

    before: what to add to the index of a head. Escaped line breaks belong to the unit behind them.
    """
    start, end = inside
    raw = text[start:end]
    if not json_grammar.is_prose(raw):
        return []
    view = json_grammar.ESCAPE.sub(_same_length, raw) if "\\" in raw else raw
    whole = _outside_of_escapes(raw)
    units: list[Unit] = []
    behind = -1
    for unit in Prose().edit(view, Block(0, len(view), TextKind.PROSE), asked).units:
        first, last = whole(unit.start), whole(unit.end)
        if behind >= 0:
            gap = raw[behind:first]
            first = behind + len(gap) - len(gap.lstrip())
        head = unit.head + before if unit.head >= 0 else -1
        units.append(replace(unit, start=start + first, end=start + last, head=head))
        behind = last
    return units


def _same_length(escape: re.Match[str]) -> str:
    """What an escape stands for, as long as it is written."""
    size = len(escape[0])
    character = json_grammar.meaning(escape[0]) or _HALF_CHARACTER
    if character == "\n":
        return character.rjust(size)
    return (" " if character.isspace() else character) * size


def _outside_of_escapes(raw: str) -> Callable[[int], int]:
    """Moves an offset inside of an escape to its beginning."""
    escapes = [found.span() for found in json_grammar.ESCAPE.finditer(raw)]
    starts = [start for start, _ in escapes]

    def moved(offset: int) -> int:
        index = bisect_right(starts, offset) - 1
        return starts[index] if index >= 0 and offset < escapes[index][1] else offset

    return moved

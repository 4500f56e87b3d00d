"""A text's blocks with their units, as the editor of each kind makes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from moosproxy.compressor.kept import Span
from moosproxy.compressor.kinds.base import Asked, TextKind, Unit
from moosproxy.compressor.kinds.blocks import EDITORS, split
from moosproxy.compressor.settings import CompressionSettings
from moosproxy.compressor.text.lexicon import words

RUNNING = frozenset({TextKind.PROSE, TextKind.DIALOGUE, TextKind.MARKUP})
_TERM = re.compile(r"\w+(?:[-.]\w+)*")
_ASKING = frozenset(
    words("""
    what which who whom whose where when why how does did this that these those with from about tell give find show
    please have been were will would could should into over than then them they there their your
    """)
)


SMALL = 300
"""A block of rows or code of fewer characters stays whole: a mark in it would cost as much as it saves."""


class Piece(NamedTuple):
    """One block: its kind, units, and the spans inside of units that go always (drops) or may go (cuts)."""

    kind: TextKind
    units: Sequence[Unit]
    drops: Sequence[Span]
    cuts: Sequence[Span]


def planned(text: str, settings: CompressionSettings, question: str | None) -> list[Piece]:
    """Every block of the text, in order."""
    asked = Asked(question, terms(question), settings.json)
    found = []
    for block in split(text):
        edited = EDITORS[block.kind].edit(text, block, asked)
        units = edited.units
        if block.kind not in RUNNING and block.end - block.start < SMALL < len(text):
            units = [replace(unit, must=True) for unit in units]
        found.append(Piece(block.kind, units, edited.drops, edited.cuts))
    return found


def loose(text: str, pieces: Sequence[Piece]) -> float:
    """The share of the text's characters that may go, in [0, 1]."""
    inside = [span for piece in pieces for span in (*piece.drops, *piece.cuts)]
    units = [(unit.start, unit.end) for piece in pieces for unit in piece.units if not unit.must]
    return min(sum(end - start for start, end in (*inside, *units)) / max(len(text), 1), 1.0)


def terms(question: str | None) -> frozenset[str]:
    """What a question names, in lower case: words of four letters and more, and names with digits or capitals."""
    found = _TERM.findall(question or "")
    named = {word.lower() for word in found if len(word) > 3 or any(c.isdigit() or c.isupper() for c in word[1:])}
    return frozenset(named - _ASKING)

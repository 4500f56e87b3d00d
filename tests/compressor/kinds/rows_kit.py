"""What the tests of kinds made of rows share: blocks of a text, what an editor leaves of it at a ratio."""

from __future__ import annotations

import re
from collections.abc import Sequence

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.kinds.base import Asked, Edited, TextKind, Unit
from moosproxy.compressor.kinds.blocks import EDITORS, split
from moosproxy.compressor.planning.pieces import terms

MARK = re.compile(r"\s*\[…[^\]\n]*\]$")


def kinds(text: str) -> list[str]:
    """The kinds of a text's blocks."""
    return [block.kind.value for block in split(text)]


def edited(text: str, question: str | None = None) -> tuple[TextKind, Edited]:
    """The only block of a text."""
    (block,) = split(text)
    return block.kind, EDITORS[block.kind].edit(text, block, Asked(question, terms(question)))


def left(text: str, ratio: float, question: str | None = None) -> list[str]:
    """The units of the only block that stay if every character costs the same, with their heads, in order."""
    _, found = edited(text, question)
    units = found.units
    stay = {index for index, unit in enumerate(units) if unit.must}
    free = [index for index, unit in enumerate(units) if not unit.must and not unit.heads]
    budget = sum(_size(units[index]) for index in free) / ratio
    for index in sorted(free, key=lambda index: (-(units[index].rank or 0.0), index)):
        if budget < _size(units[index]):
            break
        budget -= _size(units[index])
        stay |= {index, units[index].head} - {-1}
    return [text[units[index].start : units[index].end] for index in sorted(stay)]


def _size(unit: Unit) -> int:
    return unit.end - unit.start


def shortened(compressor: Compressor, text: str, ratio: float, question: str | None = None) -> tuple[str, float]:
    """The text at a ratio by the bundled checkpoint, and the ratio it has in o200k tokens."""
    asked = question or "off"
    result = compressor.compress(text, CompressionSettings(ratio=ratio, question=asked, tokenizer="o200k_base"))
    return result.text, result.tokens_before / max(result.tokens_after, 1)


def unmarked(text: str) -> list[str]:
    """The rows of a compressed text without marks and blank ones."""
    return [row for row in text.split("\n") if row.strip() and not MARK.match(row)]


def check_units(text: str, units: Sequence[Unit]) -> None:
    """What holds for the units of every kind: in order, disjoint, whole rows, heads that are heads."""
    at = 0
    for unit in units:
        assert at <= unit.start < unit.end <= len(text)
        assert not text[at : unit.start].strip()
        assert unit.start == 0 or text[unit.start - 1] == "\n"
        assert unit.end == len(text) or text[unit.end] == "\n"
        assert unit.head < 0 or units[unit.head].heads
        at = unit.end
    assert not text[at:].strip()

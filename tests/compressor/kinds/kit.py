"""What the tests of kinds share: a text's blocks and units, what stays of them, and what marks say of the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.kinds.base import Asked, Edited, Editor, Rows, TextKind, Unit
from moosproxy.compressor.kinds.blocks import EDITORS, split
from moosproxy.compressor.planning.pieces import terms

MARK = re.compile(r"\[…(?: (?P<count>\d+) (?P<noun>\w+))?\]")

Shorten = Callable[..., str]
"""The fixture that leaves what has to stay: of a text, a question ("off" for none) and a ratio."""


def kinds(text: str) -> list[TextKind]:
    """The kinds of a text's blocks."""
    return [block.kind for block in split(text)]


def edited(text: str, question: str | None = None) -> list[Edited]:
    """A text's blocks as their editors part them."""
    asked = Asked(question, terms(question))
    return [EDITORS[block.kind].edit(text, block, asked) for block in split(text)]


def units_of(text: str, question: str | None = None) -> list[Unit]:
    """The units of the only block of a text."""
    (block,) = edited(text, question)
    return list(block.units)


def piece_of(text: str, unit: Unit) -> str:
    """What a unit holds."""
    return text[unit.start : unit.end]


def index_of(text: str, units: Sequence[Unit], piece: str) -> int:
    """The unit in which a piece of the text begins."""
    at = text.index(piece)
    return next(index for index, unit in enumerate(units) if unit.start <= at < unit.end)


def closed(units: Sequence[Unit], chosen: set[int]) -> set[int]:
    """The chosen units with the heads that they need."""
    kept: set[int] = set()
    for index in chosen:
        at = index
        while at >= 0 and at not in kept:
            kept.add(at)
            at = units[at].head
    return kept


def best(text: str, units: Sequence[Unit], share: float) -> set[int]:
    """Indices of the best units of about a share of the text, with their heads."""
    order = sorted((i for i, u in enumerate(units) if not u.heads), key=lambda i: -(units[i].rank or 0.0))
    kept: set[int] = set()
    for index in order:
        if sum(_size(units[i]) for i in kept) > share * len(text):
            break
        kept |= closed(units, {index})
    return kept


def left(text: str, ratio: float, question: str | None = None) -> list[str]:
    """The units of the only block that stay if every character costs the same, with their heads, in order."""
    units = units_of(text, question)
    stay = {index for index, unit in enumerate(units) if unit.must}
    free = [index for index, unit in enumerate(units) if not unit.must and not unit.heads]
    budget = sum(_size(units[index]) for index in free) / ratio
    for index in sorted(free, key=lambda index: (-(units[index].rank or 0.0), index)):
        if budget < _size(units[index]):
            break
        budget -= _size(units[index])
        stay |= {index, units[index].head} - {-1}
    return [piece_of(text, units[index]) for index in sorted(stay)]


def _size(unit: Unit) -> int:
    return unit.end - unit.start


def rows_of(text: str, units: Sequence[Unit], kept: set[int]) -> list[str]:
    """The rows of the kept units that are not blank."""
    return [row for index in sorted(kept) for row in filled(piece_of(text, units[index]))]


def filled(text: str) -> list[str]:
    """The rows that are not blank."""
    return [row for row in text.split("\n") if row.strip()]


def unmarked(text: str) -> list[str]:
    """The rows of a compressed text without marks and blank ones."""
    return [row for row in filled(text) if not MARK.fullmatch(row.strip())]


def shortened(compressor: Compressor, text: str, ratio: float, question: str = "off") -> tuple[str, float]:
    """The text at a ratio by the bundled checkpoint, and the ratio it has in o200k tokens."""
    result = compressor.compress(text, CompressionSettings(ratio=ratio, question=question, tokenizer="o200k_base"))
    return result.text, result.tokens_before / max(result.tokens_after, 1)


def check_units(text: str, units: Sequence[Unit]) -> None:
    """Units ascend, take whole rows, and leave out nothing but white space; none is its own head."""
    before = 0
    for index, unit in enumerate(units):
        assert before <= unit.start < unit.end <= len(text)
        assert not text[before : unit.start].strip()
        assert unit.start == 0 or text[unit.start - 1] == "\n"
        assert not text[unit.end :].partition("\n")[0].strip()
        assert index != unit.head < len(units)
        before = unit.end
    assert not text[before:].strip()


def check_rows(text: str, units: Sequence[Unit]) -> None:
    """What holds for kinds made of rows besides: blanks are theirs, and what is a head is nothing else."""
    check_units(text, units)
    assert all(unit.end == len(text) or text[unit.end] == "\n" for unit in units)
    assert all(unit.head < 0 or units[unit.head].heads for unit in units)


def check_statements(text: str, units: Sequence[Unit]) -> None:
    """What holds for kinds made of statements besides: they count their rows."""
    check_units(text, units)
    assert sum(unit.count for unit in units) == len(filled(text))


def check_claims(editor: Editor, text: str, hint: str = "") -> None:
    """Wherever the editor begins to look, what it claims begins there and ends in the text."""
    rows = Rows(text)
    assert all(at <= editor.claim(rows, at, hint) <= len(rows) for at in range(len(rows)))


def check_marks(text: str, short: str) -> None:
    """Every row is a row of the text or a mark, in order, and every mark says how many rows are not there."""
    rows = [row.rstrip() for row in filled(text)]
    at = 0
    for row in (row.rstrip() for row in filled(short)):
        mark = MARK.search(row)
        if mark is not None and row not in rows[at : at + 1]:
            at += int(mark["count"])
            continue
        assert at < len(rows) and row == rows[at], (row, rows[at : at + 1])
        at += 1
    assert at == len(rows)

"""Comma-, tab- and semicolon-separated values: the header and whole records, multi-line cells included.

Python's csv.Sniffer guesses a dialect for any text and reads it more than once; whether a text is CSV at all is
told here by records of equally many fields, and split by one expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from moosproxy.compressor.kept import Noun
from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind, Unit
from moosproxy.compressor.kinds.lines import ranks

AHEAD = 6
"""Records looked at."""
TALL = 60
"""A cell of more rows is no cell: its quote was never closed."""
WIDE = 20_000
"""Characters of a record that are split into fields, and of a first record at most."""
STRAY = 2
"""So many records in a row may have another number of fields."""

_HINTS = frozenset(("csv", "tsv", "psv"))
_QUOTED = re.compile(r'"[^"]*+(?:"|$)')
_NUMBER = re.compile(r"[-+]?[\d.,]*\d%?$")
_NAME = re.compile(r"[\"'#]?[^\W\d][^:;{}=<>]{0,60}$|$")
_SENTENCE = re.compile(r"[.!?。！？…]\s*$")


class Csv:
    """Records of equally many fields, below a header or with a column of numbers."""

    kind = TextKind.CSV

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """The records from a header, or from the first of several alike, on."""
        if not ranks.plain(hint) and hint not in _HINTS:
            return at
        separator = _separator(rows, at, hint)
        if not separator:
            return at
        columns = _columns(rows.line(at), separator)
        end, stray = at, 0
        for record, behind, text in _records(rows, at):
            if record == at:
                columns = _columns(text, separator)
            found = _columns(text, separator)
            stray = 0 if found == columns else stray + 1
            if found < 2 or stray > STRAY:
                break
            if not stray or (behind == len(rows) and 2 * found > columns):
                end = behind
        return end

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """A record is a unit, the first one the head of all others."""
        rows = Rows(text, block.start, block.end)
        separator = _separator(rows, 0, block.hint) or ","
        records = list(_records(rows, 0))
        if not records:
            return Edited([])
        spans = [(rows.spans[first][0], rows.spans[behind - 1][1]) for first, behind, _ in records]
        cells = [_cells(record, separator) for _, _, record in records[1:]]
        worth = ranks.worth([record for _, _, record in records[1:]], asked, ranks.rare_values(cells))
        head = Unit(*spans[0], must=True, heads=len(spans) > 1, noun=Noun.ROWS)
        units = [
            Unit(*span, rank=rank, head=0, noun=Noun.ROWS) for span, rank in zip(spans[1:], worth, strict=True)
        ]
        return Edited([head, *units])


def _records(rows: Rows, at: int) -> Iterator[tuple[int, int, str]]:
    """(first row, row behind, text) of every record up to a blank row; quoted cells may hold line breaks."""
    row = at
    while row < len(rows) and not rows.blank(row):
        parts = [rows.line(row)]
        behind = row + 1
        is_open = parts[0].count('"') % 2 == 1
        while is_open and behind < len(rows) and behind - row < TALL:
            parts.append(rows.line(behind))
            is_open = parts[-1].count('"') % 2 == 0
            behind += 1
        if is_open:  # a lone quote: the row stands for itself
            parts, behind = parts[:1], row + 1
        yield row, behind, "\n".join(parts)
        row = behind


def _separator(rows: Rows, at: int, hint: str) -> str:
    """What separates the fields of the records from here on; empty if they are no records."""
    first = rows.line(at)
    if len(first) > WIDE or not any(mark in first for mark in ",\t;|"):
        return ""
    found = []
    for _, _, record in _records(rows, at):
        found.append(record)
        if len(found) == AHEAD:
            break
    for separator in "\t,;|":
        if first.count(separator) and not first[:1].isspace() and _alike(found, separator, hint):
            return separator
    return ""


def _alike(records: list[str], separator: str, hint: str) -> bool:
    columns = [_columns(record, separator) for record in records]
    if hint in _HINTS:
        return columns[0] > 1
    same = sum(count == columns[0] for count in columns)
    if len(records) < 3 or columns[0] < (2 if separator == "\t" else 3) or same < max(3, len(records) - 1):
        return False
    cells = [_cells(record, separator) for record in records]
    if any(_SENTENCE.search(record) for record in records[:2]):
        return False
    numbers = any(all(_NUMBER.match(cell) for cell in column) for column in zip(*cells[1:], strict=False))
    if _header(cells[0]):
        spaced = sum(cell.startswith(" ") for row in cells for cell in row[1:])
        words = max(len(cell.split()) for row in cells for cell in row)
        return numbers or spaced == 0 or (words <= 3 and separator != ",")
    return numbers and same >= 5


def _header(cells: list[str]) -> bool:
    names = [cell.strip() for cell in cells]
    return (
        all(_NAME.match(name) and len(name.split()) <= 6 for name in names)
        and sum(not name for name in names) <= 1
        and len(set(names)) == len(names)
    )


def _columns(record: str, separator: str) -> int:
    return _QUOTED.sub("", record).count(separator) + 1


def _cells(record: str, separator: str) -> list[str]:
    """Fields without their quoted parts' separators; what they hold in quotes is told apart by its length alone
    where it holds a separator."""
    record = record[:WIDE]
    if '"' in record:
        record = _QUOTED.sub(lambda match: match[0].replace(separator, " "), record)
    return record.split(separator)

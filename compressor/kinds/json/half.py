"""Rows of a JSON document that was cut off or abridged: they look like JSON, and do not parse."""

from __future__ import annotations

import re
from collections import Counter

from moosproxy.compressor.kinds.base import Asked, Rows, Unit

AHEAD = 12
"""Rows looked at to tell half a document; half of them are enough."""
LONG = 200
"""A row of more characters is half a document on its own."""
LABEL = 120
FEW = 12
"""Of fewer rows all stay."""
EDGE = 0.5

_KEY = re.compile(r'[\s\[{\]},]{0,40}"(?:[^"\\]|\\.){0,80}"\s{0,9}:')
_SCALAR = re.compile(r"(?:-?\d[\d.eE+-]{0,30}|true|false|null)\s?,?$")
_START = re.compile(r'\s{0,40}(?:[\[{\s]{1,20}"(?:[^"\\]|\\.){0,80}"\s{0,9}[:,]|\[\s?\[|\{\s?")')
_ABRIDGED = ("...", "…", "// ...")


def half(rows: Rows, at: int) -> int:
    """The row behind those that look like half a document from row `at` on, or `at`."""
    seen = keys = 0
    for row in range(at, min(len(rows), at + AHEAD)):
        if not _shaped(rows, row):
            break
        seen += 1
        keys += _key_row(rows, row)
    if 2 * seen >= AHEAD and 3 * keys >= seen:
        row = at + seen
        while row < len(rows) and _shaped(rows, row):
            row += 1
        return row
    start, end = rows.spans[at]
    if end - start < LONG:
        return at
    opener = min(
        (found for sign in "{[" if (found := rows.text.find(sign, start, start + LABEL)) >= 0), default=-1
    )
    line = rows.text[start : start + LONG]
    return at + 1 if _KEY.match(line) or (opener >= 0 and _START.match(line, opener - start)) else at


def half_starts(lead: str) -> bool:
    """Whether what stands before a complete container opens or continues another one."""
    return bool(lead) and bool(_START.match(lead[:LONG]) or _KEY.match(lead[:LONG]) or not lead.strip("[{, \t"))


def half_units(rows: Rows, asked: Asked) -> list[Unit]:
    """Whole records where rows tell where they begin, else rows; those named, then those at either end last."""
    spans = [span for row, span in enumerate(rows.spans) if not rows.blank(row)]
    if len(spans) < FEW:
        return [Unit(*span, must=True) for span in spans]
    begins = _record_rows([rows.text[start:end] for start, end in spans])
    size = len(begins) - 1
    found = []
    for number, (first, stop) in enumerate(zip(begins, [*begins[1:], len(spans)], strict=True)):
        start, end = spans[first][0], spans[stop - 1][1]
        rank = asked.named(rows.text[start:end]) + EDGE * abs(2 * number / max(size, 1) - 1)
        found.append(Unit(start, end, rank=rank, count=stop - first))
    return found


def _record_rows(lines: list[str]) -> list[int]:
    """The numbers of the rows that open a record, the first row among them; all, if no three are opened alike."""
    opened = {number: line.rstrip() for number, line in enumerate(lines) if line.strip() == "{"}
    usual = Counter(opened.values()).most_common(1)
    if not usual or usual[0][1] < 3:
        return list(range(len(lines)))
    begins = [number for number, line in opened.items() if line == usual[0][0]]
    return begins if begins[0] == 0 else [0, *begins]


def _key_row(rows: Rows, row: int) -> bool:
    return bool(_KEY.match(rows.line(row)[:LONG]))


def _shaped(rows: Rows, row: int) -> bool:
    start, end = rows.spans[row]
    line = rows.text[start : min(end, start + LONG)].strip()
    if not line or _KEY.match(line) or not line.strip("{}[], \t"):
        return bool(line)
    if line.startswith('"'):
        return rows.text[max(start, end - 9) : end].rstrip(" \t\r,").endswith('"')
    return bool(_SCALAR.match(line)) or line.startswith(_ABRIDGED)

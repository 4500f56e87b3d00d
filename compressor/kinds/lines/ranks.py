"""Which rows of a block stay longest: those that the question names, then rare ones, then the first and the last
(or the first of each group), then rows spread evenly. Deterministic, and linear in rows and terms."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Sequence

from moosproxy.compressor.kinds.base import Asked
from moosproxy.compressor.protect.outcomes import severity
from moosproxy.compressor.text.layout import Span
from moosproxy.compressor.text.lexicon import words

BUNCH_CHARS = 200
"""Rows spread evenly stay in bunches of about so many characters: each gap costs a mark."""
LONGEST_BUNCH = 8
LONGEST_ROW = 2000
"""Characters of a row that are looked at for terms of the question."""
COLUMNS = 40
"""Columns that are looked at for rare values."""

_NAMED, _FIRST, _SPREAD = 3.0, 0.9, 0.8
_COMMON = 0.3  # share of a column's rows that its commonest value has, at least, where others can be rare
_MANY = 0.6  # share of a column's rows with rare values, from which on they are not rare at all

_PLAIN = frozenset(
    words("""
    code text txt plain plaintext output out console terminal log logs none bash sh shell zsh shell-session
    shellsession session stdout stderr ansi
    """)
) | {""}


def plain(hint: str) -> bool:
    """Whether rows in a fence with this hint may be the output of a command."""
    return hint in _PLAIN


def worth(
    pieces: Sequence[str], asked: Asked, rare: Sequence[float] = (), firsts: Collection[int] = ()
) -> list[float]:
    """The rank of every row, higher stays longer. pieces: the rows' texts. rare: how rare each is, 0 for not at
    all; empty if none is. firsts: rows that stand for their group (a file, a directory)."""
    named, spread = _named(pieces, asked), _spread(pieces)
    last = len(pieces) - 1
    found = []
    for index, far in enumerate(spread):
        if rare and rare[index] > 0:
            level = 1 + rare[index] + 0.005 * far
        elif index in firsts or index in (0, last):
            level = _FIRST + 0.09 * far
        else:
            level = _SPREAD * far
        found.append(_NAMED * named[index] + level)
    return found


def rare_values(rows: Sequence[Sequence[str]]) -> list[float]:
    """How rare the values of each row are in columns whose other values repeat, in [0, 2)."""
    found = [0.0] * len(rows)
    if len(rows) < 4:
        return found
    best = found[:]
    scale = math.log(len(rows))
    for column in range(min(COLUMNS, max(map(len, rows)))):
        values = [row[column].strip() if column < len(row) else "" for row in rows]
        counts = Counter(values)
        common = max(counts.values()) / len(rows)
        seldom = max(1, len(rows) // 10)
        share = sum(count for count in counts.values() if count <= seldom) / len(rows)
        if common < _COMMON or share > _MANY:
            continue
        for index, value in enumerate(values):
            if counts[value] <= seldom:
                score = common * (1 - share) * (1 - math.log(counts[value]) / scale)
                found[index] += score
                best[index] = max(best[index], score)
    return [top + (total - top) / COLUMNS for top, total in zip(best, found, strict=True)]


def faults(text: str, spans: Sequence[Span]) -> list[bool]:
    """Whether each row tells of a fault. spans: of the rows, ascending."""
    if not spans:
        return []
    first = spans[0][0]
    starts = [start for start, _ in spans]
    found = [False] * len(spans)
    for start, _ in severity(text[first : spans[-1][1]]):
        row = bisect_right(starts, first + start) - 1
        found[row] = found[row] or first + start < spans[row][1]
    return found


def _named(pieces: Sequence[str], asked: Asked) -> list[float]:
    """How much the terms of the question tell about each row: a term that stands in every row tells nothing."""
    found = [0.0] * len(pieces)
    if not asked.terms or len(pieces) < 2:
        return found
    low = [piece[:LONGEST_ROW].lower() for piece in pieces]
    for term in sorted(asked.terms):
        rows = [index for index, piece in enumerate(low) if term in piece]
        if rows:
            weight = 1 - math.log(len(rows)) / math.log(len(pieces))
            for index in rows:
                found[index] += weight
    return found


def _spread(pieces: Sequence[str]) -> list[float]:
    """In (0, 1]: bunches of rows in the order in which each lies in the widest gap of those before it."""
    mean = sum(map(len, pieces)) / max(len(pieces), 1)
    bunch = min(LONGEST_BUNCH, max(1, math.ceil(BUNCH_CHARS / max(mean, 1))), max(1, len(pieces) // 6))
    bits = max(1, ((len(pieces) - 1) // bunch).bit_length())
    return [1 - _mirrored(index // bunch, bits) / (1 << bits) for index in range(len(pieces))]


def _mirrored(number: int, bits: int) -> int:
    return int(f"{number:0{bits}b}"[::-1], 2)

"""What SQL and configuration have in common: every row is exact, and only what is no instruction may go.

Remarks in plain words may go; settings that are commented out go before them, because they are not in force. What
a tool reads in a remark (a pragma, a hint, a licence tag) stays, and so does the name of the file below it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from moosproxy.compressor.kept import Noun, Span, Wrap
from moosproxy.compressor.kinds.base import Asked, Edited, Rows, Unit

UNNAMED = frozenset(("", "code", "text", "txt", "plaintext", "console"))
"""Fences that say nothing about the language, and none."""
STEM = 4
"""A term names what holds its beginning: all but its last three characters, so many at least."""

DIRECTIVE = re.compile(
    r"#!|/\*[+!]|--\+"  # shebang, optimizer hints, conditional comments
    r"|(?:\#|--|//|;|/\*)[\s#*;-]{0,6}+(?:"
    r"-\*-|vim?:|ex:|[\w.-]{0,40}language-server|(?:syntax|escape|check)\s?=|cloud-config|SPDX-|Copyright\b|\(c\)|©"
    r"|(?:yamllint|noqa|nosec|type|pragma|shellcheck|hadolint|tfsec|checkov|trivy|tflint|kics|prettier|eslint|cspell"
    r"|markdownlint|dependabot|renovate|sqlfluff|squawk|gitleaks|kube-linter|zizmor|actionlint)[\s:-]"
    r"|[@+]\s?[\w:-]|name:\s|migrate:|liquibase|region\b|endregion\b|BEGIN\b|END\b"
    r"|(?:Source|File|Path|Filename):\s?\S|(?:~|\.{1,2})?/[\w.@-]++/?[\w.@-]"
    r"|[\w.-]++\.(?:ya?ml|toml|ini|conf|cfg|env|sql|tf)\b"
    r")",
    re.IGNORECASE,
)
"""A remark that does something, or says which file follows."""

_GENERAL = re.compile(
    r"\W{0,4}(?:default|defaults|global|globals|common|all|base|shared|general|anchors|x-[\w-]+)\b", re.I
)


class Head(NamedTuple):
    """A row at which a block begins, and whether that block may go whole."""

    row: int
    free: bool


class Sort(IntEnum):
    """What a row is."""

    BLANK = 0
    EXACT = 1
    REMARK = 2
    DEAD = 3


def exact(rows: Rows, sorts: Sequence[Sort], heads: Sequence[Head], wrap: Wrap, asked: Asked) -> Edited:
    """Rows as units: exact ones stay, remarks may go.

    sorts: of every row; a blank row inside of a value is EXACT. heads: ascending; a free block may go where the
    question names other blocks and not this one.
    """
    units: list[Unit] = []
    for first, stop, other in _parts(rows, heads, sorts, asked):
        if other:
            units += _whole(rows, first, stop, sorts, wrap, rank=0.0)
        else:
            units += _runs(rows, first, stop, sorts, wrap, asked)
    return Edited(units, _blank_runs(rows, sorts))


def names(asked: Asked, piece: str) -> int:
    """How many terms of the question the piece holds, endings aside ("ports" names "port")."""
    low = piece.lower()
    return sum(term[: max(STEM, len(term) - 3)] in low for term in asked.terms)


def _parts(rows: Rows, heads: Sequence[Head], sorts: Sequence[Sort], asked: Asked) -> list[tuple[int, int, bool]]:
    """(first row, row behind, the question names other blocks) from block to block."""
    if not asked.terms or len(heads) < 2:
        return [(0, len(rows), False)]
    starts = [_with_remarks(sorts, head.row) for head in heads]
    spans = list(zip(starts, [*starts[1:], len(rows)], strict=True))
    named = [names(asked, rows.text[rows.spans[a][0] : rows.spans[b - 1][1]]) > 0 for a, b in spans]
    free = [head.free and not _GENERAL.match(rows.line(head.row)) for head in heads]
    parts = [(a, b, any(named) and not own and go) for (a, b), own, go in zip(spans, named, free, strict=True)]
    return [(0, starts[0], False), *parts] if starts[0] else parts


def _with_remarks(sorts: Sequence[Sort], row: int) -> int:
    """The first of the remarks right above a row."""
    while row > 0 and sorts[row - 1] in (Sort.REMARK, Sort.DEAD):
        row -= 1
    return row


def _whole(
    rows: Rows, first: int, stop: int, sorts: Sequence[Sort], wrap: Wrap, rank: float | None = None
) -> list[Unit]:
    """One unit from the first row that is not blank to the last; it stays if it has no rank."""
    while first < stop and rows.blank(first):
        first += 1
    while stop > first and rows.blank(stop - 1):
        stop -= 1
    if first == stop:
        return []
    count = sum(sorts[row] is not Sort.BLANK for row in range(first, stop))
    start, end = rows.spans[first][0], rows.spans[stop - 1][1]
    return [Unit(start, end, rank=rank, must=rank is None, noun=Noun.LINES, wrap=wrap, count=count)]


def _runs(rows: Rows, first: int, stop: int, sorts: Sequence[Sort], wrap: Wrap, asked: Asked) -> list[Unit]:
    """Exact rows as they stand together, a paragraph of remarks, every dead row for itself."""
    units: list[Unit] = []
    at = first
    while at < stop:
        end = at + 1
        sort = sorts[at]
        if sort is Sort.EXACT:
            while end < stop and sorts[end] in (Sort.EXACT, Sort.BLANK):
                end += 1
            units += _whole(rows, at, end, sorts, wrap)
        elif sort is not Sort.BLANK:
            while end < stop and sort is Sort.REMARK and sorts[end] is Sort.REMARK:
                end += 1
            piece = rows.text[rows.spans[at][0] : rows.spans[end - 1][1]]
            rank = names(asked, piece) + (0.5 if sort is Sort.REMARK else 0.1)
            units += _whole(rows, at, end, sorts, wrap, rank)
        at = end
    return units


def _blank_runs(rows: Rows, sorts: Sequence[Sort]) -> list[Span]:
    """All but the first of blank rows in a row, if what follows continues nothing."""
    drops: list[Span] = []
    at = 0
    while at < len(rows):
        end = at
        while end < len(rows) and sorts[end] is Sort.BLANK:
            end += 1
        if end - at > 1 and at > 0 and end < len(rows) and not rows.line(end)[:1].isspace():
            drops.append((rows.spans[at][1], rows.spans[end - 1][1]))
        at = end + 1
    return drops

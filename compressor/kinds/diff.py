"""Unified diffs: files, hunks, groups of changed rows. A group stays or goes whole; rows around it go first."""

from __future__ import annotations

from dataclasses import dataclass

from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind, Unit
from moosproxy.compressor.kinds.source.languages import language
from moosproxy.compressor.kinds.source.naming import named
from moosproxy.compressor.kinds.source.patches import HUNK, hunk_end, in_header, line_of, midway, opens
from moosproxy.compressor.kinds.source.rows import read
from moosproxy.compressor.kinds.source.statements import statements
from moosproxy.compressor.kinds.source.worth import worth
from moosproxy.compressor.text.patterns import Pattern

PARTED = 16
"""More rows on end that are only added, or only removed, are taken by statements."""
LOOKED_AT = 200
"""Rows looked at to tell the language of a new file."""

_LOCK = Pattern(
    r"(?i)(?:^|[/ ])(?:package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|[\w.-]*\.lock|[\w.-]*\.lockb"
    r"|go\.sum|[\w.-]*-lock\.\w+"
    r"|\S*\.(?:min\.(?:js|css)|map|snap|svg|pb\.go|g\.dart)|\S*_pb2(?:_grpc)?\.pyi?|\S*\bgenerated\b\S*"
    r"|\S*/(?:dist|vendor|node_modules)/\S*)"
    r"(?=\s|$)"
)
_TEST = Pattern(r"(?i)(?:^|[/_. ])(?:tests?|specs?|fixtures?|__snapshots__|docs?|changelog)(?=[/_.\s]|$)")
_IMPORT = Pattern(r"\s*(?:import|from|use|using|require|\#include|package)\b|\s*$")

_GROUP, _HEADER, _HUNK_HEADER, _CONTEXT = 10.0, 9.0, 4.0, 2.0
_NAMED = 12.0
_SHARE = 0.25


@dataclass(slots=True)
class _File:
    """What is known of the file that is being read. unit: of its header, -1 before the first. worth: _worth."""

    name: str = ""
    worth: float = 0.0
    unit: int = -1
    hunk: int = -1
    groups: int = 0


@dataclass(slots=True)
class _Draft:
    """A unit before it is ranked."""

    start: int
    end: int
    head: int
    rank: float
    rows: int
    name: str = ""
    heads: bool = False


class Diff:
    """Patches, as git and diff write them, whole or cut."""

    kind = TextKind.DIFF

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """The header of a file or hunk with the rows behind it; rows of a hunk whose beginning is missing."""
        if not opens(rows, at) and not midway(rows, at, hint):
            return at
        row = end = at
        while row < len(rows):
            row = hunk_end(rows, row) if HUNK.match(line_of(rows, row)) or row == at else row + 1
            end = row
            while row < len(rows) and rows.blank(row):
                row += 1
            if row >= len(rows) or not (opens(rows, row) or (row == end and in_header(rows, row))):
                break
        while end > at and rows.blank(end - 1):
            end -= 1
        return end

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """Headers, groups of changes and the rows between them."""
        rows = Rows(text, block.start, block.end)
        drafts = _drafts(rows)
        hits = named([f"{text[draft.start : draft.end]} {draft.name}" for draft in drafts], asked)
        return Edited(
            [
                Unit(
                    d.start, d.end, rank=d.rank + _NAMED * min(hit, 2.0), head=d.head, count=d.rows, heads=d.heads
                )
                for d, hit in zip(drafts, hits, strict=True)
            ]
        )


def _drafts(rows: Rows) -> list[_Draft]:
    found: list[_Draft] = []
    file = _File()
    row = 0
    while row < len(rows):
        if rows.blank(row):
            row += 1
        elif HUNK.match(line_of(rows, row)):
            file.hunk = len(found)
            found.append(_draft(rows, row, row + 1, file.unit, _HUNK_HEADER + file.worth))
            end = hunk_end(rows, row)
            signs = max(len(line_of(rows, row)) - len(line_of(rows, row).lstrip("@")) - 1, 1)
            _hunk(rows, row + 1, end, file, found, signs)
            row = end
        elif opens(rows, row) or in_header(rows, row):
            row = _file(rows, row, file, found)
        else:
            end = max(hunk_end(rows, row), row + 1)
            _hunk(rows, row, end, file, found, 1)
            row = end
    return found


def _file(rows: Rows, at: int, file: _File, found: list[_Draft]) -> int:
    """The header of a file as one unit; the row behind it."""
    end = at + 1
    while end < len(rows) and in_header(rows, end) and not line_of(rows, end).startswith("diff --"):
        end += 1
    file.name = " ".join(line_of(rows, row) for row in range(at, end))
    file.worth = _worth(file.name)
    file.unit = file.hunk = len(found)
    file.groups = 0
    changed = end < len(rows) and HUNK.match(line_of(rows, end))
    rank = _HEADER + file.worth - (0.0 if changed else 5.0)
    found.append(_draft(rows, at, end, -1, rank, file.name))
    return end


def _worth(name: str) -> float:
    """What a file counts for: little if a machine wrote it."""
    if _LOCK.search(name.replace(" a/", " ").replace(" b/", " ")):
        return -6.0
    return -0.8 if _TEST.search(name) else 0.0


def _hunk(rows: Rows, at: int, end: int, file: _File, found: list[_Draft], signs: int) -> None:
    """Groups of changes, and every other row by its distance to one."""
    kinds = [_changed(line_of(rows, row), signs) for row in range(at, end)]
    near = _distances(kinds)
    row = at
    while row < end:
        behind = row + 1
        if kinds[row - at]:
            while behind < end and kinds[behind - at]:
                behind += 1
            file.groups += 1
            rank = _GROUP + file.worth + _group_worth(rows, row, behind) - 0.1 * min(file.groups, 20)
            if _parted(rows, row, behind):
                found += _statements(rows, row, behind, file, rank, len(found))
            else:
                found.append(_draft(rows, row, behind, file.hunk, rank))
        elif not rows.blank(row):
            rank = _CONTEXT + file.worth / 3 - 0.3 * min(near[row - at], 6)
            found.append(_draft(rows, row, behind, file.hunk, rank))
        row = behind


def _changed(line: str, signs: int) -> bool:
    """Whether a row is added, removed, or says of such a row that its line break is missing."""
    front = line[:signs]
    return "+" in front or "-" in front or front.startswith("\\")


def _distances(kinds: list[bool]) -> list[int]:
    """How many rows away the nearest changed row is, for every row."""
    near = [len(kinds)] * len(kinds)
    for order in (range(len(kinds)), range(len(kinds) - 1, -1, -1)):
        last = len(kinds)
        for index in order:
            last = 0 if kinds[index] else last + 1
            near[index] = min(near[index], last)
    return near


def _group_worth(rows: Rows, at: int, end: int) -> float:
    """Less for changes of white space alone and of imports; a little less for long ones."""
    sides: dict[str, list[str]] = {"+": [], "-": []}
    for row in range(at, end):
        line = line_of(rows, row)
        sides.setdefault(line[:1], []).append("".join(line[1:].split()))
    if sides["+"] == sides["-"]:
        return -5.0
    if "".join(sides["+"]) == "".join(sides["-"]):
        return -4.0
    if all(_IMPORT.match(line_of(rows, row)[1:]) for row in range(at, end)):
        return -2.0
    return -0.02 * min(end - at, 50)


def _parted(rows: Rows, at: int, end: int) -> bool:
    """Whether a group is long and has one side only: nothing in it can be taken for the other side."""
    return end - at > PARTED and len({line_of(rows, row)[:1] for row in range(at, end)} - {"\\"}) == 1


def _statements(rows: Rows, at: int, end: int, file: _File, rank: float, base: int) -> list[_Draft]:
    """A new or a removed file, by its statements. base: index of the first."""
    last = end
    while line_of(rows, last - 1).startswith("\\"):
        last -= 1
    inner = Rows(rows.text, rows.spans[at][0], rows.spans[last - 1][1])
    tongue = language("\n".join(line_of(rows, row)[1:] for row in range(at, min(last, at + LOOKED_AT))), "")
    drafts = [
        _Draft(
            s.start,
            s.end,
            base + s.head if s.head >= 0 else file.hunk,
            rank + _SHARE * (worth(rows.text, s) - 8),
            s.rows,
            heads=s.rows == 0,
        )
        for s in statements(read(inner, tongue, 1), tongue)
    ]
    if last < end and drafts:
        drafts[-1].end = rows.spans[end - 1][1]
        drafts[-1].rows += end - last
    return drafts


def _draft(rows: Rows, at: int, end: int, head: int, rank: float, name: str = "") -> _Draft:
    count = sum(not rows.blank(row) for row in range(at, end))
    last = rows.spans[end - 1]
    stop = last[0] + len(rows.text[last[0] : last[1]].rstrip())
    return _Draft(rows.spans[at][0], max(stop, rows.spans[at][0] + 1), head, rank, count, name)

"""Where configuration ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from moosproxy.compressor.kinds.base import Rows
from moosproxy.compressor.kinds.config.patterns import (
    ANY_REMARK,
    ASSIGN,
    BLOCK,
    CAMEL,
    CODE,
    COLON,
    DIRECTIVE,
    DOCKER,
    DOCUMENT,
    ITEM,
    KEY,
    LIMIT,
    PAIR,
    REMARKS,
    SWITCH,
    brace_row,
    is_prose,
)
from moosproxy.compressor.kinds.config.rows import DEAD, INSIDE, OPENER, SECTION, STRING, Form, indent


class _Place(NamedTuple):
    """Where a row stands. first: row of the first setting. apart: behind a blank row. depth: open braces."""

    row: int
    first: int
    apart: bool
    depth: int


def end_of(rows: Rows, first: int, form: Form) -> int:
    """The row behind the last setting of the file that begins with the setting of a row."""
    end, depth, goes_on = first, 0, _GOES_ON[form]
    row = first
    for row, inside in zip(range(first, len(rows)), INSIDE[form](rows, first), strict=False):
        line = rows.line(row)
        if not inside and (rows.blank(row) or ANY_REMARK.match(line[:200])):
            if row - end > REMARKS:
                return end
            if row == end or (form is Form.PAIRS and DEAD.match(line[:300])):
                end = row + (not rows.blank(row))
            continue
        place = _Place(row, first, row > first and rows.blank(row - 1), depth)
        if not inside and row > first and not goes_on(rows, line, place):
            return end
        end = row + 1
        if form is Form.BRACES and not inside:
            bare = STRING.sub("", line)
            depth = max(0, depth + bare.count("{") - bare.count("}"))
    while row > end and rows.blank(row):
        row -= 1
    return max(end, row + 1)  # only remarks follow


def _yaml_goes_on(rows: Rows, line: str, place: _Place) -> bool:
    base = indent(rows.line(place.first))
    if indent(line) > base or DOCUMENT.match(line):
        return True
    if indent(line) < base:
        return False
    opening = rows.line(place.first)
    if ITEM.match(line):
        return bool(ITEM.match(opening)) or not place.apart
    key = KEY.match(line[:2000])
    if key is None:
        return line.strip()[:1] in ("]", "}") and not place.apart
    foreign = place.apart and key["key"][:1].isupper() and not opening.lstrip("\"'- ")[:1].isupper()
    return not foreign and not (place.apart and key["value"] and is_prose(key["value"]))


def _pairs_go_on(rows: Rows, line: str, place: _Place) -> bool:
    line = line[:2000]
    if SECTION.match(line) or (ASSIGN.match(line) and not CODE.match(line)):
        return True
    if not place.apart and (line[:1].isspace() or COLON.match(line) or ASSIGN.match(line)):
        return True
    return _keyed(line) or (not place.apart and bool(PAIR.match(line)) and _keyed_below(rows, place.row))


def _keyed(line: str) -> bool:
    """Whether a key and its value, with a blank between, can be nothing else."""
    pair = PAIR.match(line)
    if pair is None or line.rstrip().endswith((".", "?", "!", ":", ",")):
        return False
    values = pair["value"].split()
    switched = len(values) < 3 and bool(SWITCH.match(values[-1]))
    return bool(
        LIMIT.match(line)
        or (switched and " " not in pair["value"])
        or (CAMEL.match(pair["key"]) and len(values) < 5)
    )


def _keyed_below(rows: Rows, row: int) -> bool:
    """Whether one of the next rows is a key and its value, with no blank row before it."""
    for below in range(row + 1, min(row + 4, len(rows))):
        line = rows.line(below)[:2000]
        if rows.blank(below):
            return False
        if _keyed(line) or SECTION.match(line) or ASSIGN.match(line):
            return True
    return False


def _braces_go_on(rows: Rows, line: str, place: _Place) -> bool:
    line = line[:2000]
    if place.depth:
        return line[:1].isspace() or brace_row(line)
    known = BLOCK.match(line) or DIRECTIVE.match(line) or line[:1] in ("}", "]") or line.startswith("EO")
    return bool(
        known or (OPENER.match(line) and not line[:1].isspace()) or (ASSIGN.match(line) and not CODE.match(line))
    )


def _docker_goes_on(rows: Rows, line: str, place: _Place) -> bool:
    return bool(DOCKER.match(line))


_GOES_ON: dict[Form, Callable[[Rows, str, _Place], bool]] = {
    Form.YAML: _yaml_goes_on,
    Form.PAIRS: _pairs_go_on,
    Form.BRACES: _braces_go_on,
    Form.DOCKER: _docker_goes_on,
}

"""In which form rows of configuration are written, if in any."""

from __future__ import annotations

import re
from collections.abc import Callable

from moosproxy.compressor.kinds.base import Rows
from moosproxy.compressor.kinds.config.patterns import (
    AHEAD,
    ASSIGN,
    BLOCK,
    CAMEL,
    CODE,
    COLON,
    DIRECTIVE,
    DOCKER,
    DOCKER_FIRST,
    DOCUMENT,
    ITEM,
    KEY,
    LIMIT,
    PAIR,
    REMARK,
    REMARKS,
    SWITCH,
    brace_row,
    is_prose,
)
from moosproxy.compressor.kinds.config.rows import DEAD, INSIDE, SECTION, Form, indent

LONG = 2000
"""No first row of a file has more characters."""
DEEP = 4
"""Settings that no other stands above are indented by less."""
LEAST_DEAD = 4
"""So many settings that are commented out tell a file without others."""
_WRITTEN = re.compile(
    r"^\s*(?:-\s+)?[\w.]*[_-][\w.-]*:|:\s+(?:\"[^\"]*\"|'[^']*'|true|false|null|\[.*\]|-?\d+)\s*$"
)


def told(rows: Rows, first: int) -> Form | None:
    """How the file is written that begins with the setting of a row; None if none does."""
    line = rows.line(first)
    if len(line) > LONG:
        return None
    for form, (opening, looks) in _LOOKS.items():
        if any(pattern.match(line) for pattern in opening) and looks(rows, first):
            return form
    return None


def first_setting(rows: Rows, at: int) -> int:
    """The first row that is neither blank nor a remark, -1 for none near; a heading of Markdown is no remark."""
    row = at
    while row < min(len(rows), at + REMARKS):
        line = rows.line(row)[:200]
        if line.strip() and not REMARK.match(line):
            return row
        row += 1
        title = row == at + 1 and line.startswith("# ") and row < len(rows) and rows.blank(row)
        if title and "/" not in line and "." not in line:
            return -1
    return -1


def _ahead(rows: Rows, first: int, count: int, form: Form) -> list[str]:
    """The next settings that lie in no value that an earlier row opened."""
    found: list[str] = []
    reach = range(first, min(len(rows), first + 10 * count))
    for row, inside in zip(reach, INSIDE[form](rows, first), strict=False):
        line = rows.line(row)[:400]
        if line.strip() and not inside and not REMARK.match(line):
            found.append(line)
            if len(found) == count:
                break
    return found


def _is_docker(rows: Rows, first: int) -> bool:
    ahead = _ahead(rows, first, 8, Form.DOCKER)
    return any(DOCKER.match(line) for line in ahead[1:])


def _is_braces(rows: Rows, first: int) -> bool:
    """Blocks in braces whose names are those of nginx, HCL and their like."""
    ahead = _ahead(rows, first, 10, Form.BRACES)
    opened = any(BLOCK.match(line) for line in ahead)
    known = [line for line in ahead if brace_row(line)]
    return (
        opened
        and len(ahead) > 2
        and len(known) * 10 >= len(ahead) * 8
        and not any("(" in x and x.endswith(";") and "=" in x for x in ahead)
    )


def _is_pairs(rows: Rows, first: int) -> bool:
    """A section with settings, assignments, or keys with values."""
    ahead = _ahead(rows, first, 8, Form.PAIRS)
    paragraph = ahead[: _unbroken(rows, first)]
    if SECTION.match(ahead[0]):
        behind = [line for line in ahead[1:4] if not SECTION.match(line)]
        return bool(behind) and (bool(ASSIGN.match(behind[0])) or all(map(COLON.match, behind[:2])))
    if any(CODE.match(line) for line in ahead[:6]):
        return False
    run = 0
    while run < len(ahead) and (ASSIGN.match(ahead[run]) or SECTION.match(ahead[run])):
        run += 1
    if indent(ahead[0]) >= DEEP:
        return False
    capitals = all(line.split("=")[0].replace("export ", "").strip().isupper() for line in ahead[:run])
    if run >= (3 if capitals else 4):
        return True
    return _is_keyed(ahead[: max(5, len(paragraph))])


def _is_keyed(ahead: list[str]) -> bool:
    """Keys and values with a blank between them: most keys are written as such, most values are switches."""
    if len(ahead) < 5:
        return False
    pairs = [PAIR.match(line) for line in ahead]
    limits = sum(bool(LIMIT.match(line)) for line in ahead)
    if limits * 2 >= len(ahead):
        return True
    aligned = all("_" in line.split()[0] and line.split()[0].isupper() for line in ahead)
    if not all(pair and (aligned or len(pair["gap"]) == 1) and len(pair["value"].split()) < 6 for pair in pairs):
        return False
    found = [pair for pair in pairs if pair]
    keys = {pair["key"] for pair in found}
    camel = sum(bool(CAMEL.match(pair["key"])) for pair in found)
    switches = sum(bool(SWITCH.match(pair["value"].split()[0])) for pair in found)
    return len(keys) * 3 > len(found) * 2 and camel * 2 >= len(found) and (camel + switches) >= len(found)


def _unbroken(rows: Rows, first: int) -> int:
    row = first
    while row < min(len(rows), first + 8) and not rows.blank(row):
        row += 1
    return row - first


def _is_yaml(rows: Rows, first: int) -> bool:
    """Keys in keys, or several keys in small letters with short values, and next to nothing else."""
    ahead = _outside(rows, first)
    if ahead[0].rstrip().endswith(("{", "[")):
        return False
    keys = [KEY.match(line) for line in ahead]
    odd = sum(not (key or ITEM.match(line) or DOCUMENT.match(line)) for key, line in zip(keys, ahead, strict=True))
    code = sum(line.rstrip().endswith((",", ";", "{", "(")) or " = " in line for line in ahead)
    found = [key for key in keys if key]
    small = sum(key["key"][:1].islower() or key["key"][:1] in "$\"'/{<" for key in found)
    prose = sum(bool(key["value"]) and is_prose(key["value"]) for key in found)
    if len(found) < 3 or odd * 8 > len(ahead) or code * 5 > len(ahead) or prose * 2 > len(found):
        return False
    written = sum(bool(_WRITTEN.search(x)) for x in ahead)
    flat = (
        indent(ahead[0]) < DEEP
        and small == len(found)
        and not prose
        and len({key["key"] for key in found}) >= (3 if written else 4)
    )
    deep = _nested(ahead)
    if deep >= 2:
        return small * 10 >= len(found) * 7 or deep >= 4
    return flat or (deep == 1 and written > 0 and small == len(found))


def _outside(rows: Rows, first: int) -> list[str]:
    """The next rows that lie in no value that an earlier row opened, without remarks."""
    found: list[str] = []
    odd = 0
    for row, inside in zip(
        range(first, min(len(rows), first + 3 * AHEAD)), INSIDE[Form.YAML](rows, first), strict=False
    ):
        line = rows.line(row)[:400]
        if line.strip() and not inside and not REMARK.match(line):
            found.append(line)
            odd += _odd(rows, row)
            if len(found) == AHEAD or odd > AHEAD // 8:
                break
        elif not line.strip() and len(found) > 2 and _foreign(rows, row + 1):
            break
    return found


def _odd(rows: Rows, row: int) -> int:
    """1 for a row that is no key, item or document's border; looked at once though it is read ahead to often."""
    if ("odd", row) not in rows.told:
        line = rows.line(row)[:400]
        rows.told["odd", row] = not (KEY.match(line) or ITEM.match(line) or DOCUMENT.match(line))
    return rows.told["odd", row]


def _foreign(rows: Rows, row: int) -> bool:
    """Whether another text begins: the row is neither indented nor a key, an item or a remark."""
    line = rows.line(row)[:400] if row < len(rows) else ""
    return (
        bool(line.strip())
        and not line[0].isspace()
        and not (KEY.match(line) or ITEM.match(line) or REMARK.match(line))
    )


def commented(rows: Rows, at: int) -> bool:
    """Whether a file begins at a row whose settings are all or nearly all commented out."""
    dead = 0
    for row in range(at, min(len(rows), at + REMARKS)):
        line = rows.line(row)[:300]
        if rows.blank(row):
            continue
        if line[:1] != "#" and not ASSIGN.match(line):
            break
        dead += bool(ASSIGN.match(line) or (DEAD.match(line) and ("=" in line or line[1:2].isalpha())))
    return dead >= LEAST_DEAD and rows.line(at)[:1] == "#"


def _nested(ahead: list[str]) -> int:
    """How many keys stand deeper than the key without a value before them, or begin an item below it."""
    count = 0
    parent = -1
    for line in ahead:
        key = KEY.match(line)
        depth = indent(line)
        if key and parent >= 0 and (depth > parent or (depth == parent and "-" in key["lead"])):
            count += 1
        if key and not key["value"]:
            parent = len(key["lead"])
        elif key and depth <= parent:
            parent = -1
    return count


_LOOKS: dict[Form, tuple[tuple[re.Pattern[str], ...], Callable[[Rows, int], bool]]] = {
    Form.DOCKER: ((DOCKER_FIRST,), _is_docker),
    Form.BRACES: ((BLOCK, DIRECTIVE), _is_braces),
    Form.PAIRS: ((SECTION, ASSIGN, PAIR, LIMIT), _is_pairs),
    Form.YAML: ((KEY, DOCUMENT), _is_yaml),
}
"""By form: what its first setting looks like, and what the rows behind it must be."""

"""Stack traces and test failures: what went wrong always stays, own frames stay longer than those of libraries.

Pygments has lexers for Python's traces alone; what other languages print is told by their rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from moosproxy.compressor.kept import Noun
from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind, Unit
from moosproxy.compressor.kinds.lines import ranks
from moosproxy.compressor.kinds.lines.trace_rows import (
    ERROR,
    FRAME,
    HEAD,
    MARKED,
    OPENING,
    PROMPT,
    RUNNER,
    Role,
    library,
    names_fault,
    role,
)

AHEAD = 6
"""Rows below an error in which its first frame must stand."""
GAP = 3
"""So many rows of no known role may stand inside a trace."""
RUN_GAP = 30
"""... and inside of what a test runner prints, which shows source code."""
MESSAGE_ROWS = 12
"""Rows of one message that always stay; of a longer one the others are ranked."""
ABOVE = 3
"""Rows above the first frame that are its message."""
SOURCE_ROWS = 3
"""Rows of source code and carets that belong to a frame."""

OWN, _OTHER, _MARKED, _CODE, _LIBRARY, _PASSED = 4.0, 3.0, 3.5, 1.5, 0.5, 0.0
"""What a row is worth by what it is, the program's own frames the most."""


class Trace:
    """Rows from a trace's or a test run's first to its last."""

    kind = TextKind.TRACE

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """A trace, with what a shell says right behind it, or what a test runner prints."""
        if not (ranks.plain(hint) or hint in ("pytb", "traceback", "python", "java", "js")) or not _opens(
            rows, at
        ):
            return at
        end, row = at + 1, at + 1
        runs = _runner(rows, at)
        while row < len(rows) and row - end <= (RUN_GAP if runs else GAP):
            line = rows.line(row)[:HEAD]
            found = role(line)
            if found is Role.OTHER:
                known = (row - end < 1 and names_fault(line)) or bool(PROMPT.match(line))
            else:
                near = row == end or line.lstrip()[:1] not in ("-", "+")  # else a list of what was written by hand
                known = near and (runs or found in (Role.FRAME, Role.OPENING, Role.MESSAGE))
                runs = runs or bool(RUNNER.match(line))
            end = row + 1 if known else end
            row += 1
        return end

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """Messages and results stay; frames and other rows are units."""
        return Edited(units(Rows(text, block.start, block.end), asked))


def units(rows: Rows, asked: Asked) -> list[Unit]:
    """The rows of a trace: frames with their source code, messages, results and what stands between them."""
    parts = _parts(rows)
    spans = [(rows.spans[first][0], rows.spans[behind - 1][1]) for first, behind, _ in parts]
    pieces = [rows.text[start:end] for start, end in spans]
    named = ranks.worth(pieces, asked)
    near = _nearness(parts, pieces)
    seen: set[str] = set()
    lasting = 0
    found = []
    for index, (first, _, what) in enumerate(parts):
        fixed = what in (Role.MESSAGE, Role.RESULT, Role.OPENING)
        lasting = lasting + 1 if what is Role.MESSAGE and index and parts[index - 1][2] is what else 0
        must = fixed and lasting < MESSAGE_ROWS and pieces[index] not in seen
        seen.add(pieces[index] if fixed else "")
        noun = Noun.FRAMES if what is Role.FRAME else Noun.LINES
        own = what is Role.FRAME and not library(rows.line(first))
        rank = named[index] + _level(what, rows.line(first), near[index], own=own)
        found.append(Unit(*spans[index], rank=None if must else rank, must=must, noun=noun, fact=own or must))
    return found


def _level(what: Role, line: str, near: float, *, own: bool) -> float:
    if what is Role.FRAME:
        return (OWN if own else _LIBRARY) + near
    if what is Role.CODE:
        return _MARKED if MARKED.match(line[:HEAD]) else _CODE
    return _PASSED if what is Role.PASSED else _OTHER


def _nearness(parts: Sequence[tuple[int, int, Role]], pieces: Sequence[str]) -> list[float]:
    """How near each frame is to where the error arose, 2 for the very place; 0 for what is no frame.

    Python tells the place last, all others tell it first.
    """
    found = [0.0] * len(parts)
    start = 0
    while start < len(parts):
        end = start
        while end < len(parts) and parts[end][2] is Role.FRAME:
            end += 1
        size = end - start
        downward = size and pieces[start].lstrip(" \t|+").startswith("File ")
        for index in range(start, end):
            place = end - 1 - index if downward else index - start
            found[index] = 2.0 if place == 0 else 1 - place / size
        start = end + 1
    return found


def _parts(rows: Rows) -> list[tuple[int, int, Role]]:
    """(first row, row behind, role) of all that is not blank."""
    found: list[tuple[int, int, Role]] = []
    row = 0
    while row < len(rows):
        if rows.blank(row):
            row += 1
            continue
        what = role(rows.line(row))
        before = found[-1] if found else None
        behind = row + 1
        if what is Role.FRAME:
            behind = _frame_end(rows, row)
        elif what is Role.OTHER and before and before[1] == row and _says(rows, row, before):
            what = Role.MESSAGE
        if what is Role.FRAME:
            _tell(found, row)
        found.append((row, behind, what))
        row = behind
    return found


def _says(rows: Rows, row: int, before: tuple[int, int, Role]) -> bool:
    """Whether a row of no known role goes on with the message before it, or is one behind frames."""
    if before[2] is Role.OPENING:
        return not _runner(rows, before[0])
    return before[2] is Role.MESSAGE or (before[2] is Role.FRAME and names_fault(rows.line(row)))


def _tell(found: list[tuple[int, int, Role]], row: int) -> None:
    """Rows right above the first frame are the message, whatever they are called."""
    for index in range(len(found) - 1, max(len(found) - 1 - ABOVE, -1), -1):
        first, behind, what = found[index]
        if what is not Role.OTHER or behind != row:
            return
        found[index] = (first, behind, Role.MESSAGE)
        row = first


def _frame_end(rows: Rows, row: int) -> int:
    """The row behind a frame, its source code and carets included, or the path that its second row tells."""
    line = rows.line(row)[:HEAD]
    indent = len(line) - len(line.lstrip())
    behind = row + 1
    while behind < len(rows) and behind - row <= SOURCE_ROWS and not rows.blank(behind):
        below = rows.line(behind)[:HEAD]
        deeper = len(below) - len(below.lstrip()) > indent
        path = below.startswith("\t") or (below.lstrip().startswith("at ") and "File" not in line and deeper)
        if not deeper or (not path and not line.lstrip(" |+").startswith("File ")):
            break
        if line.lstrip(" |+").startswith("File ") and FRAME.match(below):
            break
        behind += 1
        if path:
            break
    return behind


def _opens(rows: Rows, at: int) -> bool:
    line = rows.line(at)[:HEAD].rstrip()
    if OPENING.match(line) or _runner(rows, at):
        return True
    below = [rows.line(row)[:HEAD].rstrip() for row in range(at + 1, min(len(rows), at + 1 + AHEAD))]
    framed = [bool(FRAME.match(row)) for row in below]
    if FRAME.match(line):
        return sum(framed[:3]) >= 1
    opening = any(OPENING.match(row) for row in below[:1])
    return opening or (bool(ERROR.match(line)) and any(framed)) or sum(framed[:3]) >= 2


def _runner(rows: Rows, at: int) -> bool:
    return bool(RUNNER.match(rows.line(at)[:HEAD].rstrip()))

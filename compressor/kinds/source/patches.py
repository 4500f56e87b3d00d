"""Rows of diffs: where files and hunks begin and end."""

from __future__ import annotations

from moosproxy.compressor.kinds.base import Rows
from moosproxy.compressor.text.patterns import Pattern

AHEAD = 40
"""Rows looked at for the header of a diff that begins in the middle of a hunk."""
CUT = 400
"""Characters of a row that are looked at."""

_FILE = Pattern(r"diff --(?:git|cc|combined) |diff -\S+ |Index: \S|Only in .+: |Binary files ")
_EXTENDED = Pattern(
    r"index [\da-f]+|(?:old|new) mode |(?:new|deleted) file mode |mode \d|(?:copy|rename) (?:from|to) "
    r"|(?:dis)?similarity index |Binary files |GIT binary patch|=====+$|RCS file: |retrieving revision |diff -"
    r"|Index: "
)
HUNK = Pattern(r"(?P<signs>@@+) (?:-\d+(?:,\d+)? )+\+\d+(?:,\d+)? @@+(?P<of>.*)|@@ (?:\.\.\.|-.*\+.*) @@")
_COUNTS = Pattern(r"[-+]\d+(?:,(\d+))?")
_FENCE = Pattern(r"\s{0,3}(?:`{3,}|~{3,})\s*$")
_SIGNATURE = Pattern(r"-- ?$")


def line_of(rows: Rows, row: int) -> str:
    line = rows.line(row)
    return line if len(line) <= CUT else line[:CUT].rstrip("\r")


def opens(rows: Rows, row: int) -> bool:
    """Whether a file or hunk begins in a row."""
    line = line_of(rows, row)
    if HUNK.match(line) or line.startswith(("diff --git ", "diff --cc ", "diff --combined ")):
        return True
    following = line_of(rows, row + 1) if row + 1 < len(rows) else ""
    if line.startswith("--- "):
        return following.startswith("+++ ")
    if _FILE.match(line) or _EXTENDED.match(line):
        return any(
            line_of(rows, other).startswith(("--- ", "@@ ", "Binary files "))
            for other in range(row + 1, min(len(rows), row + 6))
        )
    return False


def in_header(rows: Rows, row: int) -> bool:
    """Whether a row belongs to the header of a file."""
    line = line_of(rows, row)
    if line.startswith("--- "):
        return row + 1 < len(rows) and line_of(rows, row + 1).startswith("+++ ")
    if line.startswith("+++ "):
        return row > 0 and line_of(rows, row - 1).startswith("--- ")
    return bool(_FILE.match(line) or _EXTENDED.match(line))


def midway(rows: Rows, at: int, hint: str) -> bool:
    """Whether the rows from here on are the rest of a hunk: changed rows, and then the header of the next."""
    if not line_of(rows, at).startswith(("+", "-", " ")) or (
        at > 0 and _signed(rows, at - 1) and not rows.blank(at - 1)
    ):
        return False
    changed = 0
    for row in range(at, min(len(rows), at + AHEAD)):
        if opens(rows, row):
            return changed > 0 or not rows.text[: min(CUT, rows.spans[at][0])].strip()
        if not _signed(rows, row):
            return hint in ("diff", "patch") and changed > 0
        changed += line_of(rows, row).startswith(("+", "-"))
    return hint in ("diff", "patch") and changed > 0


def _signed(rows: Rows, row: int) -> bool:
    return rows.blank(row) or line_of(rows, row).startswith(("+", "-", " ", "\\", "\t"))


def hunk_end(rows: Rows, at: int) -> int:
    """The row behind a hunk. Its header says how many rows it has; where that is wrong, signs tell."""
    match = HUNK.match(line_of(rows, at))
    counts = [int(count or 1) for count in _COUNTS.findall(match[0].partition(" @@")[0])] if match else []
    new, old = (counts[-1], counts[0]) if counts else (0, 0)
    row = at + 1 if match or opens(rows, at) or not _signed(rows, at) else at
    while row < len(rows):
        line = line_of(rows, row)
        counted = new > 0 or old > 0
        if (line.lstrip()[:1] in ("`", "~") and _FENCE.match(line)) or (not counted and _SIGNATURE.match(line)):
            break
        if not counted and (opens(rows, row) or (rows.blank(row) and not line)):
            break
        if line and line[0] not in "+- \\\t":
            break
        if match is None and opens(rows, row):
            break
        new -= line[:1] not in ("-", "\\")
        old -= line[:1] not in ("+", "\\")
        row += 1
    return row

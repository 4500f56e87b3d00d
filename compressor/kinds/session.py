"""Shell sessions: commands behind a prompt, and what each of them said."""

from __future__ import annotations

from collections.abc import Iterator

from moosproxy.compressor.kinds.base import Asked, Edited, Rows, Unit
from moosproxy.compressor.kinds.source.naming import named
from moosproxy.compressor.text.patterns import Pattern

ANSWER = 2
"""An output of at most so many rows is an answer."""
CUT = 400

# An error brings its command along, so it goes before commands that say nothing of what they did.
_ERROR, _COMMAND_LINE = 9.5, 9.0
_PROMPT = Pattern(
    r"\s{0,3}(?:(?:\([\w.-]+\)\s)?(?:[\w.-]+@[\w.-]+(?::|\s)?[~/\w.\s-]{0,60}|\[[^\]]{1,60}\])?[$❯➜]\s(?=\S)"
    r"|[\w.-]+@[\w.-]+(?::|\s)[~/\w.-]{0,60}[#%]\s(?=\S)"
    r"|PS [A-Z]:[^>]{0,80}>\s?(?=\S)|[A-Z]:\\[^>]{0,80}>(?=\S)|>>>\s|In \[\d+\]:\s)"
)
_AMOUNT = Pattern(r"\s{0,3}\$\s\d[\d.,]*\b")
_MORE = Pattern(r"(?:\.\.\.\s|\.\.\.$|>\s)")
_FAILED = Pattern(
    r"(?i)error|fail|fatal|not found|no such|denied|refused|cannot|can't|unable|warning|panic|traceback"
    r"|timed? ?out"
    r"|\bexit|killed|unhealthy|no response|emerg|missing|invalid|unexpected|exception"
)
_COLUMNS = Pattern(r"\s*+\S+(?:\s\S+)?(?:\s{2,}\S+(?:\s\S+)?){2,}")
_SENTENCE = Pattern(r"\p{Lu}[\p{Ll}’']*+(?:\s+[\p{L}\d,'’()-]++){5,}")
_FENCE = Pattern(r"\s{0,3}(?:`{3,}|~{3,})\s*$")
_HEADING = Pattern(r"#{1,6}\s|\.\.\s\w|[-*]\s\p{Lu}")
_HEADER = Pattern(r"(?=.*\p{Lu})[\p{L}%#()/_ .-]+$")


def prompted(rows: Rows, at: int) -> bool:
    """Whether a row is a command behind a prompt."""
    line = rows.line(at)[:CUT]
    return bool(_PROMPT.match(line)) and not _AMOUNT.match(line)


def claim(rows: Rows, at: int, hint: str) -> int:
    """The row behind the session that begins at a row: what follows an empty row and is running text ends it."""
    count = end = 0
    indented = rows.line(at)[:1].isspace()
    for row in range(at, len(rows)):
        if _FENCE.match(rows.line(row)[:CUT]):
            break
        if rows.blank(row):
            continue
        if prompted(rows, row):
            count += 1
        elif rows.blank(row - 1) and _leaves(rows.line(row)[:CUT], indented):
            break
        end = row + 1
    return end if count > 1 or hint or _says(rows, at) else at


def _leaves(line: str, indented: bool) -> bool:
    return bool(_SENTENCE.match(line) or _HEADING.match(line)) or (indented and not line[:1].isspace())


def _says(rows: Rows, at: int) -> bool:
    """Whether a single prompt opens a session: a known command stands behind it, and an output follows."""
    return at + 1 < len(rows) and not rows.blank(at + 1) and bool(_COMMAND.match(rows.line(at)[:CUT]))


_COMMAND = Pattern(
    r"[^$❯>#%]*[$❯➜>#%]\s*(?:sudo\s)?(?:git|npm|npx|yarn|pnpm|pip3?|python3?|node|cargo|go|make|docker|kubectl|helm|curl|wget|ls"
    r"|cat|cd|grep|rg|find|sed|awk|ssh|systemctl|journalctl|ps|df|du|free|apt|brew|echo|export|source|\./|terraform|psql|pytest|mvn|gradle)\b"
)


def edit(rows: Rows, asked: Asked) -> Edited:
    """A command is a unit, and every row of its output one that needs it; columns need the row that names them."""
    found: list[Unit] = []
    for first, behind in _commands(rows):
        found += _said(rows, first, behind, len(found))
    hits = named([rows.text[unit.start : unit.end] for unit in found], asked)
    return Edited(
        [
            Unit(u.start, u.end, rank=(u.rank or 0.0) + 20 * min(hit, 3.0), head=u.head, count=u.count)
            for u, hit in zip(found, hits, strict=True)
        ]
    )


def _commands(rows: Rows) -> Iterator[tuple[int, int]]:
    starts = [row for row in range(len(rows)) if prompted(rows, row)]
    yield from zip(starts, [*starts[1:], len(rows)], strict=True)


def _said(rows: Rows, first: int, behind: int, index: int) -> Iterator[Unit]:
    row = first + 1
    while row < behind and (rows.line(row - 1).endswith("\\") or _MORE.match(rows.line(row))):
        row += 1
    yield Unit(rows.spans[first][0], _end(rows, row - 1), rank=_COMMAND_LINE, count=row - first)
    output = [number for number in range(row, behind) if not rows.blank(number)]
    head = index
    for place, number in enumerate(output):
        names = place == 0 and len(output) > 1 and _names(rows, output)
        yield Unit(
            rows.spans[number][0], _end(rows, number), rank=_rank(rows, number, place, len(output)), head=head
        )
        if names:
            head = index + 1


def _rank(rows: Rows, number: int, place: int, size: int) -> float:
    if _FAILED.search(rows.line(number)[:CUT]):
        return _ERROR
    if size <= ANSWER:
        return 6.0
    edge = min(place, size - 1 - place)
    return 5.0 - 0.1 * min(edge, 40)


def _names(rows: Rows, output: list[int]) -> bool:
    """Whether the first row of an output names the columns of the others."""
    first, second = (rows.line(number)[:CUT] for number in output[:2])
    return bool(_COLUMNS.match(first) and _HEADER.match(first) and _COLUMNS.match(second))


def _end(rows: Rows, number: int) -> int:
    start, end = rows.spans[number]
    return start + len(rows.text[start:end].rstrip())

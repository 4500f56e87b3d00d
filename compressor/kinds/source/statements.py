"""Code as statements: which rows belong together, and which header each statement stands under."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from moosproxy.compressor.kinds.source.languages import Language
from moosproxy.compressor.kinds.source.nesting import nest
from moosproxy.compressor.kinds.source.roles import WHOLE, Role, Statement, role_of
from moosproxy.compressor.kinds.source.rows import Row, follow, open_brackets
from moosproxy.compressor.text.patterns import Pattern

JOIN = 12
"""A statement goes on over at most so many rows because a bracket is open; more are taken row by row."""
RAW = 40
"""A string of more rows is taken row by row."""
NOTES = 40
"""A comment of more rows is taken as several."""


_DECORATOR = Pattern(r"@[\w.]+(?:\(|$)|@\w[\w.]*\s*$|\#!?\[|template\s*<[^;{]*$|\[[A-Z]\w*[(\]]")
_DECORATING = frozenset("@#t[")
_BARE = Pattern(r"\{|then|do|begin|\($")
_TYPE = Pattern(r"(?:[\w:<>,]++[\s*&]++)*+(?:[\w:<>,]*+[*&]*+|inline|static)")
_NAME = Pattern(r"[\w:~<>]+\s*\(")
_GOES_ON = Pattern(r"(?:\?\.|\.(?!\.)|&&|\|\||\|>|\?\s|:\s|\+\s|->|=\s|<<|%>%|and\s|or\s)")
_HANGS = Pattern(r"(?:&&|\|\||\||(?<![=<>!])=|=>|\+|\?|\\|%>%|,)$")


def statements(rows: Sequence[Row], language: Language) -> list[Statement]:
    """All statements in order, each with its head. Linear in the rows."""
    found: list[Statement] = []
    at = 0
    while at < len(rows):
        if rows[at].empty and found and found[-1].role is not Role.RAW:
            # The number of a line that is empty: it goes with what stands in front of it.
            end = at + 1
            found[-1].end, found[-1].rows = rows[at].end, found[-1].rows + 1
        elif rows[at].comment:
            end = _notes(rows, at)
            found.append(_statement(rows[at:end], Role.COMMENT, language))
        else:
            end = _extent(rows, at, language)
            if end - at > RAW and all(row.inside for row in rows[at + 1 : end]):
                found += _raw(rows[at:end], language)
            else:
                found.append(_statement(rows[at:end], None, language))
        at = end
    nest(found, language)
    return found


def _notes(rows: Sequence[Row], at: int) -> int:
    """The row behind a comment: rows on end, equally far in."""
    end = at + 1
    while end < len(rows) and end - at < NOTES and rows[end].comment and _adjacent(rows[end - 1], rows[end]):
        if rows[end].column != rows[at].column or rows[end].empty != rows[at].empty:
            break
        end += 1
    while end < len(rows) and rows[end].inside and not rows[end].code:
        end += 1
    return end


def _adjacent(one: Row, other: Row) -> bool:
    return other.start - one.end <= 2


def _extent(rows: Sequence[Row], at: int, language: Language) -> int:
    """The row behind the statement that begins at a row, decorators in front of it included."""
    start, end = at, at + 1
    while True:
        while end < len(rows) and rows[end].inside:
            end += 1
        further = _further(rows, start, end, language) if end - at <= JOIN else end
        if further == end:
            if end - at > JOIN or end >= len(rows) or rows[end].comment or not _decorates(rows[start:end]):
                return end
            start, further = end, end + 1
        end = further


def _decorates(rows: Sequence[Row]) -> bool:
    """Whether the rows are a decorator and nothing else."""
    return _decorator(rows[0]) and not rows[-1].code.endswith((";", "{")) and not open_brackets(rows)


def _decorator(row: Row) -> bool:
    return row.code[:1] in _DECORATING and bool(_DECORATOR.match(row.code))


def _further(rows: Sequence[Row], at: int, end: int, language: Language) -> int:
    if end >= len(rows):
        return end
    last, following = rows[end - 1], rows[end]
    if last.code.endswith("\\"):
        return end + 1
    unclosed = open_brackets(rows[at:end])
    if unclosed and not (language.braces and unclosed[-1] == "{"):
        closed = _closed(rows, at, end, language)
        if closed > end:
            return closed
    if following.comment:
        return end
    if language.indented or unclosed:
        return end
    if _BARE.fullmatch(following.code) and not last.code.endswith((";", "}", "{")):
        return end + 1
    if _TYPE.fullmatch(last.code) and following.column == last.column and _NAME.match(following.code):
        return end + 1
    hangs = _HANGS.search(last.code[-3:]) and not last.code.endswith(("++", ","))
    if following.column > rows[at].column and (hangs or _GOES_ON.match(following.code)):
        return end + 1
    return end


def _closed(rows: Sequence[Row], at: int, end: int, language: Language) -> int:
    """The row behind the one that closes the brackets that rows[at:end] open, `end` if it is too far away."""
    stack = list(open_brackets(rows[at:end]))
    for stop in range(end + 1, min(len(rows), at + JOIN) + 1):
        follow(rows[stop - 1].brackets, stack)
        if not stack or (language.braces and all(bracket == "{" for bracket in stack)):
            return stop
        if language.braces and stack[-1] == "{" and rows[stop - 1].code.endswith("{"):
            return end
    return end


def _statement(rows: Sequence[Row], role: Role | None, language: Language) -> Statement:
    named = _behind_decorators(rows)
    code = rows[named].code
    whole = " ".join(row.code for row in rows[named : named + JOIN])[:WHOLE]
    return Statement(
        start=rows[0].start,
        end=rows[-1].end,
        rows=len(rows),
        column=rows[0].column,
        code=code,
        role=role or role_of(rows, code, whole, language),
        opens=bool(open_brackets(rows)),
    )


def _behind_decorators(rows: Sequence[Row]) -> int:
    """The row that says what a statement does: the first one behind its decorators."""
    at = first = 0
    while at < min(len(rows), 2 * JOIN):
        if not _decorates(rows[first : at + 1]):
            if not _decorator(rows[first]):
                return first
        else:
            first = at + 1
        at += 1
    return first if first < len(rows) else 0


def _raw(rows: Sequence[Row], language: Language) -> Iterator[Statement]:
    """A long string, row by row."""
    first = _statement(rows[:1], None, language)
    first.opens = True
    yield first
    for row in rows[1:-1]:
        yield Statement(row.start, row.end, 1, first.column + 0.5, "", Role.RAW)
    yield Statement(rows[-1].start, rows[-1].end, 1, first.column, ")", Role.CLOSER)

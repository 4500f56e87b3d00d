"""Rows of code as their statements need them: without strings and comments, with brackets and indentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import regex

from moosproxy.compressor.kinds.base import Rows
from moosproxy.compressor.kinds.source.languages import CLOSES, UNKNOWN, Language
from moosproxy.compressor.text.patterns import Pattern

LONGEST = 2000
"""A row of more characters is not looked into."""
SPAN = 20_000
"""A string or comment of more characters is not told as one."""
BRACKETS = 400
"""A row with more brackets is taken as one that has none."""
TAB = 8

NUMBERED = Pattern(r"[ \t]*+(?P<number>\d{1,7})(?:\t|→|: (?=\s|\S)|[ ]?[|│] ?)")
_NUMBER = Pattern(r"[ \t]*+(?P<number>\d{1,7})")
_AGAIN = Pattern(
    r"^(?:[ \t]*+\d+[\t→])?(?P<indent>[ \t]*+)"
    r"(?:(?:async )?def \w+\(|class \w+[:(]|import [\w.]+$|from [\w.]+ import )",
    regex.MULTILINE,
)


@dataclass(slots=True)
class Row:
    """A row that is not blank. start, end: offsets, all of it. column: of its first sign, numbers in front not
    counted. code: without strings (a pair of quotes stands for each) and comments, trimmed. brackets: those of
    `code`, in order. inside: it begins in a string or comment of an earlier row.
    """

    start: int
    end: int
    column: int
    code: str
    brackets: str
    inside: bool = False
    empty: bool = False

    @property
    def comment(self) -> bool:
        """Whether it holds nothing but a comment, or the number of an empty line."""
        return not self.code and not self.inside


def numbered(rows: Rows, first: int = 0, last: int | None = None) -> bool:
    """Whether the rows carry line numbers that go up by one."""
    stop = len(rows) if last is None else last
    before: int | None = None
    for row in range(first, min(stop, first + 20)):
        if rows.blank(row):
            continue
        line = rows.line(row)[:40]
        match = NUMBERED.match(line) or _NUMBER.fullmatch(line) if line.lstrip(" \t")[:1].isdecimal() else None
        if match is None or (before is not None and int(match["number"]) != before + 1):
            return False
        before = int(match["number"])
    return before is not None and stop - first > 1


def read(rows: Rows, language: Language, prefix: int = 0) -> list[Row]:
    """Every row that is not blank. prefix: characters in front of each row that are not part of the code."""
    reader = _Reader(rows, language, prefix)
    return [reader.row(number) for number in range(len(rows)) if not rows.blank(number)]


class _Reader:
    def __init__(self, rows: Rows, language: Language, prefix: int) -> None:
        self._rows, self._text, self._token = rows, rows.text, language.token
        self._plain = language is UNKNOWN
        self._prefix = prefix
        self._numbered = prefix == 0 and numbered(rows)
        self._until = -1
        self._end = rows.spans[-1][1] if rows.spans else 0
        self._missing: dict[str, int] = {}

    def row(self, number: int) -> Row:
        start, end = self._rows.spans[number]
        end = start + len(self._text[start:end].rstrip()) if end - start < LONGEST else end
        first = self._first(start, end)
        front = self._text[first : min(end, first + LONGEST)]
        at = first + len(front) - len(front.lstrip(" \t"))
        column = _width(self._text[first:at])
        if self._until >= end:
            return Row(start, end, column, "", "", inside=True)
        inside = self._until > start
        code, brackets = self._code(max(at, self._until), end, column)
        return Row(start, end, column, code, brackets, inside, empty=at >= end)

    def _first(self, start: int, end: int) -> int:
        if not self._numbered:
            return min(start + self._prefix, end)
        match = NUMBERED.match(self._text, start, min(end + 1, start + 40))
        return min(match.end(), end) if match else start

    def _code(self, at: int, end: int, column: int) -> tuple[str, str]:
        """What is left without strings and comments, and its brackets; opens what goes on over the row's end."""
        text = self._text
        if end - at > LONGEST:
            return text[at : at + 80].strip() or "x", ""
        out: list[str] = []
        brackets: list[str] = []
        token = self._token.search(text, at, end)
        while token is not None:
            kind = token.lastgroup
            out.append(text[at : token.start()])
            at = token.end()
            if kind == "bracket":
                out.append(token[0])
                brackets.append(token[0])
            elif kind in ("line", "slashes"):
                return "".join(out).strip(), "".join(brackets)
            elif kind == "long":
                at = self._long(token, end, column, out)
            elif kind in ("heredoc", "tag"):
                self._open(token, f"\n{token['tag']}", column, heredoc=True)
                out.append("<<")
            else:
                out.append('""' if token[0][0] in "\"'" else token[0])
            token = self._token.search(text, at, end) if at < end else None
        if at < end:
            out.append(text[at:end])
        return "".join(out).strip(), "".join(brackets if len(brackets) <= BRACKETS else ())

    def _long(self, token: regex.Match[str], end: int, column: int, out: list[str]) -> int:
        """Where the row goes on behind a token that may go on over rows."""
        closing = CLOSES.get(token[0], token[0])
        if closing == token[0]:
            out.append('""')
        behind = self._open(token, closing, column)
        return min(behind, end) if behind > 0 else token.end()

    def _open(self, token: regex.Match[str], closing: str, column: int, *, heredoc: bool = False) -> int:
        """Where the token's string or comment ends, -1 if nothing ends it."""
        start = token.end()
        found = self._find(closing, start)
        if found < 0 or self._flipped(token, found, column):
            return -1
        behind = found + len(closing)
        if heredoc or "\n" in self._text[start:behind]:
            self._until = behind
        return behind

    def _find(self, closing: str, start: int) -> int:
        """Linear for a text full of openings that nothing closes: what was searched is not searched again."""
        stop = min(self._end, start + SPAN)
        known = max(start, self._missing.get(closing, 0) - len(closing))
        found = self._text.find(closing, known, stop) if known < stop else -1
        if found < 0:
            self._missing[closing] = stop
        return found

    def _flipped(self, token: regex.Match[str], found: int, column: int) -> bool:
        """Whether these quotes close a string that began before the text did: a definition stands behind them."""
        if token[0] not in ('"""', "'''"):
            return False
        again = _AGAIN.search(self._text, token.end(), found)
        if again is None:
            return False
        width = _width(again["indent"])
        before = self._text.rfind("\n", max(0, token.start() - LONGEST), token.start()) + 1
        behind = self._text.find("\n", token.end(), found)
        alone = self._text[self._first(before, behind) : behind].strip() == token[0]
        return width < column or (alone and width == column > 0)


def _width(indent: str) -> int:
    return len(indent.expandtabs(TAB)) if "\t" in indent else len(indent)


def open_brackets(rows: Sequence[Row]) -> str:
    """Brackets that the rows open and do not close, outermost first."""
    stack: list[str] = []
    for row in rows:
        follow(row.brackets, stack)
    return "".join(stack)


def follow(brackets: str, stack: list[str]) -> None:
    """Brackets of a row onto a stack of those that are open."""
    for bracket in brackets:
        if bracket in "([{":
            stack.append(bracket)
        elif stack:
            stack.pop()

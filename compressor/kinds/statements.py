"""Code as statements: which rows belong together, and which header each statement stands under."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import regex

from moosproxy.compressor.kinds.code_rows import Row, follow, open_brackets
from moosproxy.compressor.kinds.languages import Language

JOIN = 12
"""A statement goes on over at most so many rows because a bracket is open; more are taken row by row."""
RAW = 40
"""A string of more rows is taken row by row."""
WHOLE = 400
"""Characters of a statement that are looked at to tell what it does."""
NOTES = 40
"""A comment of more rows is taken as several."""


class Role(Enum):
    """What a statement does, as far as it matters for what may go."""

    PLAIN = auto()
    SIGNATURE = auto()
    CONDITION = auto()
    EXIT = auto()
    IMPORT = auto()
    COMMENT = auto()
    DOC = auto()
    CLOSER = auto()
    RAW = auto()


@dataclass(slots=True)
class Statement:
    """Rows that stay or go together. start, end: offsets. head: index of the statement that it needs, -1 for none.
    depth: how many headers it stands under. order: its place among the statements under the same header.
    """

    start: int
    end: int
    rows: int
    column: float
    code: str
    role: Role
    opens: bool = False
    head: int = -1
    depth: int = 0
    order: int = 0


_CLOSES = regex.compile(r"[)\]}]|</|/?>$")
_END = regex.compile(r"(?:end|fi|done|esac|endif|endfor|endwhile|endfunction|end (?:if|loop|case)|\#endif)\b")
_CONTINUES = regex.compile(
    r"(?:[)\]}]+;?\s*)?(?:else|elif|elsif|elseif|except|catch|finally|rescue|ensure|where)\b"
)
_ARM = regex.compile(r"(?:when|in)\b")
_LABEL = regex.compile(r"(?:case\b.*|default|[A-Za-z_]\w*(?:\s+slots)?)\s*:(?!:)|\#")
_DECORATOR = regex.compile(r"@[\w.]+(?:\(|$)|@\w[\w.]*\s*$|\#!?\[|template\s*<[^;{]*$|\[[A-Z]\w*[(\]]")
_BARE = regex.compile(r"\{|then|do|begin|\($")
_TYPE = regex.compile(r"(?:[\w:<>,]++[\s*&]++)*+(?:[\w:<>,]*+[*&]*+|inline|static)")
_NAME = regex.compile(r"[\w:~<>]+\s*\(")
_GOES_ON = regex.compile(r"(?:\?\.|\.(?!\.)|&&|\|\||\|>|\?\s|:\s|\+\s|->|=\s|<<|%>%|and\s|or\s)")
_HANGS = regex.compile(r"(?:&&|\|\||\||(?<![=<>!])=|=>|\+|\?|\\|%>%|,)$")
_SIGNATURE = regex.compile(
    r"(?:(?:export|default|public|private|protected|internal|static|final|abstract|async|virtual|override|inline"
    r"|extern|unsafe|pub(?:\(\w+\))?|const(?=\s+fn)|open|sealed|data|partial|local|declare)\s+)*+"
    r"(?:(?:def|defp|defmodule|defmacro|class|func|fn|function|fun|interface|struct|enum|trait|impl|type|module|mod"
    r"|namespace|union|object|protocol|extension|record|sub|proc|procedure|message|service|contract|instance)"
    r"(?:\s+[\w(*&<~\[:$]|[<(*])|(?:describe|it|test)\s?\(\"\"|macro_rules!)"
)
_TYPED_SIGNATURE = regex.compile(
    r"(?:[\w<>\[\],.*&:?]++\s++)+[*&]*[\w:~]+\s*\([^;]*[{),]$"
    r"|(?:get\s+|set\s+|async\s+|\*)?[\w$#:-]+\s*\([^;=]*\)[^;=]*\{$|\w[\w-]*\s*\(\)\s*\{?$"
    r"|(?:export\s+)?(?:const|let|var)\s+[\w$]+\s*=\s*(?:async\s*)?(?:function\b|\([^()]*\)\s*=>|\w+\s*=>)"
)
_CONDITION = regex.compile(
    r"(?:[)\]}]+\s*)?(?:if|elif|else|elsif|elseif|unless|for|foreach|while|until|loop|match|switch|case|when|default"
    r"|try|except|catch|finally|rescue|ensure|with|async with|async for|select|guard|do|begin|assert\w*|cond|until"
    r"|using|lock|\#if\w*|\#el\w+|goto)\b"
)
_EXIT = regex.compile(
    r"(?:return|raise|throw|yield|break|continue|panic!?|exit|sys\.exit|os\.exit|die|abort|defer|fail|reject"
    r"|process\.exit|unreachable!?|todo!?)\b"
)
_IMPORT = regex.compile(
    r"(?:import|from|require|require_relative|include|use|using(?=\s+[\w.]+;)|package|\#include|extern crate|source"
    r"|library|export\s*[{*].*from|(?:const|let|var)\s.*=\s*require\()(?![\w.=])"
)


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
    _Blocks(found, language).link()
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
    return bool(_DECORATOR.match(rows[0].code)) and not rows[-1].code.endswith((";", "{")) and not open_brackets(rows)


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
        role=role or _role(rows, code, whole, language),
        opens=bool(open_brackets(rows)),
    )


def _behind_decorators(rows: Sequence[Row]) -> int:
    """The row that says what a statement does: the first one behind its decorators."""
    at = first = 0
    while at < len(rows):
        if not _decorates(rows[first : at + 1]):
            if not _DECORATOR.match(rows[first].code):
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


def _role(rows: Sequence[Row], code: str, whole: str, language: Language) -> Role:
    if _CLOSES.match(code) and not _CONTINUES.match(code) and not open_brackets(rows):
        return Role.CLOSER
    if _IMPORT.match(code):
        return Role.IMPORT
    if _CONDITION.match(code) and not _CONDITION_CALL.match(code):
        return Role.CONDITION
    if _EXIT.match(code):
        return Role.EXIT
    if not code.strip("\"'rRbBuUfF"):
        return Role.DOC
    if _CALLS.match(code):
        return Role.PLAIN
    if _SIGNATURE.match(code) or (language.braces and _TYPED_SIGNATURE.match(whole)):
        return Role.SIGNATURE
    return Role.PLAIN


_CALLS = regex.compile(r"(?:new|await|delete|print|echo|not|go|sudo)\s")
_CONDITION_CALL = regex.compile(r"(?:select|match|with|case|do|default|begin|when|lock|loop|using)\s*[.=,:]")


@dataclass(slots=True, eq=False)
class _Frame:
    """The latest statement at a column. first: of its chain of branches; latest: what stands under it now; parent:
    the header around it. column: for the order of frames; written: where it stands in the text. indented: its block
    is written further in. directive: of the preprocessor, open until its #endif. gone: it has left the stack."""

    column: float
    written: float
    first: int
    latest: int
    parent: int
    opens: bool
    closed: bool = False
    indented: bool = False
    children: int = 0
    directive: bool = False
    gone: bool = False


class _Blocks:
    """Walks over statements and says under which header each stands.

    A header needs the row that closes its block, that row needs the header around it, and so on up: whoever keeps a
    statement and its heads keeps a text that is nested as before. A later branch needs the branches before it.
    """

    def __init__(self, found: Sequence[Statement], language: Language) -> None:
        self._found, self._language = found, language
        self._stack: list[_Frame] = []
        self._notes: list[int] = []
        self._branches: list[_Frame] = []

    def link(self) -> None:
        """Sets head, depth and order of every statement."""
        for index, statement in enumerate(self._found):
            if statement.role is Role.COMMENT:
                self._notes.append(index)
                continue
            self._place(index, statement)
            for note in self._notes:
                self._found[note].head = self._around(index)
                self._found[note].depth = statement.depth
            self._notes.clear()

    @property
    def _top(self) -> _Frame | None:
        return self._stack[-1] if self._stack else None

    def _around(self, index: int) -> int:
        """The header that comments in front of a statement stand under."""
        top = self._top
        if top is None:
            return -1
        return top.latest if top.closed else top.parent if top.latest == index else -1

    def _place(self, index: int, statement: Statement) -> None:
        code, language = statement.code, self._language
        if language.braces and code.startswith(("#if", "#el", "#endif")):
            self._directive(index, statement)
            return
        ended = code.startswith("</") or (language.ends and bool(_END.match(code)))
        closes = ended or statement.role is Role.CLOSER
        branch = bool(_CONTINUES.match(code)) or (statement.opens and bool(_CLOSES.match(code)))
        branch = branch or (language.ends and not language.braces and bool(_ARM.match(code)))
        self._leave(statement, closes=closes, ended=ended, branch=branch)
        top = self._top
        if (
            top is not None
            and closes
            and not top.closed
            and (top.opens or (ended and top.written == statement.column))
        ):
            self._close(index, top)
        elif top is not None and branch and (top.written == statement.column or (top.opens and not top.closed)):
            self._branch(index, top)
        else:
            self._push(index, statement.column)

    def _leave(self, statement: Statement, *, closes: bool, ended: bool, branch: bool) -> None:
        """Leaves the blocks that a statement is no longer in."""
        column = statement.column
        label = bool(_LABEL.match(statement.code))
        while (top := self._top) is not None and top.column >= column:
            if top.directive and not closes:
                return
            unclosed = top.opens and not top.closed
            if closes or branch:
                if top.written == column and (unclosed or (ended and not top.closed) or not closes):
                    return
                if self._language.braces and unclosed and not top.indented:
                    return
            elif self._language.braces and unclosed and (label or not top.indented):
                return
            self._drop()

    def _drop(self) -> None:
        self._stack.pop().gone = True

    def _push(self, index: int, column: float) -> None:
        statement = self._found[index]
        top = self._top
        if top is not None:
            if top.column < column:
                top.indented = True
            else:
                column = top.column + 0.5
            statement.head = top.latest
            statement.depth = self._found[top.latest].depth + 1
            statement.order = top.children
            top.children += 1
        self._stack.append(_Frame(column, statement.column, index, index, statement.head, statement.opens))

    def _branch(self, index: int, top: _Frame) -> None:
        statement, first = self._found[index], self._found[top.first]
        statement.head, statement.depth, statement.order = top.latest, first.depth, first.order
        if top.closed:
            self._drop()
            self._stack.append(
                _Frame(top.column, top.written, index, index, top.latest, statement.opens, indented=top.indented)
            )
        else:
            top.latest, top.opens, top.children = index, statement.opens, 0

    def _close(self, index: int, top: _Frame) -> None:
        statement, first = self._found[index], self._found[top.first]
        statement.role, statement.depth, statement.head = Role.CLOSER, first.depth, top.parent
        first.head = index
        first.rows += statement.rows
        statement.rows = 0
        top.closed, top.opens = True, False

    def _directive(self, index: int, statement: Statement) -> None:
        """A branch of the preprocessor stands inside of the innermost block, however far out it is written."""
        frame = self._branches[-1] if self._branches else None
        if statement.code.startswith("#if") or frame is None or frame.gone:
            self._push(index, self._level())
            self._stack[-1].directive = statement.code.startswith("#if")
            if self._stack[-1].directive:
                self._branches.append(self._stack[-1])
            return
        dangling: list[_Frame] = []
        while self._stack[-1] is not frame:
            if self._stack[-1].opens and not self._stack[-1].closed:
                dangling.append(self._stack[-1])
            self._drop()
        if not statement.code.startswith("#endif"):
            self._branch(index, frame)
            return
        self._branches.pop()
        self._close(index, frame)
        self._drop()
        for inner in reversed(dangling):
            inner.gone = False
            self._stack.append(inner)

    def _level(self) -> float:
        """Leaves what nothing holds open. Further in than what is open, and further out than what follows."""
        while (top := self._top) is not None and not (top.directive or (top.opens and not top.closed)):
            self._drop()
        return top.column + 0.5 if top is not None else -0.5

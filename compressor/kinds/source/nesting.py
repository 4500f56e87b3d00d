"""Which header each statement stands under, as indentation, brackets and closing words tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moosproxy.compressor.kinds.source.languages import Language
from moosproxy.compressor.kinds.source.roles import CLOSES, CONTINUES, Role, Statement
from moosproxy.compressor.text.patterns import Pattern

_END = Pattern(r"(?:end|fi|done|esac|endif|endfor|endwhile|endfunction|end (?:if|loop|case)|\#endif)\b")
_ARM = Pattern(r"(?:when|in)\b")
_LABEL = Pattern(r"(?:case\b.*|default|[A-Za-z_]\w*(?:\s+slots)?)\s*:(?!:)|\#")


def nest(found: Sequence[Statement], language: Language) -> None:
    """Sets head, depth and order of every statement. Linear in them."""
    _Blocks(found, language).link()


@dataclass(slots=True, eq=False)
class _Frame:
    """The latest statement at a column.

    first: of its chain of branches; latest: the branch under which statements stand now; parent: the header around
    it. column: for the order of frames; written: where it stands in the text. indented: its block is written
    further in. directive: of the preprocessor, open until its #endif. gone: it has left the stack.
    """

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

    A header needs the row that closes its block, that row needs the header around it, and so on up: whoever keeps
    a statement and its heads keeps a text that is nested as before. A later branch needs those before it.
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
        branch = bool(CONTINUES.match(code)) or (statement.opens and bool(CLOSES.match(code)))
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

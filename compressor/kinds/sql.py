"""SQL: statements are exact. Remarks may go, and whole statements where a question names others.

Read with a small lexer of its own: sqlglot and sqlparse parse dialects, and refuse or re-print what they do not
know, where no more is asked than where a string, a remark and a statement end.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from moosproxy.compressor.kept import Wrap
from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind
from moosproxy.compressor.kinds.running.exact import DIRECTIVE, UNNAMED, Head, Sort, exact
from moosproxy.compressor.text.lexicon import words

HINTS = frozenset(
    words("sql psql pgsql plsql plpgsql tsql mysql postgres postgresql sqlite mariadb oracle bigquery")
)
REMARKS = 40
"""So many rows of remarks are looked through for the statement below them."""
STATEMENT = 150
"""Rows in which the end of a statement is looked for before it counts as one."""
BODY = 1000
"""Rows of a routine's body whose end is looked for."""

_PROMPT = r"(?:[\w.-]{1,40}[=(*^!'\"-][#>]|(?:mysql|sqlite|SQL|MariaDB\s?\[[^\]\n]{1,40}\])>|\d{1,3}>)\s"
_NAME = r"[\w$.\[\]`\"@#:{}-]{1,120}"
_OBJECT = (
    r"(?:(?:TEMP(?:ORARY)?|UNIQUE|UNLOGGED|MATERIALIZED|FOREIGN|EXTERNAL|GLOBAL|LOCAL|CONSTRAINT|EVENT|CLUSTERED"
    r"|NONCLUSTERED|FULLTEXT|OR\s(?:REPLACE|ALTER))\s)*(?:TABLE|INDEX|VIEW|FUNCTION|PROCEDURE|TRIGGER|PACKAGE|SCHEMA"
    r"|DATABASE|SEQUENCE|TYPE|DOMAIN|EXTENSION|ROLE|USER|POLICY|RULE|PUBLICATION|SUBSCRIPTION"
    r"|OPERATOR|AGGREGATE|CAST|COLLATION|SERVER|LANGUAGE|ACCESS)\b"
)
_STARTS = (
    r"SELECT\s+(?:DISTINCT\s|\*|COUNT\s*\()",
    rf"(?:INSERT|REPLACE)\s+(?:IGNORE\s+|OR\s\w+\s+)?INTO\s+{_NAME}\s*(?:\(|(?:VALUES|SELECT|SET|DEFAULT|WITH|AS)\b|$)",
    rf"DELETE\s+FROM\s+{_NAME}\s*(?:;|$|(?:\w+\s+)?(?:WHERE|USING|RETURNING)\b|AS\s)",
    rf"UPDATE\s+(?:ONLY\s+)?{_NAME}\s+(?:AS\s+|(?!SET\b)\w+\s+)?SET\b",
    rf"CREATE\s+{_OBJECT}",
    rf"(?:ALTER|DROP)\s+{_OBJECT}\s+\S",
    rf"WITH\s+(?:RECURSIVE\s+)?{_NAME}\s*(?:\([^()]{{0,200}}\)\s*)?AS\s+(?:NOT\s+)?(?:MATERIALIZED\s+)?"
    r"\(\s*(?:(?:SELECT|INSERT|UPDATE|DELETE|VALUES|WITH)\b|--|/\*|$)",
    rf"MERGE\s+INTO\s|TRUNCATE\s+(?:TABLE\s)?{_NAME}\s*;|COMMENT\s+ON\s|PRAGMA\s+\w+",
    r"(?:GRANT|REVOKE)\s+[\w\s,]{1,200}\s(?:ON|TO|FROM)\s",
    r"EXPLAIN\s+(?:\(|ANALYZE\s|SELECT\s|QUERY\s)|BEGIN\s*;|(?:BEGIN|START)\s+TRANSACTION",
    r"DO\s+(?:LANGUAGE\s+\w+\s+)?\$\w{0,40}\$",
)
_SURE = re.compile(rf"\s{{0,20}}(?:{_PROMPT})?\s{{0,20}}(?:{'|'.join(_STARTS)})", re.IGNORECASE)
_VERBS = words("""
    select values with explain set show declare call exec execute use copy vacuum analyze commit rollback refresh
    lock reindex go delimiter do if begin end savepoint return prepare fetch close open describe desc update table
    create alter drop grant revoke insert delete replace attach
    """)
_LIKELY = re.compile(rf"\s{{0,20}}(?:{_PROMPT})?\s{{0,20}}(?P<verb>{'|'.join(_VERBS)})\b", re.IGNORECASE)
_ALONE = frozenset(words("select with explain"))
"""Verbs that may begin what is SQL without anything before it telling so."""
_PROMPTED = re.compile(rf"\s{{0,20}}{_PROMPT}")
_META = re.compile(rf"(?:{_PROMPT})?\s{{0,4}}\\[a-z?!+]{{1,12}}(?:\s|$)")
_REMARK = re.compile(r"\s*(?:--|/\*|\*|\*/)")
_CLAUSE = re.compile(r"\b(?:FROM|WHERE|VALUES|JOIN|AS|SET)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[^\W\d_]{2}[.!?]\s*$")
_SIGNS = re.compile(r"[*=(<>]|\w_\w|\w\.\w")
_LOWER = re.compile(r"[a-z]")
_TOKEN = re.compile(
    r"--[^\n]*+|/\*|'[^']*+'?|\"[^\"\n]*+\"?|`[^`\n]*+`?|(?<![\w$])\$(?P<tag>\w{0,40})\$|;|\(|\)|\n[^\S\n]*+\n"
)
_BODY = re.compile(r"\s*(?:CREATE|ALTER)\s[^\n]{0,200}?\b(?:FUNCTION|PROCEDURE|TRIGGER|PACKAGE)\b", re.IGNORECASE)
_BODY_END = re.compile(r"(?:END\b[^\n;]{0,80};?\s*(?:\$\$|//)?;?|GO|/|//|\$\$\s*;?)\s*$", re.IGNORECASE)
_CONDITIONS = ("AND ", "OR ", "JOIN ", "LEFT JOIN ", "WHERE ")


class Token(NamedTuple):
    """start and end, and what it is: "remark", "string", ";", "(", ")", "blank", "open" (never ends)."""

    start: int
    end: int
    what: str


class Sql:
    """Statements side by side, with their remarks; in a session with their prompts."""

    kind = TextKind.SQL

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """A statement that cannot be prose, and the statements behind it."""
        if hint in HINTS:
            return len(rows)
        if hint not in UNNAMED:
            return at
        end, row, first = at, at, True
        while (row := _statement_row(rows, row)) < len(rows):
            stop = _statement(rows, row, first=first)
            if stop == row:
                break
            end = row = stop
            first = False
        return len(rows) if not first and row == len(rows) and len(rows) - end < REMARKS else end

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """Rows of statements stay; rows that are remarks and nothing else may go."""
        rows = Rows(text, block.start, block.end)
        sorts, heads = _sorted_rows(rows, block)
        return exact(rows, sorts, heads, Wrap.DASHES, asked)


def tokens(text: str, start: int, end: int) -> Iterator[Token]:
    """What decides where statements end. Linear: what never ends is the last."""
    at = start
    while match := _TOKEN.search(text, at, end):
        first, at, found = match.start(), match.end(), match[0]
        if found.startswith("--"):
            yield Token(first, at, "remark")
        elif found == "/*" or found[0] == "$":
            close = "*/" if found == "/*" else found
            behind = text.find(close, at, end)
            if behind < 0:
                yield Token(first, end, "open")
                return
            at = behind + len(close)
            yield Token(first, at, "remark" if found == "/*" else "string")
        elif found[0] in "'\"`":
            closed = len(found) > 1 and found[-1] == found[0]
            if not closed and found[0] == "'":
                yield Token(first, end, "open")
                return
            yield Token(first, at, "string")
        elif found[0] == "\n":
            at -= 1
            yield Token(first, at, "blank")
        else:
            yield Token(first, at, found)


def _statement_row(rows: Rows, row: int) -> int:
    """The next row that is neither blank nor a remark, among the next few; the number of rows if there is none."""
    stop = min(len(rows), row + REMARKS)
    inside = False
    while row < stop:
        line = rows.line(row).strip()
        if inside or line.startswith("/*"):
            inside = "*/" not in line
        elif line and not line.startswith("--"):
            return row
        row += 1
    return len(rows)


def _statement(rows: Rows, row: int, *, first: bool) -> int:
    """The row behind the statement that begins at a row; the row itself if none does.

    first: nothing before it is SQL, so that it must be told from prose.
    """
    line = rows.line(row)[:400]
    if _META.match(line):
        below = _statement_row(rows, row + 1)
        return row + 1 if not first or (below < len(rows) and _begins(rows, below)) else row
    sure, likely = bool(_SURE.match(_joined(rows, row))), _LIKELY.match(line)
    if not sure and (likely is None or (first and likely["verb"].lower() not in _ALONE)):
        return row
    if any(map(_reads_as_prose, (rows.line(below)[-200:] for below in range(row, min(row + 3, len(rows)))))):
        return row
    stop, ended = _end(rows, row, STATEMENT)
    if _BODY.match(line) and "$" not in rows.text[rows.spans[row][0] : rows.spans[stop - 1][1]]:
        stop, ended = _body_end(rows, row, stop), True
    piece = rows.text[rows.spans[row][0] : rows.spans[stop - 1][1]]
    if not _looks_sql(piece, ended=ended, sure=sure, first=first):
        return row
    return stop if ended or stop < row + STATEMENT else _end(rows, row, len(rows))[0]


def _begins(rows: Rows, row: int) -> bool:
    """Whether a statement begins at a row that nothing else can begin with."""
    line = rows.line(row)[:400]
    return bool(_SURE.match(_joined(rows, row)) or (_PROMPTED.match(line) and _LIKELY.match(line)))


def _joined(rows: Rows, row: int) -> str:
    """A row and the two below it."""
    return " ".join(rows.line(number)[:300] for number in range(row, min(row + 3, len(rows))))


def _looks_sql(piece: str, *, ended: bool, sure: bool, first: bool) -> bool:
    """Whether what begins like a statement is one: it ends like one, or is written as nobody writes prose."""
    prompt = _PROMPTED.match(piece)
    verb = piece[prompt.end() if prompt else 0 :].split(maxsplit=1)[0]
    capitals, clause = not _LOWER.search(verb), bool(_CLAUSE.search(piece))
    if ended and (sure or capitals or prompt):
        return True
    if ended:
        told = bool(_SIGNS.search(piece)) and verb.lower() == "select" if first else len(piece.split()) < 4
        return told or (clause and not first)
    return clause and capitals and (sure or bool(_SIGNS.search(piece)) or "," in piece)


def _reads_as_prose(line: str) -> bool:
    """Whether a row ends as a sentence does, and is no remark."""
    return bool(_SENTENCE.search(line)) and not _REMARK.match(line)


def _end(rows: Rows, row: int, most: int) -> tuple[int, bool]:
    """The row behind the statement, and whether a semicolon ends it; else a blank row does, or `most` rows do."""
    begin = rows.spans[row][0]
    limit = rows.spans[min(row + most, len(rows)) - 1][1]
    depth = 0
    blank = -1
    for token in tokens(rows.text, begin, limit):
        if token.what == ";" and _closes_row(rows.text, token.end):
            return _row_of(rows, token.start) + 1, True
        if token.what == "blank" and blank < 0:
            blank = token.start
            if depth <= 0:
                break
        depth += (token.what == "(") - (token.what == ")")
    stop = blank if blank >= 0 else limit
    return _row_of(rows, max(begin, stop - 1)) + 1, False


def _closes_row(text: str, at: int) -> bool:
    """Whether nothing but a remark or another statement follows on the row."""
    rest = text[at : at + 200].partition("\n")[0].strip()
    return not rest or rest.endswith(";") or rest.startswith(("--", "/*", "\\"))


def _body_end(rows: Rows, row: int, stop: int) -> int:
    """The row behind the body of a routine: the END that is written as far left as its BEGIN, or a separator."""
    for number in range(row + 1, min(len(rows), row + BODY)):
        line = rows.line(number)[:200]
        if line[:1].isspace() or not line:
            continue
        if _BODY_END.match(line):
            return number + 1
    return stop


def _row_of(rows: Rows, offset: int) -> int:
    return bisect_right(rows.spans, (offset, len(rows.text) + 1)) - 1


def _sorted_rows(rows: Rows, block: Block) -> tuple[list[Sort], list[Head]]:
    """The sort of every row, and the rows at which statements begin."""
    text = rows.text
    sorts = [Sort.BLANK if rows.blank(row) else Sort.EXACT for row in range(len(rows))]
    if text.find("\\'", block.start, block.end) >= 0:  # whether a string ends there depends on the dialect
        return sorts, []
    heads: list[Head] = []
    ended, at, behind = True, block.start, 0
    routine = False
    for token in (*tokens(text, block.start, block.end), Token(block.end, block.end, "end")):
        first, last = _row_of(rows, token.start), _row_of(rows, max(token.start, token.end - 1))
        if ended and text[at : token.start].strip():
            row, ended = _first_row(rows, at), False
            routine = routine or bool(_BODY.match(rows.line(row)[:400]))
            heads += [Head(row, True)] if row >= behind else []
        if token.what == "remark":
            _remark(rows, token, first, last, sorts)
        elif token.what in ("string", "open"):
            sorts[first : last + 1] = [Sort.EXACT] * (last + 1 - first)
        ended = ended or token.what == ";"
        at, behind = token.end, last + 1
    return sorts, [] if routine else heads


def _first_row(rows: Rows, offset: int) -> int:
    piece = rows.text[offset : offset + 4000]
    return _row_of(rows, offset + len(piece) - len(piece.lstrip()))


def _remark(rows: Rows, token: Token, first: int, last: int, sorts: list[Sort]) -> None:
    """Marks the rows of a remark that has them for itself."""
    text = rows.text
    before = text[rows.spans[first][0] : token.start]
    behind = text[token.end : rows.spans[last][1]]
    if before.strip() or behind.strip():
        sorts[first : last + 1] = [Sort.EXACT] * (last + 1 - first)
        return
    body = text[token.start : token.end]
    if DIRECTIVE.match(body[:300]):
        sort = Sort.EXACT
    else:
        sort = Sort.DEAD if body.startswith("--") and _dead(body) else Sort.REMARK
    sorts[first : last + 1] = [sort] * (last + 1 - first)


def _dead(body: str) -> bool:
    """Whether a remark is SQL that is commented out."""
    said = body.lstrip("- ")
    return said.rstrip().endswith(";") or bool(_SURE.match(said[:400])) or said.upper().startswith(_CONDITIONS)

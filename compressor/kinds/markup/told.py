"""Whether rows are a page, a piece of one, or XML, and where they end."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator

from moosproxy.compressor.kinds.base import Rows
from moosproxy.compressor.kinds.markup.tokens import Token, What, tokens
from moosproxy.compressor.text.lexicon import words

LOOK = 6000
"""Characters looked at to tell a kind."""
SIGNS = 120
"""So many tags at most are looked at: every row of them may begin a piece."""
TEXT = 600
"""XML with a longer stretch of text between two tags is a document for readers, or a prompt with tags."""

_PAGE = re.compile(r"\s*(?:<\?xml\s[^<>]{0,200}>\s*)?(?:<!doctype\s+html|<html[\s>])", re.IGNORECASE)
SOURCE = re.compile(
    r"\{\{|\{%|<%|<\?php|\sclassName=|\s(?:v-[\w-]+|@[\w.-]+|\*ng[A-Z]\w+|\(\w+\)|\[\w+\])=|=\{|\$\{|\{[\w.]{2,60}\}"
)
"""What makes HTML the source of a program: it is filled in, or talks to one."""

_CORE = frozenset(
    words("""
    p div span a li ul ol td tr th table tbody thead h1 h2 h3 h4 h5 h6 br img b strong em i input form button label
    select option script style link meta nav footer hr pre iframe
    """)
)
_HTML = _CORE | frozenset(
    words("""
    html head body title section article aside main header figure figcaption blockquote dl dt dd code kbd samp sub
    sup small mark del ins s u q cite abbr time address details summary fieldset legend textarea optgroup datalist
    output caption colgroup col tfoot picture source video audio track canvas svg path g rect circle line polygon
    use defs noscript template slot object embed param map area base wbr font center big tt dialog menu hgroup
    progress meter var dfn
    """)
)
_OPTIONAL = frozenset(words("p li dt dd tr td th thead tbody tfoot option colgroup body html head path"))
"""Elements whose end tag may be missing, which says nothing about where a piece ends."""
_INLINE = frozenset(
    words("a b i em strong span code kbd sub sup small mark u s del ins q cite abbr time font tt img br")
)
_FIRST = re.compile(r"\s*<(?P<name>!--|!doctype|\?xml|[A-Za-z][\w-]*)", re.IGNORECASE)
_DECLARED = re.compile(r"\s*<(?:\?xml\s|svg[\s>]|[A-Za-z_][\w:.-]*\s[^<>]{0,400}xmlns[:=])")
_FENCE = re.compile(r"^[ ]{0,3}(?:`{3}|~{3})", re.MULTILINE)


def page_end(rows: Rows, at: int) -> int:
    """The row behind the page or piece of one that begins at a row; the row itself if none does."""
    start = rows.spans[at][0]
    whole = bool(_PAGE.match(rows.text, start, min(_stop(rows), start + LOOK)))
    if not is_page(rows.text, start, _stop(rows)):
        return at
    last, depth, loose = at, 0, False  # loose: an element is open whose end tag may be missing
    for token in _tokens(rows, start):
        if token.what is What.TEXT:
            if depth <= 0 and not whole and _other_text(rows.text, token, loose=loose):
                break
            if (fence := _fence(rows, token.start, token.end)) >= 0:
                return max(_row(rows, fence), at)
            continue
        last = _row(rows, token.end - 1)
        if token.what in (What.START, What.END) and not token.closed:
            loose = (token.name in _OPTIONAL and token.what is What.START) or (loose and token.name in _INLINE)
            depth += (token.name not in _OPTIONAL) * (1 if token.what is What.START else -1)
        if token.what is What.END and token.name == "html":
            break
    return last + 1


def _tokens(rows: Rows, start: int) -> Iterator[Token]:
    """Tokens of HTML up to the last row. Where no tag comes any more is remembered: many pages may begin there."""
    stop = _stop(rows)
    bare: list[int] = rows.once("without tags", lambda: [stop])
    if start >= bare[0]:
        yield Token(What.TEXT, start, stop)
        return
    for token in tokens(rows.text, start, stop, html=True):
        if token == (What.TEXT, start, stop, "", False):
            bare[0] = start
        yield token


def _fence(rows: Rows, start: int, end: int) -> int:
    """Where the first fence between two offsets begins, -1 for none. What was sought in vain is remembered."""
    bare: list[int] = rows.once("without fences", lambda: [_stop(rows)])
    if start >= bare[0]:
        return -1
    found = _FENCE.search(rows.text, start, end)
    if found is None and end == _stop(rows):
        bare[0] = start
    return found.start() if found else -1


def data_end(rows: Rows, at: int) -> int:
    """The row behind the XML that begins at a row; the row itself if none does."""
    start, stop = rows.spans[at][0], _stop(rows)
    first = _FIRST.match(rows.line(at)[:200])
    if first is None or (first["name"].lower() in _HTML and not _DECLARED.match(rows.text, start, stop)):
        return at
    if not is_data(rows.text, start, _reach(rows.text, start, stop)):
        return at
    last, depth = at, 0
    for token in tokens(rows.text, start, stop, html=False):
        if token.what in (What.TEXT, What.RAW):
            continue
        last = _row(rows, token.end - 1)
        if token.what is What.START and not token.closed:
            depth += 1
        elif token.what is What.END:
            depth -= 1
            if depth <= 0 and not _goes_on(rows, last):
                break
    line_end = rows.spans[last][1]
    return last + 1 if rows.text.rfind(">", rows.spans[last][0], line_end) >= 0 else at


def is_page(text: str, start: int, stop: int) -> bool:
    """Whether a page or a piece of one begins there, and neither running text with tags in it nor XML."""
    stop = _reach(text, start, stop)
    if _PAGE.match(text, start, stop):
        return True
    first = _FIRST.match(text, start, stop)
    if first is None or first["name"].lower() in _INLINE or _DECLARED.match(text, start, stop):
        return False
    return _is_piece(text, start, stop)


def _reach(text: str, start: int, stop: int) -> int:
    """Where the look ends that begins at an offset."""
    stop = min(stop, start + LOOK)
    at = start
    for _ in range(SIGNS):
        at = text.find("<", at, stop) + 1
        if not at:
            return stop
    return max(text.find("<", at, stop), at)


def _is_piece(text: str, start: int, stop: int) -> bool:
    """Tags of HTML and hardly any others, several of them closed, some that no prompt uses for its parts."""
    if text.find("</", start, stop) < 0:  # a chat's <nick> on every row is asked as often
        return False
    found = [token for token in tokens(text, start, stop, html=True) if token.what in (What.START, What.END)]
    names = Counter(token.name for token in found)
    known = sum(count for name, count in names.items() if name in _HTML)
    core = sum(count for name, count in names.items() if name in _CORE)
    ends = sum(token.what is What.END for token in found)
    return len(found) >= 4 and core >= 3 and ends > 0 and known * 10 >= len(found) * 8


def is_data(text: str, start: int, stop: int) -> bool:
    """Elements in elements, rows that begin with a tag, no long text."""
    declared = bool(_DECLARED.match(text, start, stop))
    if not declared and text.find("</", start, stop) < 0 and text.find("/>", start, stop) < 0:
        return False
    found = list(tokens(text, start, stop, html=False))
    tags = [token for token in found if token.what in (What.START, What.END)]
    ends = sum(token.what is What.END or token.closed for token in tags)
    long = any(token.end - token.start > TEXT for token in found[:-1] if token.what is What.TEXT)
    shown = [row for row in text[start:stop].split("\n") if row.strip()]
    tagged = sum(row.lstrip().startswith("<") for row in shown)
    return (
        len(tags) >= (2 if declared else 6)
        and (ends * 3 >= len(tags) or declared)
        and not long
        and (declared or tagged * 10 >= len(shown) * 6)
        and (len(shown) > 3 or declared or len(tags) >= 8)
    )


def _other_text(text: str, token: Token, *, loose: bool) -> bool:
    """Whether text outside of every element begins on a row of its own; in a loose one, behind a blank row."""
    _, line_break, below = text[token.start : token.end].partition("\n\n" if loose else "\n")
    return bool(line_break and below.strip())


def _goes_on(rows: Rows, row: int) -> bool:
    """Whether the next row that is not blank, one or two below, begins with a tag."""
    for below in range(row + 1, min(row + 3, len(rows))):
        if not rows.blank(below):
            return rows.line(below)[:200].lstrip().startswith("<")
    return False


def _stop(rows: Rows) -> int:
    return rows.spans[-1][1]


def _row(rows: Rows, offset: int) -> int:
    return bisect_right(rows.spans, (offset, len(rows.text) + 1)) - 1

"""Rows of configuration: which are remarks, which lie inside of a value, and where blocks begin.

What may lie inside of a string, a block scalar, a heredoc or a list over several rows counts as inside: too much
is safe there. pyyaml and tomllib read values, but refuse templates, fragments and files that were cut off.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from moosproxy.compressor.kinds.base import Rows
from moosproxy.compressor.kinds.running.exact import DIRECTIVE, Head, Sort


class Form(StrEnum):
    """How a file is written: by indentation, in sections and pairs, in braces, as instructions."""

    YAML = "yaml"
    PAIRS = "pairs"
    BRACES = "braces"
    DOCKER = "docker"


SECTION = re.compile(r"\s{0,4}\[{1,2}[^\[\]\n=]{1,80}\]{1,2}\s*(?:[#;].*)?$")
OPENER = re.compile(r"(?P<name>[A-Za-z_][\w.-]*)(?:\s+[^{};#]{1,200})?\s*=?\s*\{\s*(?:#.*)?$")
_TOP_KEY = re.compile(
    r"(?:\"[^\"\n]{1,100}\"|'[^'\n]{1,100}'|[^\s#\-\[\]{}%&*!|>@`\"',?:][^#\n:]{0,100}?)\s?:(?:\s|$)"
)
_ANCHORED = re.compile(r"(?:^|[\s\[,:-])(?:&[\w-]|\*[\w-]|<<:)")
_BLOCK_SCALAR = re.compile(r"(?:^|[\s:-])[|>][-+0-9]{0,3}\s*(?:\s#.*)?$")
_VALUE = re.compile(
    r"\s*+(?:-\s+|\?\s+|[!&][^\s,\[\]{}]*\s+)*+"
    r"(?:(?:\"(?:[^\"\\\n]|\\.)*+\"|'(?:[^'\n]|'')*+'|[^\s\"'\[{#&!|>-][^\n]*?|-[^\s][^\n]*?)\s?:(?:\s+|$))?"
    r"(?:[!&][^\s,\[\]{}]*\s+)*+(?P<value>[^\n]*)"
)
_OPENING = re.compile(r"['\"\[{]")
_KEEPING = re.compile(r"[|>]\d?\+\d?\s*(?:\s#.*)?$")
_QUOTED = {'"': re.compile(r"(?:[^\"\\]|\\.)*+\""), "'": re.compile(r"(?:[^']|'')*+'(?!')")}
_FLOW = re.compile(r"\"(?:[^\"\\\n]|\\.)*+\"|'(?:[^'\n]|'')*+'|[\[\]{}\"']|\s#[^\n]*")
_TRIPLE = re.compile(r"=\s*[^\n#]{0,200}?(?P<sign>\"\"\"|''')")
_HEREDOC = re.compile(r"<<[-~]?\s?[\"']?(?P<word>[A-Za-z_]\w{0,60})[\"']?")
STRING = re.compile(r"\"(?:[^\"\\\n]|\\.)*+\"|'[^'\n]*+'|\$\{[^{}\n]*\}|#[^\n]*")
DEAD = re.compile(
    r"[;#/\s]{1,6}(?:(?:export\s)?[\w.\-/\"'\[\]]{1,80}\s{0,8}[+?:]?="
    r"|(?:-\s)?[a-z_][\w./-]{0,60}:(?:\s+\S{1,60}){0,2}\s*$"
    r"|-\s+\S{1,60}$|\[{1,2}[\w.: \"-]{1,60}\]{1,2}$|[\w. \"-]{1,80}\s\{$|\}$|[A-Z]{3,12}\s\S+$)"
    r"|[;#]\w[\w.-]{0,60}(?:[ \t]+\S{1,80}){1,4}$"
)


@dataclass
class Scan:
    """sorts: of every row. heads: where top-level blocks begin. whole: none of them may go without the others."""

    sorts: list[Sort]
    heads: list[Head] = field(default_factory=list)
    whole: bool = False


def scan(rows: Rows, form: Form) -> Scan:
    """The rows of a block. Linear."""
    inside = list(INSIDE[form](rows, 0))
    sorts = [_sort(rows, row, form) if not inside[row] else Sort.EXACT for row in range(len(rows))]
    found = Scan(_with_block_remarks(rows, sorts) if form is Form.BRACES else sorts)
    _hold_between(rows, inside, found.sorts, form)
    found.heads = list(_HEADS[form](rows, found.sorts, inside))
    found.whole = form is Form.YAML and any(
        _ANCHORED.search(rows.line(row)[:400]) for row in range(len(rows)) if sorts[row] is Sort.EXACT
    )
    return found


def indent(line: str) -> int:
    """Characters of white space that a row begins with."""
    return len(line) - len(line.lstrip())


def _sort(rows: Rows, row: int, form: Form) -> Sort:
    if rows.blank(row):
        return Sort.BLANK
    line = rows.line(row).lstrip()
    signs = {Form.PAIRS: ("#", ";"), Form.BRACES: ("#", "//")}.get(form, ("#",))
    if not line.startswith(signs) or DIRECTIVE.match(line[:300]):
        return Sort.EXACT
    return Sort.DEAD if DEAD.match(line[:300]) else Sort.REMARK


def _hold_between(rows: Rows, inside: list[bool], sorts: list[Sort], form: Form) -> None:
    """Remarks and blank rows that may belong to a value stay: in front of an indented row of pairs, and behind a
    block scalar that keeps its line breaks."""
    if form is Form.PAIRS:
        for row in range(len(rows) - 2, -1, -1):
            behind = sorts[row + 1] is Sort.EXACT and rows.line(row + 1)[:1].strip() == ""
            sorts[row] = Sort.EXACT if behind else sorts[row]
    elif form is Form.YAML and any(_KEEPING.search(rows.line(row)) for row in range(len(rows))):
        for row in range(1, len(rows)):
            if inside[row - 1] and sorts[row] is not Sort.EXACT:
                sorts[row], inside[row] = Sort.EXACT, True


def _with_block_remarks(rows: Rows, sorts: list[Sort]) -> list[Sort]:
    """Rows from /* to */ are remarks."""
    opened = -1
    for row in range(len(rows)):
        line = rows.line(row).strip()
        if opened < 0 and sorts[row] is Sort.EXACT and line.startswith("/*") and not DIRECTIVE.match(line[:300]):
            opened = row
        if opened >= 0 and "*/" in line:
            if line.endswith("*/"):
                sorts[opened : row + 1] = [Sort.REMARK] * (row + 1 - opened)
            opened = -1
    return sorts


def _inside_yaml(rows: Rows, first: int) -> Iterator[bool]:
    """Whether each row lies inside of a block scalar, a quoted value or brackets that an earlier row opened."""
    scalar: int | None = None  # rows indented more than this are its text
    quote, depth = "", 0
    for row in range(first, len(rows)):
        line = rows.line(row)
        if scalar is not None and (rows.blank(row) or indent(line) > scalar):
            yield True
            continue
        scalar = None
        yield bool(quote or depth)
        stripped = line.lstrip()
        if quote or depth:
            quote, depth = _flow(line, quote, depth)
        elif stripped and stripped[0] not in "#%":
            if ("|" in line or ">" in line) and _BLOCK_SCALAR.search(line):
                scalar = -1 if stripped.startswith("---") else indent(line)
            elif (
                _OPENING.search(line)
                and (match := _VALUE.match(line))
                and match["value"][:1] in ("'", '"', "[", "{")
            ):
                quote, depth = _flow(match["value"], "", 0)


def _flow(line: str, open_quote: str, depth: int) -> tuple[str, int]:
    """The quotation mark that is still open behind a row, and how many brackets."""
    at = 0
    if open_quote:
        match = _QUOTED[open_quote].match(line)
        if match is None:
            return open_quote, depth
        at = match.end()
    for match in _FLOW.finditer(line, at):
        sign = match[0]
        if sign in "[{":
            depth += 1
        elif sign in "]}":
            depth = max(0, depth - 1)
        elif sign in "\"'" and (depth or match.start() == 0):
            return sign, depth
    return "", depth


def _inside_pairs(rows: Rows, first: int) -> Iterator[bool]:
    """Whether each row lies inside of a string of three quotes, a list or a value that a backslash continues."""
    sign, depth, continued = "", 0, False
    for row in range(first, len(rows)):
        line = rows.line(row)
        yield bool(sign or depth or continued)
        if sign:
            sign = "" if sign in line else sign
            continue
        if line.lstrip()[:1] in ("#", ";") and not continued and not depth:
            continue
        continued = line.endswith("\\")
        if depth:
            depth = _flow(" " + line, "", depth)[1]
        elif (
            ('"""' in line or "'''" in line) and (match := _TRIPLE.search(line)) and line.count(match["sign"]) % 2
        ):
            sign = match["sign"]
        elif "=" in line and line.partition("=")[2].lstrip()[:1] in ("[", "{"):
            depth = _flow(" " + line.partition("=")[2], "", 0)[1]


def _inside_heredoc(rows: Rows, first: int) -> Iterator[bool]:
    """Whether each row lies inside of a heredoc or continues a row that ends in a backslash."""
    word, continued = "", False
    for row in range(first, len(rows)):
        line = rows.line(row)
        yield bool(word) or continued
        if word:
            word = "" if line.strip() == word else word
            continue
        remark = line.lstrip().startswith("#")
        match = None if remark else _HEREDOC.search(line[:2000])
        word = match["word"] if match else ""
        continued = continued if remark or not line.strip() else line.rstrip().endswith("\\")


def _yaml_heads(rows: Rows, sorts: list[Sort], inside: list[bool]) -> Iterator[Head]:
    """Documents where there are several, else keys that are not indented."""
    exact = [row for row in range(len(rows)) if sorts[row] is Sort.EXACT and not inside[row]]
    breaks = [row for row in exact if rows.line(row).rstrip() == "---"]
    if len(breaks) > 1 or (breaks and exact and breaks[0] > exact[0]):
        yield from (Head(row, row not in breaks) for row in sorted({exact[0], *breaks, *(b + 1 for b in breaks)}))
    elif not any(rows.line(row).startswith(("- ", "{", "[")) for row in exact[:1]):
        yield from (Head(row, True) for row in exact if _TOP_KEY.match(rows.line(row)[:200]))


def _pairs_heads(rows: Rows, sorts: list[Sort], inside: list[bool]) -> Iterator[Head]:
    """Sections, and remarks that name the file below them."""
    for row in range(len(rows)):
        line = rows.line(row)[:200]
        section = bool(SECTION.match(line))
        if not inside[row] and (section or (sorts[row] is Sort.EXACT and line.startswith("#"))):
            yield Head(row, section)


def _brace_heads(rows: Rows, sorts: list[Sort], inside: list[bool]) -> Iterator[Head]:
    """Rows that open a brace while none is open; what stands between two such blocks belongs to none."""
    depth = 0
    for row in range(len(rows)):
        if sorts[row] is not Sort.EXACT or inside[row]:
            continue
        line = STRING.sub("", rows.line(row))
        if depth == 0:
            yield Head(row, bool(OPENER.match(line)))
        depth = max(0, depth + line.count("{") - line.count("}"))


def _no_heads(rows: Rows, sorts: list[Sort], inside: list[bool]) -> Iterator[Head]:
    return iter(())


INSIDE: dict[Form, Callable[[Rows, int], Iterator[bool]]] = {
    Form.YAML: _inside_yaml,
    Form.PAIRS: _inside_pairs,
    Form.BRACES: _inside_heredoc,
    Form.DOCKER: _inside_heredoc,
}
"""From a row on, whether each lies inside of a value that an earlier row opened; read as far as one needs."""
_HEADS = {
    Form.YAML: _yaml_heads,
    Form.PAIRS: _pairs_heads,
    Form.BRACES: _brace_heads,
    Form.DOCKER: _no_heads,
}

"""Tables with bars: Markdown, psql, MySQL, reStructuredText grids, box drawing. Whole rows and the header."""

from __future__ import annotations

import re

from moosproxy.compressor.kept import Noun, Span
from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind, Unit
from moosproxy.compressor.kinds.lines import ranks

LINE = 4000
"""Characters of a row that are split into cells."""
TALL = 40
"""Rows of one row whose cells have several lines, at most."""

_BARS = "|│┃║"
_BAR = re.compile(f"[{_BARS}]")
_RULE = re.compile(r"[\s|+:=\-─━┄┈═│┃║┌┐└┘├┤┬┴┼╭╮╰╯╞╡╪╔╗╚╝╠╣╦╩╬┏┓┗┛┣┫┳┻╋┡┩╇╘╛╒╕╤╧╟╢╫╥╨]+$")
_STROKES = re.compile(r"[-=─━═]{2}|:-|-:|\|\s*-+\s*\|")
_JOINTS = re.compile(r"[|+│┃║┬┴┼╪╦╩╬┳┻╋╇╤╧┌└├╭╰╔╚╠┏┗┣┡╒╘]")
_FOOTER = re.compile(
    r"\s{0,4}(?:\(\d+ rows?\)|\d+ rows? in set\b.{0,40}|\d+ rows? (?:selected|returned)\.?.{0,20})\s*$"
)
_CONTINUED = re.compile(r"\+\s*(?:[|│]|$)")


class Table:
    """A header with bars, a rule below (or around) it, rows with bars."""

    kind = TextKind.TABLE

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """Rows with bars from a header with its rule on, and a footer that counts them."""
        if not (ranks.plain(hint) or hint in ("markdown", "md", "sql", "psql", "rst")) or at + 1 >= len(rows):
            return at
        first, second = rows.line(at), rows.line(at + 1)
        if _rule(first):
            if not _row(second):
                return at
        elif not (_row(first) and _rule(second) and _fits(first, second)):
            return at
        end = at + 2
        while end < len(rows) and (_row(rows.line(end)) or _rule(rows.line(end))):
            end += 1
        if end < len(rows) and _FOOTER.match(rows.line(end)[:100]):
            end += 1
        return end

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """A row is a unit; header, rules and footer stay."""
        rows = Rows(text, block.start, block.end)
        behind = _body(rows)
        pieces = _pieces(rows, behind)
        told = [(span, text[slice(*span)]) for span, stays in pieces if not stays]
        cells = [_BAR.split(piece[:LINE].strip().strip(_BARS)) for _, piece in told]
        worth = iter(ranks.worth([piece for _, piece in told], asked, ranks.rare_values(cells)))
        units = [Unit(rows.spans[0][0], rows.spans[behind - 1][1], must=True, heads=True, noun=Noun.ROWS)]
        for span, stays in pieces:
            if stays:
                units.append(Unit(*span, must=True, heads=True, noun=Noun.ROWS))
            else:
                units.append(Unit(*span, rank=next(worth), head=0, noun=Noun.ROWS))
        return Edited(units)


def _row(line: str) -> bool:
    return any(bar in line for bar in _BARS) and not _rule(line)


def _rule(line: str) -> bool:
    return len(line) <= LINE and bool(_RULE.match(line) and _STROKES.search(line) and _JOINTS.search(line))


def _fits(header: str, rule: str) -> bool:
    """Whether a rule has as many columns as the header above it, give or take those of the edges."""
    bars = len(_BAR.findall(header[:LINE].strip().strip(_BARS)))
    return abs(len(_JOINTS.findall(rule.strip().strip(_BARS + "+"))) - bars) <= 1


def _body(rows: Rows) -> int:
    """The row behind the header and its rule."""
    seen = False
    for row in range(min(len(rows), TALL)):
        if not _rule(rows.line(row)):
            seen = True
        elif seen:
            return row + 1
    return 1


def _pieces(rows: Rows, first: int) -> list[tuple[Span, bool]]:
    """(span, whether it stays) of what follows the header: rows, with their other lines; rules; the footer."""
    rules = [_rule(rows.line(row)) for row in range(len(rows))]
    inner = sum(rules[first:-1])
    grid = inner * 3 >= len(rows) - first or (inner > 0 and rows.line(first - 1).lstrip()[:2] == "+=")
    found: list[tuple[Span, bool]] = []
    row = first
    while row < len(rows):
        behind = row + 1
        stays = rules[row] or bool(_FOOTER.match(rows.line(row)[:100]))
        while not stays and behind < len(rows) and behind - row < TALL:
            more = not rules[behind - 1] if grid else not rules[behind] and _continued(rows.line(behind - 1))
            if not more:
                break
            behind += 1
        found.append(((rows.spans[row][0], rows.spans[behind - 1][1]), stays))
        row = behind
    return found


def _continued(line: str) -> bool:
    return "+" in line and bool(_CONTINUED.search(line[:LINE]))

"""XML that holds data or settings: white space between elements goes, all else stays as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from moosproxy.compressor.kept import Span
from moosproxy.compressor.kinds.base import Block, Edited, Unit
from moosproxy.compressor.kinds.markup.tokens import Token, What, tokens
from moosproxy.compressor.text.lexicon import words

_EXACT = frozenset(words("pre code textarea script style text tspan literallayout programlisting screen"))
_SPACE = re.compile(r"\sxml:space\s*=\s*[\"']preserve")


@dataclass
class _Element:
    """name; gaps: white space right inside of it; mixed: it holds text; parent: it holds elements; exact: white
    space in it is content."""

    name: str
    exact: bool
    gaps: list[Span] = field(default_factory=list)
    mixed: bool = False
    parent: bool = False


def edit_data(text: str, block: Block) -> Edited:
    """One unit that stays. An element that is not closed keeps its white space, and so does all behind a tag that
    closes nothing."""
    start, end = block.start, block.end
    return Edited([Unit(start, end, must=True)], sorted(_gaps(text, start, end)))


def _gaps(text: str, start: int, end: int) -> list[Span]:
    drops: list[Span] = []
    around = [_Element("", True)]
    for token in tokens(text, start, end, html=False):
        element = around[-1]
        if token.what is What.TEXT:
            blank = not text[token.start : token.end].strip(" \t\r\n")
            element.gaps += [(token.start, token.end)] if blank else []
            element.mixed = element.mixed or not blank
        elif token.what is What.DATA:
            element.mixed = True
        elif token.what is What.START:
            element.parent = True
            if not token.closed:
                around.append(_opened(text, token, element))
        elif token.what is What.END:
            if element.name != token.name:
                break
            around.pop()
            if element.parent and not element.mixed and not element.exact:
                drops += element.gaps
    return drops


def _opened(text: str, token: Token, outer: _Element) -> _Element:
    exact = outer.exact and bool(outer.name)
    kept = token.name.lower() in _EXACT or bool(_SPACE.search(text, token.start, token.end))
    return _Element(token.name, exact or kept)

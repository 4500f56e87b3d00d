"""Tags, text and the rest of HTML and XML, as offsets.

html.parser tells lines and columns but not where a tag ends, and took quadratic time on broken input until lately;
BeautifulSoup, lxml and selectolax build trees that are printed anew, where slices of the input are wanted; justext
and trafilatura leave out what they take for boilerplate. So: one expression for a tag, and a stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from moosproxy.compressor.text.lexicon import words


class What(IntEnum):
    """What a token is. RAW: the content of a script, a style or a text area, where nothing is a tag."""

    TEXT = 0
    START = 1
    END = 2
    COMMENT = 3
    DECLARATION = 4
    RAW = 5
    DATA = 6


class Token(NamedTuple):
    """name: of the tag, in lower case; of the element for RAW. closed: nothing follows inside (<br>, <x/>)."""

    what: What
    start: int
    end: int
    name: str = ""
    closed: bool = False


VOID = frozenset(words("area base br col embed hr img input link meta param source track wbr"))
RAW = frozenset(words("script style textarea"))

ATTRIBUTE = re.compile(r"\s+(?P<name>[^\s\"'<>/=]++)(?:\s*+=\s*+(?P<value>\"[^\"]*+\"|'[^']*+'|[^\s\"'=<>`]++))?+")
_TAG = re.compile(
    r"<(?P<end>/?)(?P<name>[A-Za-z_][\w:.-]*+)"
    r"(?:\s++(?:[^\s\"'<>/=]++(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'=<>`]++))?+)?+)*+\s*+(?P<closed>/?)>"
)
_DECLARATION = re.compile(r"<[!?][^<>]*+>")


def tokens(text: str, start: int, end: int, *, html: bool) -> Iterator[Token]:
    """Tokens of text[start:end] in order, without a gap. html: names of elements without an end tag, and of raw
    ones, are those of HTML. Linear."""
    at = plain = start
    absent: set[str] = set()  # what no longer comes
    while (at := text.find("<", at, end)) >= 0:
        token = _token(text, at, end, absent, html=html)
        if token is None:
            at += 1
            continue
        if plain < at:
            yield Token(What.TEXT, plain, at)
        yield token
        at = plain = token.end
        if html and token.what is What.START and token.name in RAW and token.name not in absent:
            closing = re.compile(rf"</{token.name}(?=[\s/>])", re.IGNORECASE).search(text, at, end)
            if closing is None:
                absent.add(token.name)
            elif closing.start() > at:
                yield Token(What.RAW, at, closing.start(), token.name)
                at = plain = closing.start()
    if plain < end:
        yield Token(What.TEXT, plain, end)


def partners(found: list[Token]) -> list[int]:
    """For each start or end tag the index of the other one, -1 where there is none. Linear."""
    other = [-1] * len(found)
    opened: dict[str, list[int]] = {}
    for index, token in enumerate(found):
        if token.what is What.START and not token.closed:
            opened.setdefault(token.name, []).append(index)
        elif token.what is What.END and (starts := opened.get(token.name)):
            other[index] = starts.pop()
            other[other[index]] = index
    return other


def _token(text: str, at: int, end: int, absent: set[str], *, html: bool) -> Token | None:
    for opening, closing, what in (("<!--", "-->", What.COMMENT), ("<![CDATA[", "]]>", What.DATA)):
        if text.startswith(opening, at):
            stop = -1 if closing in absent else text.find(closing, at + len(opening), end)
            if stop < 0:
                absent.add(closing)
                return None
            return Token(what, at, stop + len(closing))
    if text.startswith(("<!", "<?"), at):
        match = _DECLARATION.match(text, at, end)
        return Token(What.DECLARATION, at, match.end()) if match else None
    match = _TAG.match(text, at, end)
    if match is None:
        return None
    name = match["name"].lower() if html else match["name"]
    if match["end"]:
        return Token(What.END, at, match.end(), name)
    return Token(What.START, at, match.end(), name, bool(match["closed"]) or (html and name in VOID))

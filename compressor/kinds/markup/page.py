"""A page of HTML: what a reader does not see goes, text goes by sentences, elements that say what it is stay.

Gone are scripts, styles, drawings, remarks, the head but its title, wrappers, and attributes that only a browser
or a program reads. A wrapper stays where text would run together without it.
"""

from __future__ import annotations

import re

from moosproxy.compressor.kept import Span
from moosproxy.compressor.kinds.markup.tokens import ATTRIBUTE, Token, What, partners, tokens
from moosproxy.compressor.text.lexicon import words

UNSEEN = frozenset(words("script style noscript svg template head canvas"))
WRAPPERS = frozenset(words("div html body figure picture hgroup center main p"))
"""Elements that only part text from text; a paragraph stays as the head of its sentences."""
UNFELT = frozenset(words("span font big tt"))
"""Wrappers inside of a line."""
_BARE = frozenset(words("wbr meta link base source track param")) | UNFELT | WRAPPERS
INLINE = frozenset(
    words("a b i em strong u s del ins sub sup code kbd mark small abbr time q cite var samp img label dfn bdo")
)
_KEPT = {
    **dict.fromkeys(words("a area"), frozenset(words("href title aria-label name"))),
    "img": frozenset(words("alt title")),
    **dict.fromkeys(words("td th"), frozenset(words("colspan rowspan scope headers"))),
    **dict.fromkeys(words("ol li"), frozenset(words("start type reversed value"))),
    **dict.fromkeys(
        words("input select textarea button option optgroup form label fieldset output"),
        frozenset(
            words("""
            id name value type checked selected disabled required readonly multiple placeholder min max step
            pattern minlength maxlength for form action method label title aria-label accept
            """)
        ),
    ),
    **dict.fromkeys(words("abbr dfn time data"), frozenset(words("title datetime value"))),
    **dict.fromkeys(words("iframe embed video audio object"), frozenset(words("src title data"))),
    **dict.fromkeys(words("blockquote q del ins"), frozenset(words("cite datetime"))),
    "details": frozenset(("open",)),
    **dict.fromkeys(words("progress meter"), frozenset(words("value min max"))),
}
_CONCEALED = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|line-through", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\r\n\f]+")
_EXACT = frozenset(words("pre textarea"))


class Page:
    """Tokens of a page and what becomes of them.

    gone: of every token, whether it goes whole. drops: spans that go, ascending. other: see partners.
    """

    def __init__(self, text: str, start: int, end: int, named: frozenset[str]) -> None:
        """named: terms of a question; an unseen element that holds one of them stays."""
        self.text = text
        self.tokens = list(tokens(text, start, end, html=True))
        self.other = partners(self.tokens)
        self.gone = [False] * len(self.tokens)
        self._leave_out_unseen(named)
        self._leave_out_bare()
        self._keep_apart()
        self.drops = self._spans()

    def _leave_out_unseen(self, named: frozenset[str]) -> None:
        index = 0
        while index < len(self.tokens):
            token, last = self.tokens[index], self.other[index]
            if token.what in (What.COMMENT, What.DECLARATION):
                self.gone[index] = True
            elif token.what is What.START and token.name in UNSEEN and last > index:
                if not self._asked(index, last, named):
                    self._leave_out(index, last, named)
                index = last
            index += 1

    def _asked(self, first: int, last: int, named: frozenset[str]) -> bool:
        """Whether a question speaks of the element or of a name in it."""
        name = self.tokens[first].name
        if not named or name == "head":
            return False
        inner = self.text[self.tokens[first].start : self.tokens[last].end].lower()
        return bool(named & _ABOUT.get(name, frozenset())) or any(
            term in inner for term in named if not term.isalpha()
        )

    def _leave_out(self, first: int, last: int, named: frozenset[str]) -> None:
        """An element with all that is in it; of a head what has a title or is asked about stays."""
        kept = -1
        head = self.tokens[first].name == "head"
        for index in range(first, last + 1):
            inner = self.other[index]
            if head and inner > max(index, kept):
                name = self.tokens[index].name
                kept = inner if name == "title" or (name in UNSEEN and self._asked(index, inner, named)) else kept
            self.gone[index] = index > kept

    def _leave_out_bare(self) -> None:
        for index, token in enumerate(self.tokens):
            if token.what is What.START and token.name in _BARE and not self.gone[index]:
                other = self.other[index]
                if _concealed(self.text[token.start : token.end]) or (other < 0 and not token.closed):
                    continue
                if token.name != "p":
                    self.gone[index] = True
                if other >= 0:
                    self.gone[other] = True

    def _keep_apart(self) -> None:
        """Keeps a wrapper where the text before it would run into the text in it."""
        spaced, parting = True, -1
        for index, token in enumerate(self.tokens):
            if token.what in (What.TEXT, What.RAW, What.DATA) and not self.gone[index]:
                piece = self.text[token.start : token.end]
                if parting >= 0 and not spaced and not piece[:1].isspace():
                    self.gone[parting] = False
                    if self.other[parting] >= 0:
                        self.gone[self.other[parting]] = False
                if piece.strip():
                    spaced, parting = piece[-1:].isspace(), -1
                else:
                    spaced = True
            elif not self.gone[index]:
                spaced, parting = token.name not in INLINE and token.what is not What.COMMENT, -1
            elif token.name in WRAPPERS:
                parting = index

    def _spans(self) -> list[Span]:
        """Tokens and attributes that go, and white space of which a reader sees no more than one."""
        drops: list[Span] = []
        spaced, exact = 1, 0
        for index, token in enumerate(self.tokens):
            if self.gone[index]:
                drops.append((token.start, token.end))
            elif token.what is What.TEXT and not exact:
                spaced = self._white(token, spaced, drops)
            elif token.what is What.START:
                drops += _attributes(self.text, token)
                spaced = 0
            else:
                spaced = 0
            if token.name in _EXACT and self.other[index] >= 0 and not self.gone[index]:
                exact += 1 if token.what is What.START else -1
        return drops

    def _white(self, token: Token, spaced: int, drops: list[Span]) -> int:
        """Drops white space but one character of each stretch, a line break if it has one; the first stretch whole
        where white space stands before it. Returns whether the text ends in white space."""
        last = -1
        for match in _SPACE.finditer(self.text, token.start, token.end):
            start, last = match.span()
            if start == token.start and spaced:
                drops.append((start, last))
            elif last - start > 1:
                kept = max(self.text.find("\n", start, last), start)
                drops += [span for span in ((start, kept), (kept + 1, last)) if span[0] < span[1]]
        return int(last == token.end)


_ABOUT = {
    "script": frozenset(
        words("script scripts javascript function functions code json-ld bug error console handler")
    ),
    "style": frozenset(
        words("style styles css colour color font layout stylesheet margin padding class selector")
    ),
    "svg": frozenset(words("svg icon icons path drawing logo")),
    "noscript": frozenset(words("noscript")),
    "template": frozenset(words("template")),
    "canvas": frozenset(words("canvas")),
}


def _concealed(tag: str) -> bool:
    """Whether a tag says that its content is not shown, or not as it stands."""
    for match in ATTRIBUTE.finditer(tag):
        name = match["name"].lower()
        if name == "hidden" or (name == "style" and _CONCEALED.search(match["value"] or "")):
            return True
    return False


def _attributes(text: str, token: Token) -> list[Span]:
    """Attributes of a tag that stays which say nothing to a reader."""
    kept = _KEPT.get(token.name, frozenset())
    drops: list[Span] = []
    for match in ATTRIBUTE.finditer(text, token.start + 1 + len(token.name), token.end):
        name, value = match["name"].lower(), match["value"] or ""
        told = name in kept or name == "hidden" or (name == "style" and _CONCEALED.search(value))
        if not told and not value.endswith("/"):
            drops.append(match.span())
    return drops

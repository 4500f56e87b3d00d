"""HTML and XML: a page by its text, data without its white space, and the source of a program by whole rows."""

from __future__ import annotations

from collections.abc import Iterator

from moosproxy.compressor.kept import Noun, Span, Wrap
from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind, Unit, row_units
from moosproxy.compressor.kinds.markup.data import edit_data
from moosproxy.compressor.kinds.markup.page import INLINE, UNFELT, Page
from moosproxy.compressor.kinds.markup.tokens import What
from moosproxy.compressor.kinds.markup.told import SOURCE, data_end, is_page, page_end
from moosproxy.compressor.kinds.running.exact import UNNAMED
from moosproxy.compressor.text.lexicon import words
from moosproxy.compressor.text.sentences import sentences

HTML = frozenset(
    words("html htm xhtml vue svelte jinja jinja2 django handlebars hbs erb ejs mustache twig liquid")
)
XML = frozenset(words("xml xsd xsl xslt wsdl svg rss atom pom soap plist xaml kml gpx"))
CELL = 200
"""Text of a cell of more characters is taken sentence by sentence."""
SCRIPT = 20
"""A page with so many times more script than text is a program."""
ITEM = 600
"""An item of a list of more characters is."""

_WHOLE = frozenset(
    words("""
    h1 h2 h3 h4 h5 h6 title caption label legend option button summary pre textarea select output dt figcaption
    """)
)
"""Elements whose text stays: what it heads or names stays too."""
_CELLS = frozenset(words("td th"))


class Markup:
    """Rows of tags."""

    kind = TextKind.MARKUP

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """A page, a piece of one or XML that begins at the row; a whole fence that says so."""
        if hint in HTML or hint in XML:
            return len(rows)
        if hint not in UNNAMED or not rows.line(at)[:200].lstrip().startswith("<"):
            return at
        end = page_end(rows, at)
        return end if end > at else data_end(rows, at)

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """A fence of HTML is source: its rows stay. What is neither page nor data stays too."""
        if block.hint in XML or (block.hint not in HTML and not is_page(text, block.start, block.end)):
            return edit_data(text, block)
        page = Page(text, block.start, block.end, asked.terms)
        if block.hint in HTML or _filled_in(page) or _is_program(page):
            return Edited([Unit(unit.start, unit.end, must=True) for unit in row_units(text, block)])
        return Edited(_Units(page).found, page.drops)


def _filled_in(page: Page) -> bool:
    """Whether a program fills the page in or runs with it."""
    return any(
        SOURCE.search(page.text, token.start, token.end)
        for token in page.tokens
        if token.what in (What.START, What.TEXT, What.DECLARATION)
    )


def _is_program(page: Page) -> bool:
    """Whether there is next to nothing for a reader beside scripts and styles: then they are what it is about."""
    seen = sum(
        len(page.text[token.start : token.end].strip())
        for token, gone in zip(page.tokens, page.gone, strict=True)
        if token.what is What.TEXT and not gone
    )
    raw = sum(token.end - token.start for token in page.tokens if token.what is What.RAW)
    return raw > SCRIPT * max(seen, 1)


class _Units:
    """The units of a page, from left to right."""

    def __init__(self, page: Page) -> None:
        self.found: list[Unit] = []
        self._page = page
        self._around: dict[str, int] = {}
        self._head = -1
        self._read()

    def _read(self) -> None:
        page, run, behind = self._page, list[int](), 0
        for index, token in enumerate(page.tokens):
            if index < behind:
                continue
            if page.gone[index] and (token.what not in (What.START, What.END) or token.name in UNFELT):
                run += [index] if run else []
                continue
            if not page.gone[index] and (token.what in (What.TEXT, What.DATA) or token.name in INLINE):
                run.append(index)
                continue
            self._close([*run, index] if run and token.name == "br" else run)
            run = []
            if page.gone[index]:
                self._head = -1 if token.name == "p" else self._head
            elif token.name == "li" and self._is_item(index):
                behind = page.other[index] + 1
                end = page.tokens[behind - 1].end
                self.found.append(Unit(token.start, end, noun=Noun.ITEMS, wrap=Wrap.INLINE))
            elif token.name != "br":
                self._tag(index)
        self._close(run)

    def _is_item(self, first: int) -> bool:
        """Whether an item of a list is short and holds text alone; then it stays or goes whole."""
        page, last = self._page, self._page.other[first]
        inside = page.tokens[first + 1 : last]
        return (
            last > first
            and page.tokens[last].end - page.tokens[first].start <= ITEM
            and all(x.what not in (What.START, What.END) or x.name in INLINE | UNFELT for x in inside)
        )

    def _tag(self, index: int) -> None:
        """An element's tag stays; that of a paragraph goes with its sentences."""
        token = self._page.tokens[index]
        step = {What.START: 1, What.END: -1}.get(token.what, 0) if not token.closed else 0
        self._around[token.name] = self._around.get(token.name, 0) + step
        if step:
            self._head = -1
        if token.name == "p" and step == 1:
            self._head = len(self.found)
            self.found.append(Unit(token.start, token.end, heads=True, noun=Noun.SENTENCES, wrap=Wrap.INLINE))
        else:
            self._must(token.start, token.end)

    def _must(self, start: int, end: int) -> None:
        before = self.found[-1] if self.found else None
        joined = before is not None and before.must and not self._page.text[before.end : start].strip()
        if before is not None and joined and before.head < 0:
            self.found[-1] = Unit(before.start, end, must=True)
        else:
            self.found.append(Unit(start, end, must=True))

    def _close(self, run: list[int]) -> None:
        """The text of a run of tokens as sentences, if its tags close in it; else whole."""
        page = self._page
        seen = [index for index in run if not page.gone[index] and not self._blank(index)]
        if not seen:
            return
        run = run[run.index(seen[0]) : len(run) - run[::-1].index(seen[-1])]
        start, end = self._trimmed(page.tokens[run[0]].start, page.tokens[run[-1]].end)
        if self._whole(run, start, end):
            if self._head >= 0:
                self.found.append(Unit(start, end, must=True, head=self._head))
            else:
                self._must(start, end)
            return
        for first, last in self._sentences(run, start, end):
            self.found.append(Unit(first, last, head=self._head, noun=Noun.SENTENCES, wrap=Wrap.INLINE))

    def _blank(self, index: int) -> bool:
        token = self._page.tokens[index]
        return token.what is What.TEXT and not self._page.text[token.start : token.end].strip()

    def _trimmed(self, start: int, end: int) -> Span:
        piece = self._page.text[start:end]
        return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())

    def _whole(self, run: list[int], start: int, end: int) -> bool:
        around = self._around
        if any(around.get(name, 0) > 0 for name in _WHOLE):
            return True
        if any(around.get(name, 0) > 0 for name in _CELLS) and end - start <= CELL:
            return True
        inside = set(run)
        tags = [i for i in run if self._page.tokens[i].what in (What.START, What.END) and not self._page.gone[i]]
        return any(
            self._page.other[index] not in inside and not self._page.tokens[index].closed for index in tags
        ) or not any(character.isalnum() for character in self._page.text[start:end])

    def _sentences(self, run: list[int], start: int, end: int) -> Iterator[Span]:
        """Sentences of the run, none of which begins or ends inside of a tag or between a tag and its end."""
        tokens = self._page.tokens
        masked = list(self._page.text[start:end])
        depth_at: list[tuple[int, int]] = []
        for index in run:
            token = tokens[index]
            if token.what is not What.TEXT:
                masked[token.start - start : token.end - start] = "*" * (token.end - token.start)
                if token.what in (What.START, What.END) and not token.closed and not self._page.gone[index]:
                    depth_at.append((token.end - start, 1 if token.what is What.START else -1))
        begin = -1
        depth, at = 0, 0
        for first, last in sentences("".join(masked), 0, end - start):
            begin = first if begin < 0 else begin
            while at < len(depth_at) and depth_at[at][0] <= last:
                depth += depth_at[at][1]
                at += 1
            if depth == 0:
                yield start + begin, start + last
                begin = -1
        if begin >= 0:
            yield start + begin, end

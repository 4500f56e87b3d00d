"""A page loses what its reader does not see and sentences of its text; XML loses white space between elements alone."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.kinds.base import Asked, Rows, TextKind
from moosproxy.compressor.kinds.blocks import split
from moosproxy.compressor.kinds.markup.editor import Markup

Shorten = Callable[..., str]

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Harbour news</title>
  <script>var x = "<div>";</script>
  <style>p { color: red }</style>
</head>
<body class="home">
  <nav class="top"><ul><li><a href="/a" class="x">Home</a></li><li><a href="/b">About us</a></li></ul></nav>
  <div class="wrap" data-id="7"><div id="main">
    <h1 class="t" onclick="go()">The ferry is late</h1>
    <p class="lead">The ferry did not leave on Monday. It will leave <b>on Tuesday</b> at nine, said
      <a href="/people/li" target="_blank">Captain Li. He knows</a>. Nobody was hurt.</p>
    <p>The crew repaired the engine. The work took six hours.<br>It cost 4,000 euro.</p>
    <div style="display: none">secret text</div>
    <table class="grid"><tr><th scope="col">Day</th><th>Ferries</th></tr><tr><td>Mon</td><td colspan="2">0</td></tr></table>
    <div>left</div><div>right</div>
    <form action="/go" class="f"><input type="hidden" name="csrf" value="abc" class="c">
      <select name="day"><option value="1" selected>Monday</option></select><button type="submit">Go</button></form>
    <img src="x.png" alt="The ferry at the pier" width="3"><svg><path d="M0 0"/></svg>
    <pre class="k">
  a   b
    </pre>
  </div></div>
  <!-- end of the page -->
  <footer>Printed by the harbour</footer>
</body>
</html>
"""
FEED = """\
<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:x="urn:x">
  <channel>
    <title>Harbour  news</title>
    <!-- kept -->
    <item>
      <title>The ferry <b>is</b> late</title>
      <x:code>
   1  2
      </x:code>
    </item>
    <item>
      <title/>
      <note xml:space="preserve"> <a/> </note>
      <body><![CDATA[ <p> raw </p> ]]></body>
    </item>
  </channel>
</rss>
"""
UNSEEN = {"script", "style", "noscript", "svg", "template"}


class _Seen(HTMLParser):
    """The text of a page, without what a browser does not show."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0
        self._head = self._title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in UNSEEN
        self._head = (self._head or tag == "head") and tag != "body"
        self._title = self._title or tag == "title"

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in UNSEEN
        self._head = self._head and tag != "head"
        self._title = self._title and tag != "title"

    def handle_data(self, data: str) -> None:
        if not self._hidden and (self._title or not self._head):
            self.pieces.append(data)


def seen(page: str) -> str:
    parser = _Seen()
    parser.feed(page)
    parser.close()
    return " ".join("".join(parser.pieces).split())


def without_drops(text: str) -> str:
    """The text where every unit stays."""
    out, at = [], 0
    for block in split(text):
        for start, end in Markup().edit(text, block, Asked()).drops if block.kind is TextKind.MARKUP else ():
            out.append(text[at:start])
            at = end
    return "".join(out) + text[at:]


@pytest.fixture(scope="module")
def shorten(tiny_checkpoint: Path) -> Iterator[Shorten]:
    """What is left where next to nothing that may go stays."""
    with Compressor.load(tiny_checkpoint) as compressor:

        def shorten(text: str, question: str = "off", ratio: float = 100) -> str:
            asked = CompressionSettings(ratio=ratio, question=question, protect=frozenset())
            return compressor.compress(text, asked).text

        yield shorten


def test_what_a_reader_does_not_see_goes_and_the_rest_stays() -> None:
    assert without_drops(PAGE).rstrip() == (
        "<title>Harbour news</title>\n"
        '<nav><ul><li><a href="/a">Home</a></li><li><a href="/b">About us</a></li></ul></nav>\n'
        "<h1>The ferry is late</h1>\n"
        "<p>The ferry did not leave on Monday. It will leave <b>on Tuesday</b> at nine, said\n"
        '<a href="/people/li">Captain Li. He knows</a>. Nobody was hurt.\n'
        "<p>The crew repaired the engine. The work took six hours.<br>It cost 4,000 euro.\n"
        '<div style="display: none">secret text</div>\n'
        '<table><tr><th scope="col">Day</th><th>Ferries</th></tr><tr><td>Mon</td><td colspan="2">0</td></tr></table>\n'
        "left<div>right</div>\n"
        '<form action="/go"><input type="hidden" name="csrf" value="abc">\n'
        '<select name="day"><option value="1" selected>Monday</option></select><button type="submit">Go</button></form>\n'
        '<img alt="The ferry at the pier">\n'
        "<pre>\n  a   b\n    </pre>\n"
        "<footer>Printed by the harbour</footer>"
    )
    assert seen(without_drops(PAGE)) == seen(PAGE)


def test_sentences_go_whole_and_headings_tables_and_forms_stay(shorten: Shorten) -> None:
    short = shorten(PAGE)
    for kept in (
        "<h1>The ferry is late</h1>",
        "<th>Ferries</th>",
        '<option value="1" selected>Monday</option>',
        "  a   b",
    ):
        assert kept in short
    assert "repaired the engine" not in short and "[…" in short
    assert short.count("<b>") == short.count("</b>") and short.count("<a ") == short.count("</a>")


def test_a_question_keeps_the_script_it_is_about(shorten: Shorten) -> None:
    assert 'var x = "<div>";' in shorten(PAGE, "Why does the script fail?")
    assert "var x" not in shorten(PAGE, "When does the ferry leave?")


def test_white_space_between_elements_of_data_goes_and_nothing_else(shorten: Shorten) -> None:
    short = shorten(FEED)
    assert short == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" xmlns:x="urn:x"><channel><title>Harbour  news</title>'
        "<!-- kept --><item><title>The ferry <b>is</b> late</title><x:code>\n   1  2\n      </x:code></item>"
        '<item><title/><note xml:space="preserve"> <a/> </note><body><![CDATA[ <p> raw </p> ]]></body></item></channel></rss>'
    )


@pytest.mark.parametrize(
    "text", [PAGE, FEED, PAGE.replace("\n", "\r\n"), FEED.replace("\n", ""), PAGE[: len(PAGE) // 2]]
)
def test_markup_is_told_between_prose(text: str) -> None:
    kinds = [
        block.kind for block in split(f"Here it is, as it was found.\n\n{text}\n\nIs it any good? I do not know.")
    ]
    assert kinds[:2] == [TextKind.PROSE, TextKind.MARKUP]
    assert kinds[2:] in ([TextKind.PROSE], [])


def test_prose_behind_a_piece_is_no_part_of_it() -> None:
    text = '<p align="center">\n  <img src="x" alt="a roof"><img src="y" alt="rain">\n</p>\n\nThe roof leaks.\n\n```sh\nmake roof\n```\n'
    assert [block.kind for block in split(text)][:2] == [TextKind.MARKUP, TextKind.PROSE]


@pytest.mark.parametrize(
    "text",
    [
        "<document>\nThe roof leaks, and nobody knows why it does. The porter was asked.\n</document>\n<question>Why?</question>",
        "<article>\nThe roof leaks. It rains.\n</article>\n\n<article>\nThe cellar is wet. It rains.\n</article>",
        "We know that a < b and c > d.\n<alice> hello there\n<bob> good morning\n<alice> how are you\n<bob> fine",
        "<3 is a heart.\n<b>Bold words</b> begin this sentence, and <i>others</i> end it.",
        "Press <Enter>.\n<Tab> moves on.\n<Esc> closes it.\nThat is all.",
        '<a href="https://x.io">One</a> |\n<a href="https://y.io">Two</a>\n\nThis project is about roofs.',
    ],
)
def test_prose_with_tags_is_no_page(text: str) -> None:
    assert TextKind.MARKUP not in [block.kind for block in split(text)]


@pytest.mark.parametrize(
    "text",
    [
        "```html\n" + PAGE + "```",
        PAGE.replace("Harbour news", "{{ title }}"),
        PAGE.replace('class="home"', '@click="go"'),
        PAGE.replace("Printed by", "<?php echo 1 ?>"),
        "<script>\nfunction go() {\n  return document.title;\n}\n"
        + "go();\n" * 50
        + "</script>\n<p>x</p>\n<p>y</p>\n<p>z</p>",
    ],
)
def test_source_keeps_every_row(shorten: Shorten, text: str) -> None:
    rows = [row for row in text.split("\n") if row.strip()]
    assert [row for row in shorten(text).split("\n") if row.strip()] == rows


WORDS = st.sampled_from(["The roof leaks.", "It rains & pours. ", " Nobody < knows", "one ", "two", "a.b. C"])
INLINE = st.sampled_from(["b", "a", "em", "span", "code"])
BLOCKS = st.sampled_from(["p", "div", "li", "td", "section", "h2", "blockquote"])
TEXT = WORDS.map(escape)
NESTED = st.recursive(
    TEXT,
    lambda inner: st.one_of(
        st.tuples(INLINE, inner).map(lambda pair: f'<{pair[0]} class="x y">{pair[1]}</{pair[0]}>'),
        st.tuples(BLOCKS, st.lists(inner, max_size=3)).map(
            lambda pair: f"<{pair[0]} id=k>{''.join(pair[1])}</{pair[0]}>"
        ),
        st.tuples(inner, inner).map(lambda pair: f"{pair[0]}\n   {pair[1]}"),
        st.sampled_from(
            ["<br>", "<!-- no -->", "<script>a<b</script>", '<img src="x" alt="a roof">', "<svg><g/></svg>"]
        ),
    ),
    max_leaves=14,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(NESTED, min_size=1, max_size=6))
def test_a_page_shows_the_same_text_in_the_same_order(parts: list[str]) -> None:
    page = f"<!doctype html>\n<html><body>\n<h1>Top</h1>{''.join(parts)}</body></html>"
    short = without_drops(page)
    assert seen(short) == seen(page)
    assert len(short) <= len(page)


@settings(max_examples=80, deadline=None)
@given(st.lists(NESTED, min_size=3, max_size=6))
def test_what_is_left_of_a_page_is_a_part_of_its_text(shorten: Shorten, parts: list[str]) -> None:
    page = f"<!doctype html>\n<html><body>\n<h1>Top</h1>{' '.join(parts)}</body></html>"
    left = "".join(seen(re.sub(r"\[…[^\]]*\]", " ", shorten(page))).split())
    whole = iter("".join(seen(page).split()))
    assert all(character in whole for character in left)


NAMES = st.sampled_from(["a", "b", "x:c", "pre", "d"])
ELEMENTS = st.recursive(
    st.sampled_from(["text", " two words ", "<![CDATA[ <q> ]]>", "<!-- c -->", " ", "\n  "]),
    lambda inner: st.tuples(NAMES, st.lists(inner, max_size=4)).map(
        lambda pair: f"<{pair[0]}>" + "".join(pair[1]) + f"</{pair[0]}>"
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ELEMENTS, min_size=1, max_size=6))
def test_data_says_the_same_but_for_white_space_between_elements(parts: list[str]) -> None:
    text = '<?xml version="1.0"?>\n<root xmlns:x="urn:x">\n  ' + "\n  ".join(parts) + "\n</root>"
    short = without_drops(text)
    assert shape(ET.fromstring(short)) == shape(ET.fromstring(text))


def shape(element: ET.Element) -> tuple[object, ...]:
    """An element without the white space between the elements in it; mixed content as it is."""
    around = [element.text or "", *((child.tail or "") for child in element)]
    mixed = not len(element) or any(piece.strip() for piece in around)
    return element.tag, tuple(around) if mixed else (), tuple(shape(child) for child in element)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="<>/!-[]\"'=abdivp &;\n\r\x00\ud800", max_size=200))
def test_broken_markup_breaks_nothing(text: str) -> None:
    text = "<div>" + text
    rows, editor = Rows(text), Markup()
    for hint in ("", "html", "xml"):
        assert all(at <= editor.claim(rows, at, hint) <= len(rows) for at in range(len(rows)))
    for start in ("<!doctype html>\n", "<?xml ?>\n"):
        for block in split(start + text):
            if block.kind is TextKind.MARKUP:
                edited = editor.edit(start + text, block, Asked())
                ends = [offset for unit in edited.units for offset in (unit.start, unit.end)]
                assert ends == sorted(ends)
                assert list(edited.drops) == sorted(edited.drops)


@pytest.mark.parametrize(
    "piece",
    [
        "<div>",
        "<p>x",
        "<a b='",
        '<a b="',
        "<!--",
        "<![CDATA[",
        "<script>",
        "</div>",
        "<",
        "<b>x. ",
        "<li>",
        "<div>\n",
        "&lt;",
        "<div hidden>",
        "<x a=b ",
    ],
)
@pytest.mark.parametrize("start", ["<!doctype html>\n<p>a</p>", "<?xml version='1.0'?>\n<a><b/></a>", ""])
def test_many_tags_take_linear_time(start: str, piece: str) -> None:
    def seconds(count: int) -> float:
        text = start + piece * count
        began = time.process_time()
        for block in split(text):
            if block.kind is TextKind.MARKUP:
                Markup().edit(text, block, Asked())
        return time.process_time() - began

    small, large = min(seconds(500) for _ in range(3)), seconds(4000)
    assert large < 48 * small + 0.5  # a square would be 64 times

"""Whatever a page holds, it shows the same text, data says the same, and work is linear."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor.kinds.base import Asked, TextKind
from moosproxy.compressor.kinds.blocks import split
from moosproxy.compressor.kinds.markup.editor import Markup
from tests.compressor.kinds.kit import Shorten, check_claims, edited
from tests.compressor.kinds.markup.pages import seen, without_drops
from tests.compressor.linear import check_linear

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


@settings(max_examples=100)
@given(st.lists(NESTED, min_size=1, max_size=6))
def test_a_page_shows_the_same_text_in_the_same_order(parts: list[str]) -> None:
    page = f"<!doctype html>\n<html><body>\n<h1>Top</h1>{''.join(parts)}</body></html>"
    short = without_drops(page)
    assert seen(short) == seen(page)
    assert len(short) <= len(page)


@settings(max_examples=50)
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


@settings(max_examples=100)
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


@settings(max_examples=100)
@given(st.text(alphabet="<>/!-[]\"'=abdivp &;\n\r\x00\ud800", max_size=200))
def test_broken_markup_breaks_nothing(text: str) -> None:
    text = "<div>" + text
    editor = Markup()
    for hint in ("", "html", "xml"):
        check_claims(editor, text, hint)
    for start in ("<!doctype html>\n", "<?xml ?>\n"):
        for block in split(start + text):
            if block.kind is TextKind.MARKUP:
                found = editor.edit(start + text, block, Asked())
                ends = [offset for unit in found.units for offset in (unit.start, unit.end)]
                assert ends == sorted(ends)
                assert list(found.drops) == sorted(found.drops)


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
    check_linear(edited, lambda count: start + piece * count, 100)

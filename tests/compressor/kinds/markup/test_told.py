"""Which text is markup, and where a piece of it ends."""

from __future__ import annotations

import pytest

from moosproxy.compressor.kinds.base import TextKind
from tests.compressor.kinds.kit import kinds
from tests.compressor.kinds.markup.pages import FEED, PAGE


@pytest.mark.parametrize(
    "text", [PAGE, FEED, PAGE.replace("\n", "\r\n"), FEED.replace("\n", ""), PAGE[: len(PAGE) // 2]]
)
def test_markup_is_told_between_prose(text: str) -> None:
    found = kinds(f"Here it is, as it was found.\n\n{text}\n\nIs it any good? I do not know.")
    assert found[:2] == [TextKind.PROSE, TextKind.MARKUP]
    assert found[2:] in ([TextKind.PROSE], [])


def test_prose_behind_a_piece_is_no_part_of_it() -> None:
    text = '<p align="center">\n  <img src="x" alt="a roof"><img src="y" alt="rain">\n</p>\n\nThe roof leaks.\n\n```sh\nmake roof\n```\n'
    assert kinds(text)[:2] == [TextKind.MARKUP, TextKind.PROSE]


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
    assert TextKind.MARKUP not in kinds(text)

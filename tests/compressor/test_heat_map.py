"""What a notebook shows of a result, read back as the browser would read it."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from moosproxy.compressor import CompressionResult, CompressionSettings, Compressor
from moosproxy.compressor.heat_map import SHOWN_CHARS, SHOWN_WORDS
from tests.compressor import tiny

MARKUP = "x <script>alert(\"1\")</script> & <b onclick='y'> costs 42 euros."
TEXT = " ".join(tiny.WORDS[:200]) + ". " + MARKUP


class Shown(HTMLParser):
    """Which tags there are, and the text in the block and in each tag."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.text: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.text.setdefault(tag, "")
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        for tag in {*self.open}:
            self.text[tag] += data


@pytest.fixture(scope="module")
def compressor(tiny_checkpoint: Path) -> Iterator[Compressor]:
    with Compressor.load(tiny_checkpoint, threads=1) as loaded:
        yield loaded


def shown(result: CompressionResult) -> Shown:
    page = Shown(result._repr_html_())

    assert {"div", "p", "br", "pre", "s", "u", "span"} >= set(page.text)
    assert not page.open
    return page


def test_with_words_the_original_is_shown_with_what_was_dropped_and_protected(compressor: Compressor) -> None:
    result = compressor.compress(TEXT, CompressionSettings(ratio=3), words=True)
    page = shown(result)

    assert TEXT == page.text["pre"]
    assert result.words is not None
    dropped = [TEXT[word.start : word.end] for word in result.words if not word.kept]
    assert "Struck" + "".join(dropped) == page.text["s"]
    assert "42" in page.text["u"]
    assert result.summary() in page.text["p"]


def test_without_words_the_kept_text_is_shown(compressor: Compressor) -> None:
    result = compressor.compress(TEXT, CompressionSettings(ratio=3))
    page = shown(result)

    assert result.text == page.text["pre"]
    assert f"{result.tokens_before} -> {result.tokens_after} tokens" in page.text["p"]
    assert "words=True" in page.text["p"]


@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize("text", ["", " \n", MARKUP])
def test_a_text_that_is_left_whole_is_shown_whole(compressor: Compressor, text: str, words: bool) -> None:
    result = compressor.compress(text, CompressionSettings(ratio=1), words=words)

    assert text == shown(result).text["pre"]


def test_of_a_long_text_the_beginning_is_shown(compressor: Compressor) -> None:
    text = " ".join(tiny.WORDS[at % 300] for at in range(SHOWN_WORDS + 100))
    result = compressor.compress(text, CompressionSettings(ratio=2, protect=frozenset()), words=True)
    page = shown(result)

    assert " ".join(text.split()[:SHOWN_WORDS]) == page.text["pre"]
    assert "100 more words are not shown" in page.text["p"]


def test_of_a_long_kept_text_the_beginning_is_shown(compressor: Compressor) -> None:
    result = compressor.compress("word " * (SHOWN_CHARS // 5 + 2), CompressionSettings(ratio=1))
    page = shown(result)

    assert result.text[:SHOWN_CHARS] == page.text["pre"]
    assert "10 more characters are not shown" in page.text["p"]


def test_only_a_result_with_words_holds_the_original(compressor: Compressor) -> None:
    plain, with_words = (compressor.compress(TEXT, words=words) for words in (False, True))

    assert (None, TEXT) == (plain.original, with_words.original)
    assert TEXT not in repr(with_words)
    assert TEXT == pickle.loads(pickle.dumps(with_words)).original

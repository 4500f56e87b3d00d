"""Text to words: the units that are kept or dropped, with their character offsets in the original.

Knows no tokenizer and no model. White space belongs to no word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import regex

from moosproxy.compressor.text.patterns import Pattern

IntArray = npt.NDArray[np.int32]

# A word longer than this is cut into several, so that one giant "word" can still be compressed.
MAX_WORD_CHARS = 48
# Scripts without spaces show no word borders; this many grapheme clusters stand in for a word.
CLUSTERS_PER_WORD = 4

_SPACELESS = r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_LETTER = r"(?:(?![\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])\w)"
_LETTERS = rf"{_LETTER}{{1,{MAX_WORD_CHARS}}}+\p{{M}}*+"
_WORD = Pattern(
    rf"""
      \d++(?:[.,:/\u2212-]\d++){{0,8}}+(?:%|‰|°)?+              # numbers, dates and times stay whole
    | \p{{Han}}\p{{M}}*+                                        # one ideograph
    | [\p{{Katakana}}ー]{{1,{MAX_WORD_CHARS}}}+
    | \p{{Hiragana}}{{1,{MAX_WORD_CHARS}}}+
    | (?:(?={_SPACELESS})\X){{1,{CLUSTERS_PER_WORD}}}+
    | {_LETTERS}(?:['’\u2011-]{_LETTERS}){{0,6}}+
    | ([!-/:-@\[-`{{-~])\1{{0,{MAX_WORD_CHARS}}}+               # a run of one ASCII punctuation mark
    | (?!\s)\X                                                  # anything else: one grapheme cluster (emoji)
    """,
    regex.VERBOSE,
)


# The same in ASCII, where the standard library's engine is three times faster.
_ASCII_LETTERS = rf"\w{{1,{MAX_WORD_CHARS}}}+"
_ASCII_WORD = re.compile(
    rf"""
      [0-9]++(?:[.,:/-][0-9]++){{0,8}}+%?+
    | {_ASCII_LETTERS}(?:['-]{_ASCII_LETTERS}){{0,6}}+
    | ([!-/:-@\[-`{{-~])\1{{0,{MAX_WORD_CHARS}}}+
    | [^\s]
    """,
    re.VERBOSE | re.ASCII,
)
# Text is looked at line by line in stretches of about so many characters: one curly quote slows only its own.
_STRETCH = 1024
_GAP = re.compile(r"[ \n]")


def find(text: str) -> tuple[IntArray, IntArray]:
    """Starts and ends of the words, each shape (words,), ascending and disjoint.

    Every character that is not white space lies in exactly one word.
    """
    found = (match.span() for start, end in _stretches(text) for match in _matches(text, start, end))
    bounds = np.fromiter(chain.from_iterable(found), np.int32)
    return bounds[0::2], bounds[1::2]


def _matches(text: str, start: int, end: int) -> Iterator[Any]:
    pattern: Any = _ASCII_WORD if text[start:end].isascii() else _WORD
    return pattern.finditer(text, start, end)  # type: ignore[no-any-return]


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """Consecutive spans that cover the text, each but the last ending behind a space or line break."""
    start, size = 0, len(text)
    while start < size:
        end = size
        if size - start > _STRETCH:
            cut = _GAP.search(text, start + _STRETCH)
            end = cut.end() if cut else size
        yield start, end
        start = end

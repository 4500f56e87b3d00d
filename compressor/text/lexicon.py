"""Regular expressions for long lists of words that cost almost nothing where no word of the list begins.

Python's `re` skips to the next possible first character in C only if every branch of a pattern starts with a
literal and case is not ignored. So the words are factored by their first letters, the test for a word start
comes after the first letter, and the spellings (lower, Capitalised, UPPER) are listed. Where words begin with
most letters there is nothing to skip: then the test for a word start comes first, and halves the time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

Trie = dict[str, "Trie"]

FEW = 24
"""So many first letters at most are skipped to."""


def words(listed: str) -> list[str]:
    """The words of a list separated by white space; an underscore stands for a space inside a phrase."""
    return [word.replace("_", " ") for word in listed.split()]


def spellings(words: Iterable[str]) -> set[str]:
    """Each word in lower case, capitalised and in upper case."""
    return {form for word in words for form in (word, word[:1].upper() + word[1:], word.upper())}


def lowered(text: str) -> str:
    """The text in lower case, character by character in the same place: for lists that come in every case, a third
    as long to compile as with their spellings."""
    low = text.lower()
    if len(low) == len(text):
        return low
    return "".join(letter if len(letter.lower()) > 1 else letter.lower() for letter in text)


def any_of(words: Iterable[str]) -> str:
    """Source of an expression that matches any of the words, as written, the longest first."""
    root: Trie = {}
    for word in words:
        node = root
        for letter in word:
            node = node.setdefault(letter, {})
        node[""] = {}
    return _source(root)


def whole_word(words: Iterable[str]) -> str:
    """Like any_of, but only where a word starts and ends."""
    starts: dict[str, set[str]] = {}
    for word in words:
        starts.setdefault(word[0], set()).add(word[1:])
    if len(starts) > FEW:
        return rf"(?<!\w)(?:{any_of(letter + rest for letter, ends in starts.items() for rest in ends)})(?!\w)"
    branches = [rf"{re.escape(letter)}(?<!\w.)(?:{any_of(rest)})" for letter, rest in sorted(starts.items())]
    return rf"(?:{'|'.join(branches)})(?!\w)"


def whole_lowered(words: Iterable[str]) -> str:
    """Like whole_word in any case, for a text that went through `lowered`."""
    return whole_word({lowered(word) for word in words})


def _source(node: Trie) -> str:
    branches = []
    for letter in sorted(filter(None, node)):
        child = node[letter]
        branches.append(re.escape(letter) + ("" if list(child) == [""] else _source(child)))
    if not branches:
        return ""
    body = branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"
    return f"(?:{body})?" if "" in node else body

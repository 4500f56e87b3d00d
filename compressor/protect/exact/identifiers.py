"""Ids and versions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from moosproxy.compressor.text.layout import Span, matches
from moosproxy.compressor.text.lexicon import spellings, whole_word

# A run of letters, digits, _ and - with a digit in it; \d is ASCII here because ids are.
_CANDIDATE = re.compile(r"(?<![0-9A-Za-z_-])[A-Za-z_-]*+[0-9][0-9A-Za-z_-]*+")
_ID = re.compile(
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"  # UUID
    r"|(?=[0-9]*+[a-fA-F])[0-9a-fA-F]{7,}+(?![0-9A-Za-z])"  # commit, digest
    r"|0[xX][0-9a-fA-F]++"
    r"|[0-9][0-9-]{8,}+(?![A-Za-z])(?<!-)"  # account, telephone, card
    r"|[A-Za-z-]*+_[0-9A-Za-z_-]*+"  # order_1042, blk_-16089
    r"|[A-Z][A-Z0-9]*+-[0-9]"  # ABC-1234, GPT-4o
    r"|[a-z]{1,8}-[0-9]++[a-z]++[0-9]"  # i-0abc12
    r"|(?:[A-Za-z]++-)*+[A-Za-z]++[0-9]"  # A320, GPT4, node-b7
    r"|[0-9]++(?:[A-Za-z]++-?[0-9]++)++"  # 9f4e6x1, 1702x2395
)
_ADDRESS = re.compile(
    r"[0-9](?<![0-9A-Za-z_.].)[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?:[:/][0-9]{1,5})?(?![0-9A-Za-z_]|\.[0-9])"  # IPv4
    r"|#[0-9]++(?![0-9A-Za-z])"  # issue number
    r"|1(?<![0-9.].)0\.[0-9]{4,9}/[^\s\"<>]*[0-9A-Za-z]"  # DOI
)
_COLON_ADDRESS = re.compile(
    r"[0-9a-fA-F](?<![\w:].)[0-9a-fA-F]{0,3}(?::[0-9a-fA-F]{0,4}){5,7}(?![\w:])"  # IPv6, MAC
    r"|[0-9a-fA-F](?<![\w:].)[0-9a-fA-F]{0,3}(?::[0-9a-fA-F]{1,4}){0,6}::(?:[0-9a-fA-F]{1,4}:?){0,6}(?![\w:])"
)

_SUFFIX = r"(?:[-_.]?(?:rc|alpha|beta|dev|post|pre|a|b)\.?[0-9]*+(?![A-Za-z]))?(?:[-+][0-9A-Za-z][0-9A-Za-z.-]*+)?"
_DOTTED = re.compile(rf"[0-9](?<![\w.].)[0-9]*+(?:\.[0-9]++){{2,}}+{_SUFFIX}(?![0-9A-Za-z])")
_PREFIXED = re.compile(rf"[vV](?<!\w.)[0-9]++(?:\.[0-9]++)*+{_SUFFIX}(?![0-9A-Za-z])")
_NAMED = re.compile(
    rf"{whole_word(spellings(['version', 'release', 'ver', 'versión', 'версия']))}"
    rf"[.:]?\s?[vV]?[0-9]++(?:\.[0-9]++)*+{_SUFFIX}|版本\s?[0-9]++(?:\.[0-9]++)*+"
)
_FOUR_NUMBERS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")


def id_(text: str) -> Iterator[Span]:
    """UUIDs, digests, hexadecimal of seven digits or more, tickets (ABC-1234, #12), network addresses, DOIs, long
    digit strings, and words in which letters run into digits (A320, order_1042, i-0abc12)."""
    for match in matches(_CANDIDATE, text):
        start, end = match.span()
        while text[start] == "-":
            start += 1
        if _ID.match(text, start, end):
            yield start, start + len(text[start:end].rstrip("-_"))
    if "." in text or "#" in text:
        for match in matches(_ADDRESS, text):
            yield match.span()
    if text.count(":") > 1:
        for match in matches(_COLON_ADDRESS, text):
            yield match.span()


def version(text: str) -> Iterator[Span]:
    """1.2.3, v2, v2.0-rc1, version 3.11; four numbers that could be an IPv4 address are an id."""
    for match in matches(_DOTTED, text):
        if not _FOUR_NUMBERS.fullmatch(match[0]):
            yield match.start(), match.start() + len(match[0].rstrip(".-"))
    for pattern in (_PREFIXED, _NAMED):
        for match in matches(pattern, text):
            yield match.start(), match.start() + len(match[0].rstrip(".-"))

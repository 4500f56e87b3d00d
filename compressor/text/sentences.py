"""Sentences of running text, as offsets: what stays or goes whole.

A sentence ends at its mark, not at a line break: text is often wrapped by hand. Where the mark decides nothing
(abbreviations, initials, ordinals, a quotation that goes on) the sentence goes on.
"""

from __future__ import annotations

import re

from moosproxy.compressor.text.layout import SECTION, Span, trimmed
from moosproxy.compressor.text.lexicon import words

LONGEST = 800
"""A longer sentence is parted at clauses, else at blanks: speech without marks has no end."""
PART = 400
SHORTEST = 6
"""A piece of fewer characters ("1.", "Ja.") belongs to the one behind it."""

_END = re.compile(r"[.!?…]++[\"'”’»)\]*_]*+(?=\s|$)|[。！？؟।．]++[”’」』）\"]*+|[;；](?=\s*\n)")
_ABBREVIATED = frozenset(
    words("""
    mr mrs ms dr prof sr jr st no nos vol vols fig figs sec secs ch pp p art arts cf al vs etc e.g i.e
    approx dept est inc ltd co corp gen col sgt capt lt gov sen rep rev hon jan feb mar apr jun jul aug
    sep sept oct nov dec mon tue wed thu fri u.s u.k a.m p.m ph.d b.c a.d ca bzw z.b d.h u.a usw ggf evtl
    nr abs bd hrsg vgl str tel inkl zzgl art. núm sra dra ud uds ej pág págs av éd env hab mme mlle mm п
    т д т.е т.д т.п г гг ул
    """)
)
_MONTH = re.compile(
    r"\s+(?:Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember|janvier|enero)"
)
_CLAUSE = re.compile(r"[;,:，、；：](?=\s|(?<=[，、；：]))|\s[–—-]\s")


def sentences(text: str, start: int, end: int) -> list[Span]:
    """Sentences of text[start:end], trimmed, ascending, disjoint; together they hold every character that is not
    white space. Linear."""
    found: list[Span] = []
    cursor = start
    for cut in [*_ends(text, start, end), end]:
        first, last = trimmed(text, cursor, cut)
        if first >= last:
            continue
        if found and found[-1][1] - found[-1][0] < SHORTEST and "\n" not in text[found[-1][1] : first]:
            first = found.pop()[0]
        found.append((first, last))
        cursor = cut
    return [part for span in found for part in _parted(text, *span)]


def _ends(text: str, start: int, end: int) -> list[int]:
    cuts: list[int] = []
    at = start
    while at < end:
        limit = min(end, at + SECTION)
        if limit < end:  # a mark and what follows it are looked at together
            limit = max(text.rfind("\n", at, limit), text.rfind(" ", at, limit)) + 1 or limit
            limit = limit if limit > at else min(end, at + SECTION)
        cuts += [match.end() for match in _END.finditer(text, at, limit) if _final(text, match, end)]
        at = limit
    return cuts


def _final(text: str, match: re.Match[str], end: int) -> bool:
    """Whether a mark really ends its sentence."""
    following = text[match.end() : min(end, match.end() + 40)]
    next_letter = following.lstrip(" \t\r\n\"'“„«(*_")[:1]
    if next_letter.islower() and not match[0].startswith(("。", "！", "？")):
        return False
    if match[0][0] != "." or match[0].startswith(".."):
        return True
    before = text[max(0, match.start() - 14) : match.start()].split()
    word = before[-1].lstrip("(\"'“„[").lower() if before else ""
    if word in _ABBREVIATED or (len(word) == 1 and word.isalpha() and text[match.start() - 1].isupper()):
        return "\n\n" in following[: len(following) - len(following.lstrip())]
    return not (word.isdecimal() and len(word) < 3 and _MONTH.match(following))


def _parted(text: str, start: int, end: int) -> list[Span]:
    """The sentence itself, or a very long one in parts."""
    parts: list[Span] = []
    while end - start > LONGEST:
        cut = 0
        for match in _CLAUSE.finditer(text, start + PART // 2, start + PART):
            cut = match.end()
        cut = cut or text.rfind(" ", start + PART // 2, start + PART) + 1 or start + PART
        first, last = trimmed(text, start, cut)
        if first < last:
            parts.append((first, last))
        start = trimmed(text, cut, end)[0]
    return [*parts, (start, end)] if start < end else parts

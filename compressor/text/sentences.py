"""Sentences of running text, as offsets: what stays or goes whole.

A sentence ends at its mark, not at a line break: text is often wrapped by hand. In doubt it goes on (short forms,
initials, ordinals, what stands in quotation marks or brackets): two sentences taken for one cost a few tokens, one
taken for two may lose its "unless". For the same reason a sentence that answers or qualifies the one before it
("No.", "Otherwise ...") goes with it, and a long one is parted only where it has no end at all.

Rules of our own, because a border too many is what must not happen: pysbd knows 22 languages but is quadratic in a
text's length, syntok knows three, blingfire is compiled and has no wheel for arm64, BudouX parts phrases and no
sentences; none of them gives way where a quotation or an exception goes on.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from moosproxy.compressor.text.layout import SECTION, Span, trimmed
from moosproxy.compressor.text.lexicon import words

LONGEST = 3000
"""What is longer has no end: a transcript without marks. It is parted at words that begin something new."""
PART = 500
SHORTEST = 6
"""A piece of fewer characters ("1.", "Ja.") is no sentence of its own."""
PHRASE = 60
"""Thai, Lao and Khmer: so many characters at least lie between two blanks that are taken for ends."""
ENCLOSED = 600
"""A quotation or bracket of more characters does not hold its sentences together."""

_END = re.compile(r"[.!?…]++[\"'”’»)\]*_]*+(?=\s|$)|[。！？؟।॥۔።။។]++[”’」』）】\"]*+|．(?!\d)[”’」』）]*+")
_ABBREVIATED = frozenset(
    words("""
        mr mrs ms dr prof sr jr st mt ft rd ave nos vol vols figs secs ch chap pp p arts cf al vs v etc approx
        dept est inc ltd co corp gen col sgt cpt capt lt cmdr gov sen rep rev hon jan feb mar apr jun jul aug
        sep sept oct nov dec mon tue wed thu fri ca eq eqs ref refs resp sp spp var subsp wt conc temp tab para
        paras cl sched reg id ibid viz ed eds trans seq op cit lit bzw ggf evtl usw sog bspw vgl nr abs bd hrsg
        str tel inkl zzgl exkl ziff gem bl rn hr fr núm sra dra srta ud uds pág págs av éd env hab mme mlle mm
        pr dott sig п т д г гг ул стр рис см им проф акад тыс млн млрд руб кв
""")
)
_COUNTED = frozenset(words("no pt art min max sec fig"))  # short for something before a number alone
_DOTTED = re.compile(r"(?:\w{1,3}\.)+\w{1,3}$")  # e.g, z.B, U.S, p.m, т.е
_OPENING = " \t\r\n\"'“„«‘(*_[>"
# What stands in quotation marks or brackets is inside of what is said about it.
_ENCLOSED = re.compile(
    rf"“[^“”]{{1,{ENCLOSED}}}+”|„[^„“”]{{1,{ENCLOSED}}}+[“”]|«[^«»]{{1,{ENCLOSED}}}+»|「[^「」]{{1,{ENCLOSED}}}+」"
    rf"|『[^『』]{{1,{ENCLOSED}}}+』|\([^()]{{1,{ENCLOSED}}}+\)|（[^（）]{{1,{ENCLOSED}}}+）"
    rf"|\"(?<!\w\")[^\"\n]{{1,{ENCLOSED}}}+\"(?!\w)"
)
_SAYS_ON = re.compile(r"[\u3040-\u30ff\uac00-\ud7a3]|[他她它我你]|[^\W\d_]{1,4}(?:说|說|道|问|問)")
_ANSWERS = re.compile(
    r"(?i:(?:(?:and|or|but)\s)?(?:not|nor|neither|otherwise|else|except|excepting|unless|provided|only|save|until"
    r"|(?:the|an)?\s?exceptions?|this does not|that does not|these do not|sonst|andernfalls|ansonsten|außer"
    r"|ausgenommen|es sei denn|nur|sauf|sinon|excepté|seulement|à moins|salvo|excepto|sino|solo|sólo|a menos"
    r"|de lo contrario|exceto|senão|caso contrário|кроме|иначе|если только|только|в противном случае)(?!\w))"
    r"|除非|除了|否则|否則|但是?|不过|不過|只有|例外|ただし|但し|もっとも|さもないと|それ以外|しかし|다만|단,"
    r"|그렇지 않으면"
)
# A transcript without marks is parted where something new begins, best of all after a pause.
_BEGINS = re.compile(
    r"\s(?=(?:and then|and so|so then|okay|ok|alright|well|now|anyway|yeah|so|then|und dann|also|alors|ensuite"
    r"|entonces|luego|bueno|und|et|y|and|i|we|they|he|she)\s)",
    re.IGNORECASE,
)
_PAUSE = re.compile(r"[;；](?=\s|(?<=；))|\s[–—-]\s|\n")
_COMMA = re.compile(r"[,，、،:：](?=\s|(?<=[，、：]))")
# Thai, Lao and Khmer end a sentence with a blank, and part its phrases with others: what qualifies goes on.
_BLANK = re.compile(
    r"(?<=[\u0e00-\u0eff\u1780-\u17ff]) ++(?=[\u0e00-\u0eff\u1780-\u17ff\"“(])"
    r"(?!\s*+(?:ยกเว้น|เว้นแต่|แต่|หาก|ถ้า|ไม่|เฉพาะ|จนกว่า|ก่อน|หลัง|หรือ|และ|ເວັ້ນ|ແຕ່|ຖ້າ|ບໍ່|លើកលែង|ប៉ុន្តែ|ប្រសិន|មិន))"
)


def sentences(text: str, start: int, end: int) -> list[Span]:
    """Sentences of text[start:end], trimmed, ascending, disjoint; together they hold every character that is not
    white space. Linear."""
    found: list[Span] = []
    cursor = start
    for cut in [*_ends(text, start, end), end]:
        first, last = trimmed(text, cursor, cut)
        if first >= last:
            continue
        if found and _goes_with(text, found[-1], (first, last)):
            first = found.pop()[0]
        found.append((first, last))
        cursor = cut
    return [part for span in found for part in _parted(text, *span)]


def _goes_with(text: str, before: Span, span: Span) -> bool:
    """Whether a sentence is one with the one before it: because either is none, or it answers or qualifies it."""
    if span[1] - before[0] > LONGEST or "\n\n" in text[before[1] : span[0]]:
        return False
    if before[1] - before[0] < SHORTEST or span[1] - span[0] < SHORTEST:
        return True
    return bool(_ANSWERS.match(text, span[0], min(span[1], span[0] + 40)))


def _ends(text: str, start: int, end: int) -> list[int]:
    cuts: list[int] = []
    for at, limit in _sections(text, start, end):
        inside = _inside(text, at, limit)
        marks = [match for match in _END.finditer(text, at, limit) if not _within(inside, match)]
        letters = [_next_letter(text, match.end(), end) for match in marks]
        lower = [letter.islower() for letter in letters]
        # Where nobody writes capitals, a small letter says nothing.
        small = sum(lower) > 1 and not any(map(str.isupper, letters)) and _next_letter(text, at, end).islower()
        cuts += [
            match.end()
            for match, low in zip(marks, lower, strict=True)
            if _final(text, match, end, goes_on=low and not small)
        ]
        if not text[at:limit].isascii():
            cuts = _with_blanks(text, cuts, at, limit)
    return cuts


def _sections(text: str, start: int, end: int) -> list[Span]:
    """Parts that are searched one after the other, so that no search takes long."""
    found = []
    while start < end:
        limit = min(end, start + SECTION)
        if limit < end:  # a mark and what follows it are looked at together
            limit = max(text.rfind("\n", start, limit), text.rfind(" ", start, limit)) + 1 or limit
            limit = limit if limit > start else min(end, start + SECTION)
        found.append((start, limit))
        start = limit
    return found


def _inside(text: str, start: int, end: int) -> list[Span]:
    return [match.span() for match in _ENCLOSED.finditer(text, start, end)]


def _within(inside: list[Span], match: re.Match[str]) -> bool:
    """Whether a mark stands in a quotation or bracket that goes on behind it."""
    at = bisect_right(inside, (match.start(), match.start())) - 1
    return at >= 0 and match.end() < inside[at][1]


def _next_letter(text: str, at: int, end: int) -> str:
    return text[at : min(end, at + 40)].lstrip(_OPENING)[:1]


def _final(text: str, match: re.Match[str], end: int, *, goes_on: bool) -> bool:
    """Whether a mark outside of quotations really ends its sentence. goes_on: a small letter follows."""
    mark = match[0]
    if mark[0] in "。！？।॥۔።။។．؟":
        quoted = mark[-1] in "”’」』"
        return not (quoted and _SAYS_ON.match(text, match.end(), min(end, match.end() + 8)))
    blank = text[match.end() : min(end, match.end() + 40)]
    if "\n\n" in blank[: len(blank) - len(blank.lstrip())]:
        return True
    if goes_on:
        return False
    if mark[0] != "." or mark.startswith(".."):
        return True
    before = text[max(0, match.start() - 14) : match.start()].split()
    word = before[-1].lstrip("(\"'“„[").lower() if before else ""
    following = blank.lstrip()[:1]
    if word in _COUNTED:
        return not following.isdecimal()
    if word in _ABBREVIATED or _DOTTED.match(word) or following == "§":
        return False
    if len(word) == 1 and word.isalpha():
        return not text[match.start() - 1].isupper()
    return not (word.isdecimal() and len(word) < 3)  # an ordinal, or the number of an item


def _with_blanks(text: str, cuts: list[int], start: int, end: int) -> list[int]:
    """Ends with those that a blank makes in scripts without sentence marks."""
    found = list(cuts)
    last = start
    known = iter([*(cut for cut in cuts if cut >= start), end])
    upcoming = next(known)
    for match in _BLANK.finditer(text, start, end):
        while match.start() > upcoming:
            last, upcoming = upcoming, next(known, end)
        if match.start() - last >= PHRASE and upcoming - match.end() >= PHRASE // 3:
            last = match.end()
            found.append(last)
    return sorted(found)


def _parted(text: str, start: int, end: int) -> list[Span]:
    """The sentence itself, or one without end in parts."""
    parts: list[Span] = []
    rest = 2 * PART if end - start > LONGEST else LONGEST
    while end - start > rest:
        cut = _new_beginning(text, start + PART // 2, start + 2 * PART)
        first, last = trimmed(text, start, cut)
        if first < last:
            parts.append((first, last))
        start = cut
        while start < end and text[start].isspace():
            start += 1
    return [*parts, (start, end)] if start < end else parts


def _new_beginning(text: str, low: int, high: int) -> int:
    """Where a part that ends in [low, high) ends best."""
    for pattern in (_PAUSE, _BEGINS, _COMMA):
        ends = [match.end() for match in pattern.finditer(text, low, high)]
        if ends:
            middle = (low + high) // 2
            return min(ends, key=lambda at: abs(at - middle))
    return text.rfind(" ", low, high) + 1 or high

"""Which words may go from a sentence that stays, where nobody asks anything.

The rule: from a sentence that holds nothing of the list below, listed words go, and only they. From any other
sentence nothing goes but sounds ("um", "äh"), which are no words, so there is no scope to get wrong.

- Only sounds go where there is a negation, a condition, an exception, a limit, a comparison, a modal verb, a
  statement that is denied, doubted or given up: the protected kinds NEGATION and CONDITION, and `_TOUCHY` below.
- Nothing goes between the first and the last quotation mark, bracket or sign of code of a sentence.
- What goes are articles inside of a sentence where no name, number or superlative follows, adverbs of degree that
  only praise ("very"), openings that only announce ("It is worth noting that"), and what is stammered ("I I").
  Verbs, auxiliaries, prepositions, conjunctions, pronouns, numbers, names and nouns always stay.
- German articles say who did what to whom, so they stay; Spanish and French ones look like pronouns, so they go
  behind a preposition alone. A sentence in a language without a list, or in no language for sure, loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from moosproxy.compressor.protect.conditions import condition
from moosproxy.compressor.protect.negations import negation
from moosproxy.compressor.text.layout import Span
from moosproxy.compressor.text.lexicon import spellings, whole_word, words

FEWEST = 2
"""So many words of a language's own must a sentence hold to be taken for it."""
LOOKED_AT = 1200
"""Characters of a longer sentence: nothing goes from it."""


@dataclass(frozen=True)
class Language:
    """own: words that tell it. goes: what may go; sounds: also where every word counts. Without white space."""

    own: re.Pattern[str]
    goes: re.Pattern[str]
    sounds: re.Pattern[str]


_NAME = r"(?!\s+[\"'“‘A-ZÄÖÜÀ-Þ\d(])"
_ENGLISH_HELD = "|".join(
    words("""
        few little lot lots number bit couple dozen hundred thousand million half third quarter fifth tenth
        first second last next same other another one ones two three four five latter former whole rest sooner
        day week month year hour minute second night pound kilo mile head piece time more most least best worst
        way great good many deal majority minority sum total new late accused deceased
""")
)
_ARTICLE_A = (
    r"(?:(?<=\bis )|(?<=\bwas )|(?<=\bare )|(?<=\bwere )|(?<=\bof )|(?<=\bin )|(?<=\bon )|(?<=\bat )|(?<=\bas )"
    r"|(?<=\bwith )|(?<=\bfor )|(?<=\bby )|(?<=\bto )|(?<=\bfrom )|(?<=\binto )|(?<=\bhas )|(?<=\bhad )"
    r"|(?<=\bhave )|(?<=\band ))an?"
)
_FOLLOWED = r"(?=\s+[a-zà-ÿ])"
_ENGLISH = (
    rf"(?:(?<![-'’\w])(?:the)|{_ARTICLE_A})(?![-'’\w])(?!\s+(?:{_ENGLISH_HELD}|\w+est)\b){_NAME}{_FOLLOWED}"
    r"|(?<![-'’\w])(?:very|really|truly|extremely|incredibly|basically|obviously|of course)(?=\s+[a-z])"
    r"|^(?:It is (?:worth noting|important to note|interesting to note|well known) that|Note that|Please note that"
    r"|As (?:a matter of fact|you know|we all know),|In fact,|Of course,|Obviously,|Basically,|Indeed,|Moreover,"
    r"|Furthermore,|Additionally,|In addition,|Needless to say,|To be honest,)(?=\s)"
    r"|(?:(?<=\bsaid )|(?<=\bsays )|(?<=\bshowed )|(?<=\bfound )|(?<=\bnoted )|(?<=\breported ))"
    r"that(?=\s(?:the|it|he|she|they|we|this|these|his|her|their|its)\b)"
    r"|(?<![-'’\w])(?:[Yy]ou know|I mean)\s?,(?=\s+\w)"
    r"|(?<![-'’\w])(I|we|they|you|it|the|a|and|to|of|in|we're|it's|I'm)\s+(?=\1\s)"
)
_GERMAN = (
    r"(?<![-\w])(?:sehr|wirklich|überaus|äußerst|bekanntlich|übrigens|natürlich|selbstverständlich)"
    r"(?=\s+[a-zäöüß])"
)
_FRENCH = (
    r"(?:(?<=\bdans )|(?<=\bsur )|(?<=\bavec )|(?<=\bchez )|(?<=\bvers )|(?<=\bsous )|(?<=\bselon ))"
    rf"(?:la|le|les|une?)(?!\s+(?:quel|plupart|même|seul|prem|dern|autre|peu)){_NAME}(?=\s+[a-zà-ÿ])"
    r"|(?<![-'’\w])(?:très|vraiment|extrêmement|évidemment|bien entendu|bien sûr)(?=\s+[a-zà-ÿ])"
)
_SPANISH = (
    r"(?:(?<=\bde )|(?<=\ben )|(?<=\bcon )|(?<=\bpor )|(?<=\bsobre )|(?<=\bhacia )|(?<=\bbajo )|(?<=\bsegún ))"
    r"(?:la|los|las|un|una|unos|unas)(?!\s+(?:que|cual|mayor|mism|únic|prim|últim|otr|poc|tant|más|a|uno)\w*)"
    rf"{_NAME}(?=\s+[a-zà-ÿ])"
    r"|(?<![-'’\w])(?:muy|realmente|sumamente|obviamente|por supuesto|desde luego)(?=\s+[a-zà-ÿ])"
)


def _own(listed: str) -> re.Pattern[str]:
    return re.compile(whole_word(spellings(words(listed))))


_LANGUAGES = (
    Language(
        _own(
            "the of and is was were are to that which this with for by from he she it they his has we you what not"
        ),
        re.compile(_ENGLISH),
        re.compile(r"(?<![-'’\w])(?:[Uu]m+|[Uu]h+|[Ee]rm?|[Hh]mm+)(?:\s?,)?(?=\s+\w)"),
    ),
    Language(
        _own("der die das den dem des und ist war wurde wird mit von zu im ein eine einer auf für sich auch dass"),
        re.compile(_GERMAN),
        re.compile(r"(?<![-'’\w])(?:[ÄäÖö]hm?|[Hh]mm+)(?:\s?,)?(?=\s+\w)"),
    ),
    Language(
        _own("le la les des du et est une dans sur pour avec par qui que il elle ce cette aux sont était ont au"),
        re.compile(_FRENCH),
        re.compile(r"(?<![-'’\w])[Ee]uh+(?:\s?,)?(?=\s+\w)"),
    ),
    Language(
        _own("el los las del y es una un en con por para que su sus se fue era como más al lo está son había"),
        re.compile(_SPANISH),
        re.compile(r"(?<![-'’\w])[Ee]hh+(?:\s?,)?(?=\s+\w)"),
    ),
)
# Beside NEGATION and CONDITION: what compares, contrasts, or counts by an article.
_TOUCHY = re.compile(
    whole_word(
        spellings(
            words("""
    but however else even too enough more most less least fewer further can could would need dare per same
    different opposite against versus instead rather just quite somewhat partly half twice every each already still
    kann können gegen pro aber doch jedoch sondern noch schon mehr weniger mais pourtant cependant même encore plus
    moins contre peut pero mientras incluso aún más menos contra puede
    """)
        )
    )
)
_EXACT = re.compile(r"[\"“”„«»‘`<>{}|=\\\[\]]|(?<!\w)'|\*\*|__|://|\$")
_OTHER_SCRIPT = re.compile(r"[^\W\d_a-zA-Z\u00c0-\u024f]")


def cuts(text: str, sentences: Sequence[Span]) -> Iterator[Span]:
    """What may go from these sentences, with the white space on both sides, ascending. Linear."""
    for start, end in sentences:
        if end - start > LOOKED_AT:
            continue
        piece = text[start:end]
        language = _language(piece)
        if language is not None:
            goes = (language.sounds,) if _touchy(piece) else (language.sounds, language.goes)
            yield from _with_blanks(text, start, end, _listed(piece, goes))


def _touchy(piece: str) -> bool:
    """Whether a sentence turns around or limits something: then every word of it counts."""
    return bool(_TOUCHY.search(piece)) or any(
        next(found(piece), None) is not None for found in (negation, condition)
    )


def _language(piece: str) -> Language | None:
    if not piece.isascii() and _OTHER_SCRIPT.search(piece):
        return None
    counts = [len(language.own.findall(piece)) for language in _LANGUAGES]
    best = max(counts)
    if best < FEWEST or sum(count * 2 > best for count in counts) > 1:
        return None
    return _LANGUAGES[counts.index(best)]


def _listed(piece: str, patterns: Sequence[re.Pattern[str]]) -> list[Span]:
    """Listed words outside of what is exact; none where they are more than half of all."""
    signs = [match.start() for match in _EXACT.finditer(piece)]
    first, last = (signs[0], signs[-1]) if signs else (len(piece), len(piece))
    found = sorted(match.span() for pattern in patterns for match in pattern.finditer(piece))
    found = [(start, end) for start, end in found if end <= first or start > last]
    gone = sum(piece.count(" ", *span) + 1 for span in found)
    return found if 2 * gone <= piece.count(" ") + 1 else []


def _with_blanks(text: str, start: int, end: int, found: Sequence[Span]) -> Iterator[Span]:
    behind = start
    for first, last in ((start + low, start + high) for low, high in found):
        if first < behind:
            continue
        while last < end and text[last].isspace():
            last += 1
        # A sentence that loses its opening also loses the blank before it, where it has one.
        while first > (behind if first > start else 0) and text[first - 1].isspace():
            first -= 1
        yield first, last
        behind = last

"""Where in a conversation somebody begins to speak: chat exports, copies of chats, IRC, minutes, interviews."""

from __future__ import annotations

from typing import NamedTuple

import regex

from moosproxy.compressor.protect.asked import phrasing
from moosproxy.compressor.text.patterns import Pattern

LOOKED_AT = 160
"""Characters at the start of a row that may name a speaker."""

_DATE = (
    r"(?:\d{4}-\d\d-\d\d[ T]|\d{1,2}[./-]\d{1,2}[./-]\d{2,4},?\s"
    r"|(?:Today|Yesterday|Heute|Gestern)(?:\sat|\sum)?\s)?"
)
_CLOCK = rf"{_DATE}\d{{1,2}}:\d{{2}}(?::\d{{2}})?(?:[.,]\d{{1,3}})?(?:\s?[AaPp]\.?[Mm]\.?)?"
_TIME = rf"(?P<time>[\[(]?{_CLOCK}[\])]?[,\s\u200e–-]{{1,4}})?"
_NAME = r"(?P<name>[\p{L}@][\p{L}\p{M}\d.'’_&-]*(?:\s[\p{L}\d(][\p{L}\p{M}\d.'’)&_-]*){0,3})"
_SAYS = Pattern(
    rf"\u200e?\s{{0,4}}(?:[-*>]\s)?{_TIME}(?:\*\*|__)?{_NAME}(?:\s?[\[(]{_CLOCK}[\])])?(?:\*\*|__)?\s?[:：](?:\*\*|__)?"
    r"(?=\s|$|(?<=：))"
)
_IRC = Pattern(rf"\s{{0,4}}{_TIME}(?:<[~&@%+ ]?(?P<name>[^<>\s/]{{1,32}})>|(?P<name>\*\s[^\s*]{{1,32}}))(?=\s)")
_ABOVE = Pattern(rf"\s{{0,4}}{_NAME}(?:\s?[,–—-])?\s{{1,4}}[\[(]?{_CLOCK}[\])]?\s*$")
_EXAMINED = Pattern(r"\s{0,8}(?:[-*]\s)?(?:\*\*)?(?P<name>[QA])[.:](?:\*\*)?(?=\s)")
_STAMPED = Pattern(rf"\u200e?\s{{0,4}}[\[(]?{_CLOCK}[\])]?(?=[,\s–-])")
# A log's level, or a label of a document, is nobody's name.
_NOBODY = Pattern(
    r"(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|FATAL|CRITICAL|[Nn]ote|[Ww]arning|[Tt]ip|[Ee]xample|TODO|http|https)$"
)


class Start(NamedTuple):
    """Who begins to speak in a row, and how many characters of it say so.

    above: the name stands above what is said, in a row of its own. timed: with a time. told: by signs that nothing
    but a conversation has.
    """

    name: str
    length: int
    above: bool = False
    timed: bool = False
    told: bool = False


def start(line: str) -> Start | None:
    """Who begins to speak in this row; None if nobody does."""
    line = line[:LOOKED_AT]
    if match := _IRC.match(line):
        return Start(match["name"], match.end(), told=True)
    if match := _EXAMINED.match(line):
        return Start(match["name"], match.end())
    if match := _SAYS.match(line):
        if _NOBODY.match(match["name"]):
            return None
        if not match["time"] and (phrasing.QUESTION_LABEL.match(line) or phrasing.INSTRUCTION_LABEL.match(line)):
            return None
        return Start(match["name"], match.end(), timed=bool(match["time"]))
    if match := _ABOVE.match(line):
        return None if _NOBODY.match(match["name"]) else Start(match["name"], match.end(), above=True, timed=True)
    return None


def stamped(line: str) -> bool:
    """Whether a row begins with a time: in a chat that has times it is an entry of its own."""
    return bool(_STAMPED.match(line[:LOOKED_AT]))


_POLAR = Pattern(
    r"(?:no|nope|nah|not|never|none|nobody|neither|yes|yeah|yep|yup|sure|ok|okay|agreed|right|correct|wrong|exactly"
    r"|nein|ja|doch|nicht|nie|keiner|jawohl|stimmt|genau|non|oui|jamais|personne|sí|si|nunca|nadie|não|sim|нет|да"
    r"|никогда|никто)(?!\w)|不|没|沒|是的|对[，。]|好的|いいえ|はい|違|아니|네[,. ]|예[,. ]",
    regex.IGNORECASE,
)


def answers(words: str, few: int) -> bool:
    """Whether what somebody says means something only behind what it answers: a few words, or a yes or no."""
    said = words.strip()
    short = len(said.split()) <= few if said.isascii() or " " in said else len(said) <= 2 * few
    return short or bool(_POLAR.match(said))

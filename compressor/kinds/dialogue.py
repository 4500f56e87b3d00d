"""Conversations: chats, interviews, minutes. A turn stays or goes with the name of who speaks."""

from __future__ import annotations

import regex

from moosproxy.compressor.kept import Noun, Span, Wrap
from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind, Unit
from moosproxy.compressor.protect.asked import phrasing
from moosproxy.compressor.text.sentences import sentences

AHEAD = 14
"""Rows looked at to tell a conversation."""
LONG = 500
"""A turn of more characters is taken sentence by sentence."""
SHORT_WORDS = 4
"""A turn of at most so many words answers the one before it and stays or goes with it."""
STRAY = 6
"""So many rows without a speaker may continue a turn."""

_DATE = r"(?:\d{4}-\d\d-\d\d[ T]|\d{1,2}[./]\d{1,2}[./]\d{2,4},?\s)?"
_TIME = rf"(?:\[?{_DATE}\d{{1,2}}:\d{{2}}(?::\d{{2}})?(?:\s?[AP]M)?\]?[,\s–-]{{0,3}})?"
_TURN = regex.compile(
    rf"\s{{0,4}}(?:[-*>]\s)?{_TIME}"
    r"(?P<name>(?:\*\*)?[\p{L}@][\p{L}\p{M}\d.'’_-]*(?:\s[\p{L}\d(][\p{L}\p{M}\d.'’)_-]*){0,3})"
    r"(?:\*\*)?\s?[:：](?:\*\*)?(?=\s)"
)


class Dialogue:
    """Rows that begin with who speaks, some of them more than once."""

    kind = TextKind.DIALOGUE

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """A turn, if most rows behind it are turns too and speakers come back."""
        if hint or not speaker(rows.line(at)):
            return at
        names: list[str] = []
        seen = 0
        for row in range(at, min(len(rows), at + 3 * AHEAD)):
            if rows.blank(row):
                continue
            seen += 1
            if name := speaker(rows.line(row)):
                names.append(name)
            if seen == AHEAD:
                break
        if len(names) < 4 or len(names) * 2 < seen or len(set(names)) * 3 > len(names) * 2 or len(set(names)) < 2:
            return at
        return _end(rows, at)

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """A turn is a unit, with a bare answer to it; a long turn is its speaker and its sentences."""
        units: list[Unit] = []
        turns = _turns(Rows(text, block.start, block.end))
        for number, (start, behind_name, end) in enumerate(turns):
            answer = number > 0 and len(text[behind_name:end].split()) <= SHORT_WORDS
            if answer and units and units[-1].head < 0 and not units[-1].heads and not asked.terms:
                before = units.pop()
                units.append(_turn((before.start, end), before.count + 1, fact=True))
            elif end - behind_name <= LONG:
                units.append(_turn((start, end), 1, fact=answer))
            else:
                head = len(units)
                units.append(Unit(start, behind_name, heads=True, noun=Noun.TURNS, wrap=Wrap.INLINE))
                units += [
                    Unit(*span, head=head, noun=Noun.SENTENCES, wrap=Wrap.INLINE)
                    for span in sentences(text, behind_name, end)
                ]
        return Edited(units)


def speaker(line: str) -> str | None:
    """Who speaks in this row; None if nobody does."""
    match = _TURN.match(line[:120])
    if match is None or phrasing.QUESTION_LABEL.match(line[:80]) or phrasing.INSTRUCTION_LABEL.match(line[:80]):
        return None
    return str(match["name"])


def _turn(span: Span, count: int, *, fact: bool) -> Unit:
    return Unit(*span, noun=Noun.TURNS, wrap=Wrap.INLINE, count=count, fact=fact)


def _end(rows: Rows, at: int) -> int:
    """The row behind the last turn and what continues it."""
    end = row = at
    while row < len(rows):
        if speaker(rows.line(row)):
            end = row + 1
        elif not rows.blank(row):
            if rows.blank(row - 1) or row - end >= STRAY:
                break
            end = row + 1
        row += 1
    return end


def _turns(rows: Rows) -> list[tuple[int, int, int]]:
    """(start, where the words begin, end) of each turn."""
    found: list[tuple[int, int, int]] = []
    for row, (start, end) in enumerate(rows.spans):
        if rows.blank(row):
            continue
        stop = start + len(rows.text[start:end].rstrip())
        match = _TURN.match(rows.line(row)[:120])
        if match or not found:
            found.append((start, start + (match.end() if match else 0), stop))
        else:
            found[-1] = (*found[-1][:2], stop)
    return found

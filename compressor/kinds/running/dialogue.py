"""Conversations: chats, interviews, minutes, subtitles. A turn stays or goes with the name of who speaks.

What means something only as an answer ("no", "me", "not before Friday") stays and goes with what it answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from moosproxy.compressor.kept import Noun, Span, Wrap
from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind, Unit
from moosproxy.compressor.kinds.running import subtitles, turns
from moosproxy.compressor.kinds.running.cuts import cuts
from moosproxy.compressor.text.sentences import sentences

AHEAD = 14
"""Rows looked at to tell a conversation."""
LONG = 500
"""A turn of more characters is taken sentence by sentence."""
TOGETHER = 700
"""Characters of a turn with the answers to it, at most."""
SHORT_WORDS = 4
"""A turn of at most so many words answers the one before it and stays or goes with it."""
STRAY = 6
"""So many rows without a speaker may continue a turn."""


class _Turn(NamedTuple):
    start: int
    said: int
    end: int


class Dialogue:
    """Rows that begin with who speaks, some of them more than once."""

    kind = TextKind.DIALOGUE

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """A turn, if most rows behind it are turns too and speakers come back."""
        if hint:
            return at
        if (end := subtitles.claim(rows, at)) > at:
            return end
        if _start(rows, at) is None:
            return at
        ahead = (row for row in range(at, min(len(rows), at + 3 * AHEAD)) if not rows.blank(row))
        seen = list(islice(ahead, AHEAD))
        found = [(row, begun) for row in seen if (begun := _start(rows, row))]
        if not _converse([begun for _, begun in found], len(seen), [rows.line(row) for row, _ in found]):
            return at
        return _end(rows, at, {begun.name for _, begun in found})

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """A turn is a unit, with what answers it; a long turn is its speaker and its sentences."""
        rows = Rows(text, block.start, block.end)
        if subtitles.claim(rows, 0):
            return Edited(subtitles.units(text, block))
        units: list[Unit] = []
        cuttable: list[Span] = []
        for number, turn in enumerate(_turns(rows)):
            spans = sentences(text, turn.said, turn.end)
            cuttable += spans
            answer = number > 0 and turns.answers(text[turn.said : turn.end], SHORT_WORDS)
            _add(units, turn, spans, answer=answer, alone=bool(asked.terms))
        return Edited(units, cuts=list(cuts(text, cuttable)))


def _start(rows: Rows, row: int) -> turns.Start | None:
    """Who begins to speak in a row, looked at once though many rows are read ahead from each."""
    known: dict[int, turns.Start | None] = rows.once("turns", dict)
    if row not in known:
        known[row] = turns.start(rows.line(row))
    return known[row]


def _converse(begun: Sequence[turns.Start], rows: int, lines: Sequence[str]) -> bool:
    """Whether rows that may begin turns are a conversation, among so many rows that are not blank."""
    names = {start.name for start in begun}
    if len(begun) < 4 or len(names) < 2 or len(names) * 3 > len(begun) * 2:
        return False
    if len(begun) * (4 if any(start.above for start in begun) else 2) < rows:
        return False
    if any(start.timed or start.told for start in begun):
        return True
    # "name: web" of a file with settings looks the same, but says less.
    said = [line[start.length :] for start, line in zip(begun, lines, strict=True)]
    wordy = sum(len(words.split()) > 2 or len(words.encode()) > 3 * len(words) // 2 > 6 for words in said)
    return wordy * 2 >= len(said) and any(name[:1].isupper() or not name.isascii() for name in names)


def _add(units: list[Unit], turn: _Turn, spans: Sequence[Span], *, answer: bool, alone: bool) -> None:
    """The units of one turn. alone: an answer may go without what it answers, though not stay without."""
    if turn.end - turn.said > LONG:
        head = len(units)
        units.append(Unit(turn.start, turn.said, heads=True, noun=Noun.TURNS, wrap=Wrap.INLINE))
        units += [Unit(*span, head=head, noun=Noun.SENTENCES, wrap=Wrap.INLINE) for span in spans]
        return
    before = units[-1] if units else None
    if not answer or before is None:
        units.append(_unit((turn.start, turn.end), 1, -1, fact=False))
    elif alone or before.noun is not Noun.TURNS or turn.end - before.start > TOGETHER:
        units.append(_unit((turn.start, turn.end), 1, len(units) - 1, fact=True))
    else:
        units[-1] = _unit((before.start, turn.end), before.count + 1, before.head, fact=True)


def _unit(span: Span, count: int, head: int, *, fact: bool) -> Unit:
    return Unit(*span, head=head, noun=Noun.TURNS, wrap=Wrap.INLINE, count=count, fact=fact)


def _end(rows: Rows, at: int, names: set[str]) -> int:
    """The row behind the last turn and what continues it."""
    end = row = at
    while row < len(rows):
        begun = turns.start(rows.line(row))
        if begun:
            end = row + 1
        elif not rows.blank(row):
            if (rows.blank(row - 1) or row - end >= STRAY) and not _resumed(rows, row, names):
                break
            end = row + 1
        row += 1
    return end


def _resumed(rows: Rows, row: int, names: set[str]) -> bool:
    """Whether somebody who spoke before speaks again a few rows below."""
    ahead = (turns.start(rows.line(at)) for at in range(row + 1, min(len(rows), row + 2 * STRAY)))
    return any(begun.name in names for begun in ahead if begun)


def _turns(rows: Rows) -> list[_Turn]:
    """The turns in order. A row with a time and no name is one of its own: somebody joined, a file was sent."""
    found: list[_Turn] = []
    stamped = turns.stamped(rows.line(0))
    for row, (start, _) in enumerate(rows.spans):
        if rows.blank(row):
            continue
        line = rows.line(row)
        stop = start + len(line.rstrip())
        begun = turns.start(line)
        if begun or not found or (stamped and turns.stamped(line)):
            found.append(_Turn(start, min(start + (begun.length if begun else 0), stop), stop))
        else:
            found[-1] = found[-1]._replace(end=stop)
    return found

"""Running text: sentences, items of lists, headings and lead-ins that go with what they head."""

from __future__ import annotations

from dataclasses import replace

from moosproxy.compressor.kept import Noun, Span, Wrap
from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind, Unit
from moosproxy.compressor.kinds.running import paragraphs
from moosproxy.compressor.kinds.running.cuts import cuts
from moosproxy.compressor.kinds.running.paragraphs import Piece, Role
from moosproxy.compressor.text.patterns import Pattern
from moosproxy.compressor.text.sentences import sentences

WHOLE = 600
"""An item of a list or a quoted paragraph with more characters is taken sentence by sentence."""

_MARKER = Pattern(r"(?:[-*+•‣◦–>]|\(?\w{1,4}[.)])\s++")
_LEADS_IN = Pattern(r"[:：][*_\"”»)]{0,3}$")


class Prose:
    """Claims nothing: running text is what no other kind claims."""

    kind = TextKind.PROSE

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """`at`: see above."""
        return at

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """One unit for each sentence, item, quoted paragraph or heading."""
        outline = _Outline(text)
        for piece in paragraphs.split(Rows(text, block.start, block.end)):
            outline.add(piece)
        return Edited(outline.finished(), cuts=list(cuts(text, outline.cuttable)))


class _Outline:
    """Units as they come, each below the heading, the lead-in ("... the following:") or the item it belongs to.

    cuttable: sentences whose words may be looked at one by one.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._units: list[Unit] = []
        self._headings: list[tuple[int, int]] = []  # (level, unit)
        self._above: list[tuple[int, int]] = []  # (indentation, unit) of a lead-in and of the items around
        self.cuttable: list[Span] = []

    def add(self, piece: Piece) -> None:
        """Makes units of a piece."""
        if piece.role is Role.HEADING:
            self._above.clear()
            _climb(self._headings, piece.level)
            head = self._headings[-1][1] if self._headings else -1
            self._headings.append((piece.level, len(self._units)))
            self._unit(piece.start, piece.end, head, heads=True)
        elif piece.role is Role.ITEM:
            _climb(self._above, piece.level)
            own = self._whole(piece, self._head(), Noun.ITEMS)
            self._above.append((piece.level, own))
        elif piece.role is Role.QUOTE:
            self._whole(piece, self._head(), Noun.SENTENCES)
        else:
            self._paragraph(piece)

    def finished(self) -> list[Unit]:
        """All units. A heading or lead-in that heads nothing here stands for itself."""
        heading = {unit.head for unit in self._units}
        return [
            replace(unit, heads=False) if unit.heads and at not in heading else unit
            for at, unit in enumerate(self._units)
        ]

    def _head(self) -> int:
        above = self._above or self._headings
        return above[-1][1] if above else -1

    def _unit(self, start: int, end: int, head: int, noun: Noun = Noun.SENTENCES, *, heads: bool = False) -> int:
        self._units.append(Unit(start, end, head=head, noun=noun, wrap=Wrap.INLINE, heads=heads))
        return len(self._units) - 1

    def _whole(self, piece: Piece, head: int, noun: Noun) -> int:
        """An item or a quoted paragraph: one unit, or its marker and its sentences below it. The upper unit."""
        if piece.end - piece.start <= WHOLE:
            return self._unit(piece.start, piece.end, head, noun)
        marker = _MARKER.match(self._text, piece.start, piece.end)
        behind = marker.end() if marker else piece.start
        if marker:
            head = self._unit(piece.start, piece.start + len(marker[0].rstrip()), head, noun, heads=True)
        first = len(self._units)
        for span in sentences(self._text, behind, piece.end):
            self._unit(*span, head)
        return head if marker else first

    def _paragraph(self, piece: Piece) -> None:
        """Sentences; the last one heads what follows if it leads in to it."""
        head = self._head() if self._above and self._above[-1][0] < 0 else -1
        self._above.clear()
        spans = sentences(self._text, piece.start, piece.end)
        self.cuttable += spans
        for span in spans:
            self._unit(*span, head if head >= 0 else self._head())
        start, end = spans[-1] if spans else (piece.end, piece.end)  # none in a long row of white space
        if _LEADS_IN.search(self._text, max(start, end - 8), end):
            self._units[-1] = replace(self._units[-1], heads=True)
            self._above.append((-1, len(self._units) - 1))


def _climb(levels: list[tuple[int, int]], level: int) -> None:
    """Leaves what is not above a level."""
    while levels and levels[-1][0] >= level:
        levels.pop()

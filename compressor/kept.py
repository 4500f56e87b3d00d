"""What is kept of a text, as offsets, and what is said where something was left out: the form a cache may keep."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

Span = tuple[int, int]


class Noun(IntEnum):
    """What was left out, as a mark calls it. On the wire: add to it, never renumber."""

    NOTHING = 0
    LINES = 1
    ROWS = 2
    ITEMS = 3
    TURNS = 4
    SENTENCES = 5
    FRAMES = 6
    HUNKS = 7


class Wrap(IntEnum):
    """In what a mark is wrapped, so that it is valid where it stands. On the wire: add to it, never renumber.

    INLINE stands in running text, the others on a line of their own, but JSON, which is an element of an array.
    """

    INLINE = 0
    PLAIN = 1
    HASH = 2
    SLASHES = 3
    DASHES = 4
    BLOCK = 5
    XML = 6
    JSON = 7
    SEMICOLON = 8
    PERCENT = 9


_WRAPPED = {
    Wrap.INLINE: "{}",
    Wrap.PLAIN: "{}",
    Wrap.HASH: "# {}",
    Wrap.SLASHES: "// {}",
    Wrap.DASHES: "-- {}",
    Wrap.BLOCK: "/* {} */",
    Wrap.XML: "<!-- {} -->",
    Wrap.JSON: '"{}"',
    Wrap.SEMICOLON: "; {}",
    Wrap.PERCENT: "% {}",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """What stands in a gap instead of the white space that the gap would leave.

    index: of the slice behind the gap; the number of slices for the end of the text. noun: NOTHING for no mark and
    no white space at all. count: 0 leaves the number out.
    """

    index: int
    noun: Noun
    wrap: Wrap = Wrap.PLAIN
    count: int = 0

    @property
    def label(self) -> str:
        """The mark itself, as in `# [… 37 lines]`."""
        if self.noun is Noun.NOTHING:
            return ""
        noun = self.noun.name.lower()
        inner = (
            f" {self.count} {noun[:-1] if self.count == 1 and noun != 'entries' else noun}" if self.count else ""
        )
        return _WRAPPED[self.wrap].format(f"[…{inner}]")


@dataclass(frozen=True, slots=True)
class KeptSpans:
    """What survives of a text: character spans of it, and marks for what was left out between them.

    spans: ascending, disjoint, end exclusive. marks: by index, at most one for each gap.
    """

    spans: tuple[Span, ...]
    marks: tuple[Mark, ...] = ()

    def apply(self, text: str) -> str:
        """The compressed text: the slices in order, with `joints` around and between them."""
        joints = self.joints(text)
        out = [joints[0]]
        for (start, end), joint in zip(self.spans, joints[1:], strict=True):
            out.append(text[start:end])
            out.append(joint)
        return "".join(out)

    def joints(self, text: str) -> list[str]:
        """What stands before, between and behind the slices; one more than there are slices.

        A gap becomes a blank line if it held one, else a line break, else a space; a gap without white space
        becomes a space only where two words would otherwise run together. A mark stands between what the white
        space at either end of its gap would become, behind the indentation that the gap begins with.
        """
        marks = {mark.index: mark for mark in self.marks}
        ends = [0, *(end for _, end in self.spans)]
        starts = [*(start for start, _ in self.spans), len(text)]
        last = len(self.spans)
        found = []
        for index, (left, right) in enumerate(zip(ends, starts, strict=True)):
            mark = marks.get(index)
            if mark is not None:
                found.append(_marked(text, left, right, mark))
            else:
                found.append(_joint(text, left, right) if 0 < index < last else "")
        return found

    def to_bytes(self) -> bytes:
        """The number of marks, the marks, then alternating gap and slice lengths; LEB128 integers throughout."""
        values = [len(self.marks)]
        for mark in self.marks:
            values += (mark.index, mark.noun, mark.wrap, mark.count)
        position = 0
        for start, end in self.spans:
            values += (start - position, end - start)
            position = end
        return _pack(values)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Inverse of to_bytes. Raises ValueError on anything that to_bytes cannot have written."""
        values = _unpack(data)
        if not values or len(values) < 1 + 4 * values[0] or (len(values) - 1) % 2:
            raise ValueError("kept spans: the data end in the middle of a mark or span")
        behind = 1 + 4 * values[0]
        marks = [
            Mark(index, Noun(noun), Wrap(wrap), count)
            for index, noun, wrap, count in zip(*(values[at:behind:4] for at in range(1, 5)), strict=True)
        ]
        spans: list[Span] = []
        position = 0
        for gap, length in zip(values[behind::2], values[behind + 1 :: 2], strict=True):
            if length == 0 or (spans and gap == 0):
                raise ValueError("kept spans: an empty span or two that touch")
            spans.append((position + gap, position + gap + length))
            position += gap + length
        indices = [mark.index for mark in marks]
        if sorted(set(indices)) != indices or (indices and indices[-1] > len(spans)):
            raise ValueError("kept spans: marks out of order")
        return cls(tuple(spans), tuple(marks))


def _pack(values: Iterable[int]) -> bytes:
    out = bytearray()
    for value in values:
        while value > 0x7F:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
    return bytes(out)


def _unpack(data: bytes) -> list[int]:
    values: list[int] = []
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            if shift > 56:
                raise ValueError("kept spans: an integer is too long")
            continue
        values.append(value)
        value = shift = 0
    if shift:
        raise ValueError("kept spans: the data end in the middle of an integer")
    return values


def _marked(text: str, left: int, right: int, mark: Mark) -> str:
    if mark.noun is Noun.NOTHING:
        return ""
    if mark.wrap is Wrap.JSON:
        before = "," if left and text[left - 1] not in "[," else ""
        return before + mark.label + ("," if right < len(text) and text[right] not in "]," else "")
    gap = text[left:right]
    lead = gap[: len(gap) - len(gap.lstrip())]
    trail = gap[len(gap.rstrip()) :] if gap.strip() else ""
    before, after = _white(lead), _white(trail)
    if mark.wrap is not Wrap.INLINE:
        before = (
            (before or ("\n" if left else "")) + lead.rpartition("\n")[2] if "\n" in lead or not left else "\n"
        )
        after = after if "\n" in after or right == len(text) else "\n"
    return before + mark.label + after


def _white(gap: str) -> str:
    """A blank line, a line break, a space or nothing: the most that a stretch of white space holds."""
    breaks = gap.count("\n")
    if breaks:
        newline = "\r\n" if "\r\n" in gap else "\n"
        return newline * 2 if breaks > 1 else newline
    return " " if gap else ""


def _joint(text: str, left: int, right: int) -> str:
    gap = text[left:right]
    breaks = gap.count("\n")
    if breaks:
        newline = "\r\n" if "\r\n" in gap else "\n"
        blank = breaks > 1 and any(not line.strip() for line in gap.split("\n")[1:-1])
        return newline * 2 if blank else newline
    if any(character.isspace() for character in gap):
        return " "
    return " " if _spaced(text[left - 1]) and _spaced(text[right]) else ""


def _spaced(character: str) -> bool:
    """Whether two such characters side by side would read as one word."""
    return character.isalnum() and not "\u2e80" <= character <= "\uffdc"

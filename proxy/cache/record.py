"""What the cache knows about a text, and its bytes in the shared cache: offsets and counts, never text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from moosproxy.compressor import KeptSpans
from moosproxy.proxy.cache.cut import Cut, Kinds, Limit
from moosproxy.proxy.reasons import SkipReason

VERSION = 4

# On the wire: add to it, never renumber. 0 means kept spans.
_CODES = {
    SkipReason.PROTECTED_KIND: 1,
    SkipReason.DEADLINE: 2,
    SkipReason.OVERLOADED: 3,
    SkipReason.FAILED: 4,
    SkipReason.NOT_WORTH_IT: 5,
    SkipReason.QUALITY_FLOOR: 6,
    SkipReason.EVERY_WORD: 7,
}
_MOST_KINDS = 64
_KIND = re.compile(rb"[a-z_]{1,20}")
_REASONS = {code: reason for reason, code in _CODES.items()}


@dataclass(frozen=True, slots=True)
class Skip:
    """The text goes out as it is. expires: Unix second at which that ends, 0 for never."""

    reason: SkipReason
    tokens: int
    expires: int = 0
    limit: Limit | None = None
    kinds: Kinds = ()

    @property
    def size(self) -> int:
        """Bytes in memory, roughly."""
        return 100

    def holds(self, now: float) -> bool:
        """Whether the skip still stands at a time in Unix seconds."""
        return not self.expires or now < self.expires


Answer = Cut | Skip


@dataclass(frozen=True, slots=True)
class Record:
    """The wire form of an answer: version, code, then LEB128 integers, the limit, the kinds and the kept spans.

    first, second: tokens before and after, or tokens and expiry of a skip. limit: length and name of the kind,
    then its percentage; one zero byte for none. kinds: their number, and of each length, name and two integers.
    """

    code: int
    first: int
    second: int
    spans: bytes = b""
    limit: Limit | None = None
    kinds: Kinds = ()

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """The record of an answer."""
        if isinstance(answer, Skip):
            return cls(_CODES[answer.reason], answer.tokens, answer.expires, b"", answer.limit, answer.kinds)
        return cls(0, answer.tokens_before, answer.tokens_after, answer.wire, answer.limit, answer.kinds)

    def to_bytes(self) -> bytes:
        """Version byte, code byte, two integers, limit, kinds, spans."""
        numbers = _leb128(self.first) + _leb128(self.second)
        return (
            bytes((VERSION, self.code))
            + numbers
            + _limit_bytes(self.limit)
            + _kinds_bytes(self.kinds)
            + self.spans
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Inverse of to_bytes. Raises ValueError on anything else."""
        if len(data) < 4 or data[0] != VERSION or data[1] not in (0, *_REASONS):
            raise ValueError("record: unknown version or code")
        first, position = _read_leb128(data, 2)
        second, position = _read_leb128(data, position)
        limit, position = _read_limit(data, position)
        kinds, position = _read_kinds(data, position)
        if data[1] and position != len(data):
            raise ValueError("record: bytes behind a skip")
        return cls(data[1], first, second, data[position:], limit, kinds)

    def answer(self, text: str) -> Answer:
        """The answer for the text that the record's key was made of. Raises ValueError if it does not fit."""
        if self.code:
            return Skip(_REASONS[self.code], self.first, self.second, self.limit, self.kinds)
        return Cut.of(text, KeptSpans.from_bytes(self.spans), self.first, self.second, self.limit, self.kinds)


def _limit_bytes(limit: Limit | None) -> bytes:
    if limit is None:
        return b"\0"
    return bytes((len(limit.kind),)) + limit.kind.encode("ascii") + bytes((limit.percent,))


def _read_limit(data: bytes, position: int) -> tuple[Limit | None, int]:
    size = data[position] if position < len(data) else -1
    if size == 0:
        return None, position + 1
    end = position + 1 + size
    if size < 0 or end >= len(data) or not _KIND.fullmatch(data, position + 1, end) or data[end] > 100:
        raise ValueError("record: a limit that is none")
    return Limit(data[position + 1 : end].decode("ascii"), data[end]), end + 1


def _kinds_bytes(kinds: Kinds) -> bytes:
    out = bytearray((len(kinds),))
    for kind, before, after in kinds:
        out += bytes((len(kind),)) + kind.encode("ascii") + _leb128(before) + _leb128(after)
    return bytes(out)


def _read_kinds(data: bytes, position: int) -> tuple[Kinds, int]:
    kinds: list[tuple[str, int, int]] = []
    count = data[position] if position < len(data) else _MOST_KINDS + 1
    if count > _MOST_KINDS:
        raise ValueError("record: more kinds than there are")
    position += 1
    for _ in range(count):
        end = position + 1 + (data[position] if position < len(data) else 0)
        if not _KIND.fullmatch(data, position + 1, end):
            raise ValueError("record: a kind that is none")
        before, after_at = _read_leb128(data, end)
        after, following = _read_leb128(data, after_at)
        kinds.append((data[position + 1 : end].decode("ascii"), before, after))
        position = following
    return tuple(kinds), position


def _leb128(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_leb128(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift <= 56:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            if byte == 0 and shift:
                raise ValueError("record: an integer with idle bytes")
            return value, position
        shift += 7
    raise ValueError("record: an integer is cut off or too long")

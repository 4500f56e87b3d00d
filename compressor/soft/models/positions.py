"""Which tokens belong to which chunk, and where the anchors stand. Whole numbers only: nothing here is learned.

Positions are counted from 0 at the start of the context. The published code of SAC counts from 1; rotary attention
sees differences only, so both are the same.
"""

from __future__ import annotations


def fixed_chunks(length: int, size: int) -> list[range]:
    """Chunks of `size` tokens, the last one shorter (SAC: 510)."""
    return [range(start, min(start + size, length)) for start in range(0, length, size)]


def even_chunks(length: int, size: int) -> list[range]:
    """ceil(length / size) chunks of nearly the same size (IC-Former's divide-and-concatenate: 512)."""
    count = -(-length // size)
    return fixed_chunks(length, -(-length // count)) if count else []


def anchors(length: int, ratio: int) -> list[int]:
    """The middle token of each run of `ratio` tokens of a chunk, counted from the chunk's start.

    The published rule: the first at (ratio - 1) // 2, then every `ratio`-th; in a chunk too short for that its
    first token. 510 tokens have 102, 34 and 10 anchors at 5, 15 and 51.
    """
    if length < 1 or ratio < 1:
        raise ValueError("a chunk has at least one token and a ratio is at least 1")
    return list(range((ratio - 1) // 2, length, ratio)) or [0]


def slots(length: int, ratio: int) -> int:
    """How many vectors a chunk becomes: the same number for every method, so that they spend the same budget."""
    return len(anchors(length, ratio))


def places(length: int, ratio: int, moved: float) -> list[int]:
    """Where memory tokens stand: at the anchors (moved 0), behind the context (moved 1), or on the way."""
    pairs = zip(anchors(length, ratio), range(length, 2 * length), strict=False)
    return [round(start + moved * (end - start)) for start, end in pairs]

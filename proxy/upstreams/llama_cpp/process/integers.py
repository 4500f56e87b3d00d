"""The whole numbers between two bounds, as a GBNF expression over their digits."""

from __future__ import annotations

_MOST_DIGITS = 16  # as many as the converter's own rule for numbers has


def between(least: int | None, most: int | None) -> str | None:
    """The expression; None where there is no such number. Without a bound, numbers have up to 16 digits."""
    far = 10 ** max([_MOST_DIGITS, *(len(str(abs(bound))) for bound in (least, most) if bound is not None)]) - 1
    least, most = -far if least is None else least, far if most is None else most
    parts = []
    if least < 0 and least <= most:
        parts.append(f'"-" ({" | ".join(_natural(max(1, -most), -least))})')
    if most >= 0 and least <= most:
        parts += _natural(max(0, least), most)
    return " | ".join(parts) or None


def _natural(least: int, most: int) -> list[str]:
    """Alternatives for 0 <= least <= most, by the number of digits."""
    out = []
    while least <= most:
        size = len(str(least))
        last = min(most, 10**size - 1)
        out.append(_digits(str(least), str(last)))
        least = last + 1
    return out


def _digits(low: str, high: str) -> str:
    """For two numbers of as many digits."""
    rest = len(low) - 1
    if not rest:
        return _one(low, high)
    if low[0] == high[0]:
        return f'"{low[0]}" ({_digits(low[1:], high[1:])})'
    first, last = int(low[0]), int(high[0])
    before, after = [], []
    if low[1:] != "0" * rest:
        before.append(f'"{first}" ({_digits(low[1:], "9" * rest)})')
        first += 1
    if high[1:] != "9" * rest:
        after.append(f'"{last}" ({_digits("0" * rest, high[1:])})')
        last -= 1
    between = [f"{_one(str(first), str(last))} {' '.join(['[0-9]'] * rest)}"] if first <= last else []
    return " | ".join(before + between + after)


def _one(low: str, high: str) -> str:
    return f'"{low}"' if low == high else f"[{low}-{high}]"

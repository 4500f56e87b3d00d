"""What callers give: whether it has the type and range it should, told with what was given and what to give."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from operator import index
from typing import Any, TypeVar

from moosproxy.compressor.errors import ArgumentError, SettingsError

T = TypeVar("T")


def is_number(value: Any, low: float, high: float) -> bool:
    """Whether it is an int or float in [low, high]; True and False are no numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def is_whole(value: Any, low: float = -math.inf) -> bool:
    """Whether it is an int of at least `low`; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


def wrong(name: str, wanted: str, value: Any) -> SettingsError:
    """The error for a setting that has no such value."""
    return SettingsError(f"{name} must be {wanted}, got {_shown(value)}")


def strings(name: str, values: Any) -> tuple[str, ...]:
    """The strings in a collection; a lone string is a collection of its letters, which nobody means.

    Raises SettingsError for anything else.
    """
    if isinstance(values, str):
        raise SettingsError(f"{name} must be a collection of strings, got {values!r} alone; write [{values!r}]")
    if not isinstance(values, Iterable):
        raise wrong(name, "a collection of strings", values)
    found = tuple(values)
    for value in found:
        if not isinstance(value, str):
            raise wrong(f"every one of {name}", "a string", value)
    return found


def text(value: Any) -> str:
    """A string. Raises ArgumentError for anything else, whose content is not in the message."""
    if not isinstance(value, str):
        fix = "; decode it first: text.decode()" if isinstance(value, bytes | bytearray) else ""
        raise ArgumentError(f"text must be a str, got {_kind(value)}{fix}")
    return value


def instance(name: str, value: Any, expected: type[T]) -> T:
    """An instance of the expected class. Raises ArgumentError for anything else."""
    if not isinstance(value, expected):
        fix = f"; write {expected.__name__}(**{name})" if isinstance(value, dict) else ""
        raise ArgumentError(f"{name} must be {expected.__name__}, got {_kind(value)}{fix}")
    return value


def path(name: str, value: Any) -> str | os.PathLike[str]:
    """The path of a file or directory. Raises ArgumentError for anything else."""
    if not isinstance(value, str | os.PathLike):
        raise ArgumentError(f"{name} must be a path, got {_shown(value)}")
    return value


def spans(values: Any) -> list[tuple[int, int]]:
    """Pairs of whole numbers, numpy's included.

    Raises ArgumentError for anything else, SettingsError for a pair that ends before it starts.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise ArgumentError(f"spans must be (start, end) pairs of character offsets, got {_kind(values)}")
    return [_span(value) for value in values]


def _span(value: Any) -> tuple[int, int]:
    try:
        start, end = (index(bound) for bound in value if not isinstance(bound, bool))
    except (TypeError, ValueError):
        raise ArgumentError(
            f"spans must be (start, end) pairs of character offsets, got {_shown(value)} among them"
        ) from None
    if end < start:
        raise SettingsError(f"span {(start, end)} ends before it starts")
    return start, end


def _shown(value: Any) -> str:
    return "None" if value is None else f"{value!r} ({type(value).__name__})"


def _kind(value: Any) -> str:
    return "None" if value is None else type(value).__name__

"""JSON that orjson refuses although it is valid: lone surrogates, numbers beyond a double."""

from __future__ import annotations

import json
import math
import re
from typing import Any
from uuid import uuid4

import orjson

# What a double and 64 bits hold in any case has fewer digits, and a shorter exponent.
_LONG = re.compile(rb"[0-9.]{16}|[eE][+-]?[0-9]{3}")


def loads(document: bytes) -> Any:
    """Raises ValueError where the document is no JSON."""
    try:
        return orjson.loads(document)
    except orjson.JSONDecodeError:
        return json.loads(document)


def exact(document: bytes) -> Any:
    """The same, but a number that int and float cannot hold is a Fragment, which `dumps` writes as it came."""
    if _LONG.search(document) is None:
        return loads(document)
    return json.loads(document, parse_int=_whole, parse_float=_broken)


def dumps(value: Any) -> bytes:
    """Lone surrogates as the escapes that they came as, fragments as they are."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return _slowly(value)


def _whole(digits: str) -> int | orjson.Fragment:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**64:
        return orjson.Fragment(digits)
    return int(digits)


def _broken(text: str) -> float | orjson.Fragment:
    number = float(text)
    same = math.isfinite(number) and len(text) < 400 and _digits(text) == _digits(repr(number))
    return number if same else orjson.Fragment(text)


def _digits(number: str) -> tuple[str, str, int]:
    """Sign, digits without zeros at both ends, and exponent: the same for every way to write a number."""
    before, _, exponent = number.lower().partition("e")
    sign, before = ("-", before[1:]) if before.startswith("-") else ("", before)
    whole, _, rest = before.partition(".")
    digits = (whole + rest).lstrip("0")
    kept = digits.rstrip("0")
    return sign, kept, int(exponent or 0) - len(rest) + len(digits) - len(kept) if kept else 0


def _slowly(value: Any) -> bytes:
    """json knows no fragments: each is a mark until all is written."""
    raw: dict[str, str] = {}

    def mark(found: Any) -> str:
        if not isinstance(found, orjson.Fragment):
            raise TypeError(f"{type(found).__name__} is no JSON")
        name = uuid4().hex
        raw[f'"{name}"'] = orjson.dumps(found).decode()
        return name

    written = json.dumps(value, default=mark)
    for name, text in raw.items():
        written = written.replace(name, text)
    return written.encode()

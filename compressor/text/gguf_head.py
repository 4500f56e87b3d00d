"""The head of a GGUF file: its fields, and of its arrays those that are asked for."""

from __future__ import annotations

import struct
from collections.abc import Container
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

_SIZES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_LONGEST = 1 << 28
_ALIGNMENT = 32
_DIMENSIONS = 8

FAULTS = (ValueError, struct.error, EOFError, UnicodeDecodeError)
"""What a damaged file raises."""


def read(path: Path, arrays: Container[str] = ()) -> dict[str, Any]:
    """Field -> value. Arrays that are not asked for, such as the vocabulary, are passed over.

    Raises OSError, and FAULTS where the file is damaged or none.
    """
    with path.open("rb") as stream:
        return _fields(stream, arrays)[0]


class Tensors(NamedTuple):
    """Where the weights lie. start: of the first byte behind the head, which the offsets count from."""

    start: int
    entries: tuple[Entry, ...]


class Entry(NamedTuple):
    """One tensor. kind: as the format numbers its types."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int


def tensors(path: Path) -> Tensors:
    """The list of tensors behind the fields. Raises as `read` does."""
    with path.open("rb") as stream:
        fields, count = _fields(stream, ())
        entries = tuple(_entry(stream) for _ in range(count))
        step = fields.get("general.alignment", _ALIGNMENT)
        return Tensors(-(-stream.tell() // step) * step, entries)


def _entry(stream: BinaryIO) -> Entry:
    name = _text(stream)
    (dimensions,) = _unpack(stream, "I")
    if dimensions > _DIMENSIONS:
        raise ValueError(f"a tensor of {dimensions} dimensions")
    *shape, kind, offset = _unpack(stream, f"{dimensions}QIQ")
    return Entry(name, tuple(shape), kind, offset)


def _fields(stream: BinaryIO, arrays: Container[str]) -> tuple[dict[str, Any], int]:
    """The fields, and how many tensors follow."""
    if stream.read(4) != b"GGUF":
        raise ValueError("it does not begin with GGUF")
    version, tensors, count = _unpack(stream, "IQQ")
    if version not in (2, 3):
        raise ValueError(f"version {version}")
    fields = {}
    for _ in range(count):
        key = _text(stream)
        (kind,) = _unpack(stream, "I")
        value = _value(stream, kind, wanted=key in arrays)
        if value is not None:
            fields[key] = value
    return fields, tensors


def _value(stream: BinaryIO, kind: int, *, wanted: bool) -> Any:
    if kind == _STRING:
        return _text(stream)
    if kind in _SIZES:
        return _unpack(stream, _SIZES[kind])[0]
    if kind != _ARRAY:
        raise ValueError(f"a value of kind {kind}")
    inner, count = _unpack(stream, "IQ")
    if wanted and count > _LONGEST:
        raise ValueError("an array is too long")
    if inner in _SIZES:
        if wanted:
            return list(_unpack(stream, f"{count}{_SIZES[inner]}"))
        _skip(stream, struct.calcsize(_SIZES[inner]) * count)
    elif inner == _STRING:
        if wanted:
            return [_text(stream) for _ in range(count)]
        for _ in range(count):
            _skip(stream, _unpack(stream, "Q")[0])
    else:
        raise ValueError(f"an array of kind {inner}")
    return None


def _unpack(stream: BinaryIO, form: str) -> tuple[Any, ...]:
    size = struct.calcsize("<" + form)
    data = stream.read(size)
    if len(data) < size:
        raise ValueError("it ends too soon")
    return struct.unpack("<" + form, data)


def _text(stream: BinaryIO) -> str:
    (size,) = _unpack(stream, "Q")
    if size > _LONGEST:
        raise ValueError("a text is too long")
    data = stream.read(size)
    if len(data) < size:
        raise ValueError("it ends too soon")
    return data.decode("utf-8", "replace")


def _skip(stream: BinaryIO, size: int) -> None:
    if size > _LONGEST:
        raise ValueError("a value is too long")
    stream.seek(size, 1)

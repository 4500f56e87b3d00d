"""Replaces single string values inside a JSON document and leaves every other byte as it came.

Parsing and writing again would lose what other fields hold: integers beyond 64 bits, the spelling of numbers,
duplicate keys, white space that a signature covers. Knows JSON, not OpenAI.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from moosproxy.proxy.bodies import any_json

Path = tuple[str | int, ...]

_BLANK = re.compile(rb"[ \t\n\r]*")
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SCALAR = re.compile(rb"[^,\]} \t\n\r]+")
_BACKSLASH = ord("\\")
_MANY = 64  # backslashes in a row that are counted
_FAR = 64  # bytes between two escaped quotes from which on searching for them is the quicker way
_BRACKET_OR_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


class SpliceError(ValueError):
    """A path leads nowhere in the document."""


def splice(document: bytes, replacements: Mapping[Path, str]) -> bytes:
    """The document with the string at each path replaced.

    document: valid JSON. Paths are keys and indices from the root; a key that occurs twice means its last value,
    as for every common parser. Raises SpliceError if a path does not end at a string.
    """
    if not replacements:
        return document
    tree: dict[str | int, object] = {}
    for path in replacements:
        node = tree
        for step in path[:-1]:
            node = node.setdefault(step, {})  # type: ignore[assignment]
        node[path[-1]] = path
    found: dict[Path, tuple[int, int]] = {}
    _descend(document, _skip_blank(document, 0), tree, found)
    if len(found) != len(replacements):
        raise SpliceError("a path does not lead to a string")
    return _replace(document, [(found[path], text) for path, text in replacements.items()])


def _replace(document: bytes, changes: Sequence[tuple[tuple[int, int], str]]) -> bytes:
    out: list[bytes] = []
    position = 0
    for (start, end), text in sorted(changes):
        out += (document[position:start], any_json.dumps(text))
        position = end
    out.append(document[position:])
    return b"".join(out)


def _descend(
    document: bytes, at: int, wanted: Mapping[str | int, object], found: dict[Path, tuple[int, int]]
) -> int:
    """Walks the value at `at`, notes the spans of wanted strings, returns the position behind the value."""
    opening = document[at : at + 1]
    if opening == b"{":
        return _object(document, at + 1, wanted, found)
    if opening == b"[":
        return _array(document, at + 1, wanted, found)
    return _skip(document, at)


def _object(
    document: bytes, at: int, wanted: Mapping[str | int, object], found: dict[Path, tuple[int, int]]
) -> int:
    at = _skip_blank(document, at)
    while document[at : at + 1] != b"}":
        end = _string_end(document, at)
        key = any_json.loads(document[at:end])
        at = _skip_blank(document, _skip_blank(document, end) + 1)  # the colon
        at = _member(document, at, wanted.get(key), found)
        at = _next(document, at)
    return at + 1


def _array(
    document: bytes, at: int, wanted: Mapping[str | int, object], found: dict[Path, tuple[int, int]]
) -> int:
    at = _skip_blank(document, at)
    index = 0
    while document[at : at + 1] != b"]":
        at = _member(document, at, wanted.get(index), found)
        at = _next(document, at)
        index += 1
    return at + 1


def _member(document: bytes, at: int, target: object, found: dict[Path, tuple[int, int]]) -> int:
    if target is None:
        return _skip(document, at)
    for path in _paths(target):  # an earlier value of the same key does not count
        found.pop(path, None)
    if isinstance(target, tuple):
        end = _skip(document, at)
        if document[at : at + 1] == b'"':
            found[target] = (at, end)
        return end
    return _descend(document, at, target, found)  # type: ignore[arg-type]


def _paths(target: object) -> list[Path]:
    if isinstance(target, tuple):
        return [target]
    out: list[Path] = []
    for inner in target.values():  # type: ignore[attr-defined]
        out += _paths(inner)
    return out


def _skip(document: bytes, at: int) -> int:
    """The position behind the value at `at`."""
    opening = document[at : at + 1]
    if opening == b'"':
        return _string_end(document, at)
    if opening not in (b"{", b"["):
        return _match_end(_SCALAR, document, at)
    depth = 0
    for token in _BRACKET_OR_STRING.finditer(document, at):
        first = document[token.start()]
        if first in b"{[":
            depth += 1
        elif first in b"}]":
            depth -= 1
            if not depth:
                return token.end()
    raise SpliceError("the document ends inside a value")


def _next(document: bytes, at: int) -> int:
    """From behind a member to the next one, or to the closing bracket."""
    at = _skip_blank(document, at)
    return _skip_blank(document, at + 1) if document[at : at + 1] == b"," else at


def _string_end(document: bytes, at: int) -> int:
    """Searches for quotes: a pattern that looks at every byte takes ten times as long in a text with few."""
    if document[at : at + 1] != b'"':
        raise SpliceError("the document is not JSON")
    end, escaped = at, 0
    while (end := document.find(b'"', end + 1)) >= 0:
        if document[end - 1] != _BACKSLASH:
            return end + 1
        near = document[max(at + 1, end - _MANY) : end]
        slashes = len(near) - len(near.rstrip(b"\\"))
        if not slashes % 2 and slashes < _MANY:
            return end + 1
        escaped += 1
        if slashes == _MANY or end - at < _FAR * (escaped - 8):
            return _match_end(_STRING, document, at)
    raise SpliceError("the document is not JSON")


def _skip_blank(document: bytes, at: int) -> int:
    return at if document[at : at + 1] > b" " else _match_end(_BLANK, document, at)


def _match_end(pattern: re.Pattern[bytes], document: bytes, at: int) -> int:
    match = pattern.match(document, at)
    if match is None:
        raise SpliceError("the document is not JSON")
    return match.end()

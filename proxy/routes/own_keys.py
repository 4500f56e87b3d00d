"""Finds keys of this proxy in what would leave it: an address or a header, encoded once or several times.

A key that travels on is one that somebody else can use. The caller's own is known and found anywhere; of other
keys only hashes are known, so they are found where they stand as a word, or begin as every key made here does.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from moosproxy.policies.keys import PREFIX, KeyRing

_LONG_KEY = 8
"""A shorter key may be in anything by chance."""
_MADE_HERE = re.compile(rb"(?=(%s[\w-]{43}))" % PREFIX.encode())
_BETWEEN = re.compile(rb"[\s,;=\"'&:?/|<>(){}\[\]]+")
_SUSPECT = re.compile(rb"[%\\&]|[A-Za-z0-9+/_-]{16}")
"""What a key in any form has: an escape, or a run of letters as long as twelve bytes are in base64."""
_PLAIN = frozenset({b"application/json", b"application/json; charset=utf-8", b"text/event-stream"})
"""In every request, as long as a key in base64, and none."""
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}")
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){8,}")
_ESCAPE = re.compile(rb"\\(?:u00|x)([0-9a-fA-F]{2})")
_ODD_NAME = re.compile(rb"[%&]|[0-9a-f]{16}")
"""A header's name that may be an encoded text."""
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_READABLE = re.compile(rb"[\x21-\x7e]{8}")
_MOST_BYTES = 256 * 1024
"""Of all forms of one value together: a head has 32 kB."""


class OwnKeys:
    """What must not leave. key: the caller's."""

    __slots__ = ("_key", "_lower", "_ring")

    def __init__(self, ring: KeyRing, key: str) -> None:
        self._ring = ring
        self._key = key.encode("latin-1", "replace") if len(key) >= _LONG_KEY else None
        self._lower = self._key.lower() if self._key is not None else None

    def in_header(self, name: bytes, value: bytes) -> bool:
        """Whether a header holds a key; names have lost their capitals."""
        return self._named(name) or self.inside(value)

    def _named(self, name: bytes) -> bool:
        if self._key is None or self._lower is None or len(name) < len(self._lower):
            return False  # no form of a key is shorter than itself
        if self._lower in name or self._in_base64(self._key, name):
            return True
        return _ODD_NAME.search(name) is not None and any(self._lower in form.lower() for form in _forms(name))

    @staticmethod
    def _in_base64(key: bytes, name: bytes) -> bool:
        """As it would stand without its capitals."""
        whole = base64.b64encode(key)[: len(key) // 3 * 4].lower()
        return whole.translate(_URL_SAFE) in name.translate(_URL_SAFE)

    def in_credential(self, value: bytes) -> bool:
        """Whether a header that is there for keys holds one, however short."""
        return any(self._ring.holds(word) for word in _words(value)) or self.inside(value)

    def inside(self, value: bytes) -> bool:
        """Whether a key is anywhere in the value, in any form."""
        if self._key is not None and self._key in value:
            return True
        return (
            value not in _PLAIN
            and _SUSPECT.search(value) is not None
            and any(self._in_form(form) for form in _forms(value))
        )

    def _in_form(self, form: bytes) -> bool:
        if self._key is not None and self._key in form:
            return True
        words = (word for word in _words(form) if len(word) >= _LONG_KEY)
        return any(map(self._ring.holds, words)) or any(map(self._ring.holds, _MADE_HERE.findall(form)))


def _words(value: bytes) -> list[bytes]:
    """As strictly split and as loosely: a key may have an equals sign or a slash in it."""
    return [*_BETWEEN.split(value), *value.split(), value]


def _forms(value: bytes) -> Iterator[bytes]:
    """The value and what it is when decoded, in every order, until there is nothing new."""
    seen, todo, left = {value}, [value], _MOST_BYTES
    while todo and left > 0:
        form = todo.pop()
        left -= len(form)
        yield form
        for inner in _decoded(form):
            if inner not in seen:
                seen.add(inner)
                todo.append(inner)


def _decoded(form: bytes) -> Iterator[bytes]:
    if b"%" in form or b"+" in form:
        yield unquote_to_bytes(form)
        yield unquote_to_bytes(form.replace(b"+", b" "))
    if b"\\" in form:
        yield _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), form)
    if b"&" in form:
        yield html.unescape(form.decode("latin-1")).encode("latin-1", "replace")
    for run in _HEX.findall(form):
        yield from _if_readable(bytes.fromhex(run.decode()))
    for run in _BASE64.findall(form):
        plain = run.translate(bytes.maketrans(b"-_", b"+/"))
        for start in range(4):  # what stands before it may be of the same letters
            end = start + (len(plain) - start) // 4 * 4
            rest = plain[end:]
            yield from _if_readable(
                _base64(plain[start:end] + (rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""))
            )


def _base64(run: bytes) -> bytes:
    try:
        return base64.b64decode(run)
    except binascii.Error:
        return b""


def _if_readable(form: bytes) -> Iterator[bytes]:
    """Most runs of letters are no base64 and decode to noise."""
    if _READABLE.search(form):
        yield form

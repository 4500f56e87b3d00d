"""Names of cache entries: SHA-256 over everything that decides the compressed form of a text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

NAME_PREFIX = b"moos:1:"
SEAL_BYTES = 8


class Key(NamedTuple):
    """Where the answer for one text lies, and the secret that seals it.

    name: what the shared cache sees. seal: 32 bytes that only someone who has the text can compute (the name is
    one-way derived from it), so a value written by anyone else, or under another name, does not open.
    """

    name: bytes
    seal: bytes

    def close(self, value: bytes) -> bytes:
        """The value with its seal behind it."""
        return value + self._mac(value)

    def open(self, sealed: bytes) -> bytes:
        """Inverse of close. Raises ValueError on anything that was not closed with this key."""
        value, mac = sealed[:-SEAL_BYTES], sealed[-SEAL_BYTES:]
        if mac != self._mac(value):
            raise ValueError("the seal is broken")
        return value

    def _mac(self, value: bytes) -> bytes:
        return hashlib.blake2b(value, key=self.seal, digest_size=SEAL_BYTES).digest()


class KeySpace:
    """Keys of all texts that share tenant, compressor, settings and role: what they share is hashed once."""

    def __init__(self, scope: Iterable[str | None]) -> None:
        """scope: tenant, fingerprint, settings digest and so on, in a fixed order; None differs from ""."""
        self._shared = hashlib.sha256()
        for value in scope:
            data = b"-" if value is None else b"+" + value.encode("utf-8", "surrogatepass")
            self._shared.update(len(data).to_bytes(8, "big") + data)

    def key(self, text: bytes, asked: str | None = None) -> Key:
        """The key of one text, given as UTF-8. asked: what it was asked for, where that decides its form too."""
        hasher = self._shared.copy()
        if asked is not None:
            hasher.update(b"asked" + hashlib.sha256(asked.encode("utf-8", "surrogatepass")).digest())
        hasher.update(text)
        seal = hasher.digest()
        return Key(NAME_PREFIX + hashlib.sha256(b"name" + seal).hexdigest().encode(), seal)

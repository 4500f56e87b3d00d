"""Keys of teams. Only SHA-256 is stored: a key has 256 random bits, so a slow hash would add nothing."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

PREFIX = "sk-moos-"


def new_key() -> str:
    """A fresh key: the prefix and 32 random bytes in URL-safe base64."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_key(key: str) -> str:
    """Hex SHA-256 of a key, as team files store it. Takes any string, lone surrogates too."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All key hashes with their teams."""

    entries: tuple[tuple[bytes, str], ...] = ()
    _digests: frozenset[bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_digests", frozenset(digest for digest, _ in self.entries))

    @classmethod
    def of(cls, hashes: Iterable[tuple[str, str]]) -> KeyRing:
        """From pairs of hex SHA-256 and team."""
        return cls(tuple((bytes.fromhex(digest), team) for digest, team in hashes))

    def team_of(self, key: str) -> str | None:
        """The team that a key belongs to. Compares with every entry: time does not tell which one matched."""
        digest = bytes.fromhex(hash_key(key))
        found: str | None = None
        for entry, team in self.entries:
            if hmac.compare_digest(entry, digest):
                found = team
        return found

    def holds(self, word: bytes) -> bool:
        """Whether some bytes are a key. Quick: for searching what leaves, never for letting anybody in."""
        return hashlib.sha256(word).digest() in self._digests

    def __bool__(self) -> bool:
        return bool(self.entries)

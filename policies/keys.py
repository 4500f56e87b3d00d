"""Keys of this proxy. Only SHA-256 is stored: a key has 256 random bits, so a slow hash would add nothing."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from moosproxy.policies.fields.allowance import Allowance

PREFIX = "sk-moos-"
ID_DIGITS = 12

Scope = Literal["use", "metrics", "admin"]
"""`use` sends requests for a team, `metrics` only reads figures, `admin` does everything for nobody's account."""


def new_key() -> str:
    """A fresh key: the prefix and 32 random bytes in URL-safe base64."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_key(key: str) -> str:
    """Hex SHA-256 of a key, as team files store it. Takes any string, lone surrogates too."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of one key.

    digest: its SHA-256, 32 bytes. team: None for a key of the main file, which sees all teams' figures.
    expires: seconds since 1970 from which on it opens nothing, None for never. rotates: the id of the key whose
    place it takes and whose limits and budgets it goes on with.
    """

    digest: bytes
    team: str | None = None
    scope: Scope = "use"
    expires: float | None = None
    rotates: str | None = None
    allowance: Allowance = field(default_factory=Allowance)

    @property
    def id(self) -> str:
        """Names the key where the key itself must not stand: the first digits of its SHA-256."""
        return self.digest.hex()[:ID_DIGITS]

    @property
    def account(self) -> str:
        """The id under which its use is counted."""
        return self.rotates or self.id

    def expired(self, now: float) -> bool:
        """now: seconds since 1970."""
        return self.expires is not None and now >= self.expires


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys."""

    entries: tuple[Key, ...] = ()
    _digests: frozenset[bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_digests", frozenset(key.digest for key in self.entries))

    @classmethod
    def of(cls, hashes: Iterable[tuple[str, str]]) -> KeyRing:
        """Plain keys of teams, from pairs of hex SHA-256 and team."""
        return cls(tuple(Key(bytes.fromhex(digest), team) for digest, team in hashes))

    def find(self, key: str) -> Key | None:
        """What is known of a key. Compares with every entry: time does not tell which one matched."""
        digest = bytes.fromhex(hash_key(key))
        found: Key | None = None
        for entry in self.entries:
            if hmac.compare_digest(entry.digest, digest):
                found = entry
        return found

    def holds(self, word: bytes) -> bool:
        """Whether some bytes are a key. Quick: for searching what leaves, never for letting anybody in."""
        return hashlib.sha256(word).digest() in self._digests

    def __bool__(self) -> bool:
        return bool(self.entries)

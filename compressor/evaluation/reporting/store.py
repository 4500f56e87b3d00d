"""What an evaluation has worked out already, so that a run after a new checkpoint repeats only what changed."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self


class Store:
    """A file of byte strings by the hash of what they follow from. One process at a time."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path)
        self._db.execute("CREATE TABLE IF NOT EXISTS found (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")

    def get(self, *parts: str) -> bytes | None:
        """What was put under the same parts, or None."""
        row = self._db.execute("SELECT value FROM found WHERE key = ?", (_key(parts),)).fetchone()
        return row[0] if row else None

    def put(self, *parts: str, value: bytes) -> None:
        """Remembers the value; `commit` makes it last."""
        self._db.execute("INSERT OR REPLACE INTO found VALUES (?, ?)", (_key(parts), value))

    def commit(self) -> None:
        """Writes everything put so far to disk."""
        self._db.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.commit()
        self._db.close()


def _key(parts: tuple[str, ...]) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode(errors="surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.digest()

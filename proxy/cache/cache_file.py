"""A table of named bytes in one SQLite file that processes of one machine write together. Blocking, knows no loop.

SQLite, because the standard library has it and its locks and its log outlive a killed process.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

NAMES_A_QUERY = 500
"""Below the 999 variables that old SQLites take."""
EVICTED_AT_ONCE = 64
_LOG_BYTES = 4 * 1024 * 1024

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (name BLOB NOT NULL UNIQUE, value BLOB NOT NULL, expires INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS by_expiry ON records (expires);
"""
_PUT_FIRST = """
INSERT INTO records VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE
SET value = excluded.value, expires = excluded.expires WHERE records.expires <= ?
"""
_PUT = "INSERT OR REPLACE INTO records VALUES (?, ?, ?)"
_EXPIRED = "DELETE FROM records WHERE rowid IN (SELECT rowid FROM records WHERE expires <= ? LIMIT ?)"
_OLDEST = "DELETE FROM records WHERE rowid IN (SELECT rowid FROM records ORDER BY rowid LIMIT ?)"
_USED = "SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count"


class FileGone(OSError):
    """The file is not the one that was opened: somebody removed it, or put another in its place."""


def use_log(db: sqlite3.Connection, patience_s: float) -> None:
    """Readers and writers beside each other. Of processes that open a new file together one sets this up; SQLite
    lets the others fail at once, whatever patience they have. Raises sqlite3.Error."""
    give_up = time.monotonic() + patience_s
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
        time.sleep(0.002)


class CacheFile:
    """One process's two connections: `read` has one of its own, so that it may run beside everything else."""

    def __init__(self, path: Path, max_bytes: int, patience_s: float) -> None:
        """Opens the file, made if it is missing. patience_s: how long a write, or `read_patiently`, waits for
        another process's lock. Raises sqlite3.Error or OSError."""
        self._path = path
        self._writer, self._reader = self._connected(path, patience_s), self._connected(path, 0)
        try:
            self._id = self._seen()
            os.chmod(path, 0o600)  # the log beside it gets the same
            use_log(self._writer, patience_s)
            # What a crash of the machine loses is a cache in a temporary folder; a killed process loses nothing.
            self._writer.execute("PRAGMA synchronous = OFF")
            self._writer.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
            self._writer.executescript(_SCHEMA)
            self._max_pages = max_bytes // int(self._writer.execute("PRAGMA page_size").fetchone()[0])
            self._check()
        except BaseException:
            self.close()
            raise

    def read(self, names: Sequence[bytes]) -> list[bytes | None]:
        """The values, None for what is not there or ran out. Waits for no lock: sqlite3.OperationalError if there
        is one (readers meet one hardly ever). Raises sqlite3.Error or OSError."""
        return self._read(self._reader, names)

    def read_patiently(self, names: Sequence[bytes]) -> list[bytes | None]:
        """The same over the connection of the writes."""
        return self._read(self._writer, names)

    def put_first(self, name: bytes, value: bytes, ttl_s: int) -> bytes | None:
        """Write unless something is there that has not run out; returns what is there now, None if it was put out
        at once because it is larger than the bound. Raises sqlite3.Error or OSError."""
        now = int(time.time())
        with self._transaction() as db:
            db.execute(_PUT_FIRST, (name, value, now + ttl_s, now))
            self._make_room(now)
            row = db.execute("SELECT value FROM records WHERE name = ?", (name,)).fetchone()
        return bytes(row[0]) if row else None

    def replace(self, name: bytes, value: bytes, ttl_s: int) -> None:
        """Write over whatever is there. Raises sqlite3.Error or OSError."""
        now = int(time.time())
        with self._transaction() as db:
            db.execute(_PUT, (name, value, now + ttl_s))
            self._make_room(now)

    def check(self) -> None:
        """Take the lock of the writes and read something. Raises sqlite3.Error or OSError."""
        with self._transaction() as db:
            db.execute("SELECT value FROM records LIMIT 1").fetchone()

    def close(self, *, damaged: bool = False) -> None:
        """Close both connections. damaged: and remove the file, if nobody has put another in its place."""
        if damaged:
            with suppress(OSError):
                self._check()
                remove(self._path)
        self._reader.close()
        self._writer.close()

    @staticmethod
    def _connected(path: Path, patience_s: float) -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=patience_s, isolation_level=None, check_same_thread=False)

    def _seen(self) -> tuple[int, int]:
        found = os.stat(self._path)
        return found.st_dev, found.st_ino

    def _check(self) -> None:
        """SQLite itself would go on in the removed file, and no worker started later would see a word of it."""
        try:
            same = self._seen() == self._id
        except FileNotFoundError:
            same = False
        if not same:
            raise FileGone(f"{self._path} was removed")

    def _read(self, db: sqlite3.Connection, names: Sequence[bytes]) -> list[bytes | None]:
        self._check()
        now = int(time.time())
        found: dict[bytes, bytes] = {}
        for start in range(0, len(names), NAMES_A_QUERY):
            some = names[start : start + NAMES_A_QUERY]
            query = f"SELECT name, value FROM records WHERE expires > ? AND name IN ({', '.join('?' * len(some))})"  # noqa: S608
            found.update(db.execute(query, (now, *some)).fetchall())
        return [found.get(name) for name in names]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._check()
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield self._writer
            self._writer.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # some faults have rolled back already
                self._writer.execute("ROLLBACK")
            raise

    def _make_room(self, now: int) -> None:
        """Put out what ran out, then the oldest, until the file is within its bound."""
        if self._within_bound():
            return
        self._writer.execute(_EXPIRED, (now, EVICTED_AT_ONCE))
        while not self._within_bound() and self._writer.execute(_OLDEST, (EVICTED_AT_ONCE,)).rowcount:
            pass

    def _within_bound(self) -> bool:
        return int(self._writer.execute(_USED).fetchone()[0]) <= self._max_pages


def remove(path: Path) -> None:
    """Remove a damaged file. Its log goes first: nobody makes a new file before the old one is gone."""
    for suffix in ("-wal", "-shm", ""):
        with suppress(OSError):
            os.remove(f"{path}{suffix}")

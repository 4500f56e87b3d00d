"""Totals in a small SQLite file, for the workers of one machine that have no Redis, and over a restart."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from moosproxy.proxy.cache.cache_file import remove, use_log
from moosproxy.proxy.limits.book import Added, Book, Change
from moosproxy.proxy.log import LOG

FILE_NAME = "limits.sqlite"
VERSION = 1
_PATIENCE_S = 0.5
_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, amount INTEGER, expires INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lives (life TEXT);
INSERT INTO lives SELECT lower(hex(randomblob(8))) WHERE NOT EXISTS (SELECT * FROM lives);
COMMIT;
"""
_ADD = """
INSERT INTO totals VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET amount = amount + excluded.amount
"""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class NewerFile(RuntimeError):
    """A later version of this program has made the file."""


class FileBook(Book):
    """One connection, used by one thread."""

    where = "file"

    def __init__(self, folder: Path) -> None:
        """folder: made when it is first needed."""
        self._path = folder / FILE_NAME
        self._thread = ThreadPoolExecutor(1, "moos-limits-file")
        self._db: sqlite3.Connection | None = None
        self._id: tuple[int, int] | None = None

    async def add(self, changes: Sequence[Change]) -> Added:
        """Waits half a second at the most for other workers."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._add, changes)

    async def aclose(self) -> None:
        """Lets a change under way end."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _add(self, changes: Sequence[Change]) -> Added:
        try:
            return self._added(self._opened(), changes)
        except sqlite3.Error as fault:
            self._close()
            if getattr(fault, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
                raise
        LOG.error("limits file was damaged and is made anew: what ended workers have counted is forgotten")
        remove(self._path)
        return self._added(self._opened(), changes)

    def _added(self, db: sqlite3.Connection, changes: Sequence[Change]) -> Added:
        db.execute("BEGIN IMMEDIATE")
        try:
            life = str(db.execute("SELECT life FROM lives").fetchone()[0])
            db.executemany(_ADD, changes)
            one = "SELECT amount FROM totals WHERE name = ?"
            totals = [int(db.execute(one, (change.name,)).fetchone()[0]) for change in changes]
            db.execute("DELETE FROM totals WHERE expires < ?", (int(time.time()),))
            db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise
        return Added(life, totals)

    def _opened(self) -> sqlite3.Connection:
        """The connection, a new one where the file was removed or replaced under it."""
        if self._db is not None and self._seen() == self._id:
            return self._db
        self._close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self._path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)
        try:
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            if version > VERSION:
                raise NewerFile(
                    f"{self._path} is of a newer moosproxy (version {version}, this one reads {VERSION}): "
                    "upgrade, or set MOOS_STATE_DIR to another folder"
                )
            os.chmod(self._path, 0o600)
            use_log(db, _PATIENCE_S)
            db.execute("PRAGMA synchronous = NORMAL")
            db.executescript(_SCHEMA)
            db.execute(f"PRAGMA user_version = {VERSION}")
        except BaseException:
            db.close()
            raise
        self._db, self._id = db, self._seen()
        return db

    def _seen(self) -> tuple[int, int] | None:
        with suppress(OSError):
            found = os.stat(self._path)
            return found.st_dev, found.st_ino
        return None

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

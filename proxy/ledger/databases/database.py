"""The seam between the ledger and a database. SQL is written once, with `?` for values, for both kinds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

Values = Sequence[Any]


class LedgerError(Exception):
    """The ledger cannot be opened, read or written; the text names the fix and no secret.

    lasting: trying again is of no use before somebody has mended it.
    """

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting


class RowError(LedgerError):
    """The database works and refuses a value: the rows with it will never be written."""


class Session(Protocol):
    """Statements of one transaction."""

    async def many(self, sql: str, rows: Iterable[Values]) -> None:
        """An INSERT with VALUES for each row."""

    async def fetch(self, sql: str, values: Values = ()) -> list[Any]:
        """The rows of a query, or of a statement that returns some."""


class Database(Protocol):
    """An open or openable database. Everything raises LedgerError."""

    identity: str
    """The type of a column that numbers the rows."""

    async def open(self, *, create: bool = True) -> None:
        """Connects. create: makes what is missing. May be called again after close."""

    def writing(self) -> AbstractAsyncContextManager[Session]:
        """A transaction that waits for those of others."""

    def reading(self) -> AbstractAsyncContextManager[Session]:
        """Queries that see one state and hold nobody up."""

    async def close(self) -> None:
        """Never raises."""

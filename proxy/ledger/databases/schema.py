"""The tables of a ledger and the version of their shape. The same for every database."""

from __future__ import annotations

from moosproxy.proxy.ledger.databases.database import Database, LedgerError, Session
from moosproxy.proxy.ledger.entry import Entry

VERSION = 1
"""Goes up with every change of a table; what an older one needs is done by `_UPGRADES`."""
_UPGRADES: dict[int, tuple[str, ...]] = {}
"""From a version to the next: the statements."""

_TEXT = frozenset(
    {
        "team", "key_id", "policy", "route", "door", "endpoint", "model", "answered", "upstream", "arm", "error",
        "price", "skips", "kinds", "marks",
    }
)  # fmt: skip
COLUMNS = Entry._fields
"""Of a row, in the order of an entry's fields."""
KEYS = ("hour", "team", "policy", "route", "door", "model", "upstream", "arm")
"""What the requests of a group have in common."""
SUMS = (
    "requests", "errors", "retries", "priced", "tokens_before", "tokens_sent", "input_tokens", "cached_tokens",
    "cache_written_tokens", "output_tokens", "reasoning_tokens", "billed_nano", "original_nano", "total_us",
    "compression_us", "saved_us", "cache_hits",
)  # fmt: skip
"""What is added up in a group."""


def _tables(identity: str) -> list[str]:
    columns = ", ".join(f"{name} {'TEXT NOT NULL' if name in _TEXT else 'BIGINT'}" for name in COLUMNS)
    keys = ", ".join(f"{name} {'BIGINT' if name == 'hour' else 'TEXT'} NOT NULL" for name in KEYS)
    sums = ", ".join(f"{name} BIGINT NOT NULL DEFAULT 0" for name in SUMS)
    return [
        f"CREATE TABLE IF NOT EXISTS requests (id {identity}, {columns})",
        "CREATE INDEX IF NOT EXISTS requests_by_time ON requests (at)",
        f"CREATE TABLE IF NOT EXISTS hours (id {identity}, {keys}, {sums}, UNIQUE ({', '.join(KEYS)}))",
        "CREATE TABLE IF NOT EXISTS hour_skips (hour_id BIGINT NOT NULL, reason TEXT NOT NULL, "
        "parts BIGINT NOT NULL, PRIMARY KEY (hour_id, reason))",
        "CREATE TABLE IF NOT EXISTS hour_kinds (hour_id BIGINT NOT NULL, kind TEXT NOT NULL, "
        "parts BIGINT NOT NULL, tokens_before BIGINT NOT NULL, tokens_sent BIGINT NOT NULL, "
        "PRIMARY KEY (hour_id, kind))",
        "CREATE TABLE IF NOT EXISTS openings (opening BIGINT PRIMARY KEY, at BIGINT NOT NULL)",
    ]


async def prepare(database: Database) -> None:
    """Makes the tables, or brings older ones up to date. Raises LedgerError, a lasting one if they are newer."""
    async with database.writing() as session:
        await session.fetch("CREATE TABLE IF NOT EXISTS ledger_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        found = await _version(session)
        if found is None:
            for statement in _tables(database.identity):
                await session.fetch(statement)
            await session.fetch("INSERT INTO ledger_meta VALUES ('version', ?)", (str(VERSION),))
            return
        _refuse_newer(found)
        for version in range(found, VERSION):
            for statement in _UPGRADES[version]:
                await session.fetch(statement)
        if found < VERSION:
            await session.fetch("UPDATE ledger_meta SET value = ? WHERE name = 'version'", (str(VERSION),))


async def check(database: Database) -> None:
    """The same for who only reads. Raises LedgerError."""
    async with database.reading() as session:
        found = await _version(session)
    if found is None:
        raise LedgerError("the database has no tables of a ledger: a running proxy makes them")
    _refuse_newer(found)


async def _version(session: Session) -> int | None:
    rows = await session.fetch("SELECT value FROM ledger_meta WHERE name = 'version'")
    return int(rows[0][0]) if rows else None


def _refuse_newer(found: int) -> None:
    if found > VERSION:
        raise LedgerError(
            f"the ledger has version {found}, and this moosproxy knows {VERSION}: update moosproxy, or name "
            "another place with MOOS_LEDGER",
            lasting=True,
        )

"""Rows that no database takes, the end in the middle of a write, the bounds of the queue, places that are none."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import aiosqlite
import pytest

from moosproxy.proxy.ledger.databases.database import LedgerError
from moosproxy.proxy.ledger.databases.sqlite import Sqlite
from moosproxy.proxy.ledger.ledger import database_of
from moosproxy.proxy.ledger.writer import QUEUED_BYTES, Writer
from moosproxy.proxy.observing.record import Record
from moosproxy.proxy.rewriting.outcome import PartOutcome, Rewritten
from moosproxy.proxy.upstreams.usage import Usage
from tests.proxy.ledger.ledgers import RETENTION, priced, record, rows, some, writer


async def test_a_row_that_no_database_takes_is_lost_alone_and_all_others_come(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    it = writer(path)
    for number in range(20):
        it.note(record(retries=2**70 if number in (3, 11) else 0))
    await it.flush()
    assert (it.fault, it.refused, it.lost) == (None, 2, 2)
    it.note(record())
    await it.aclose()

    assert len(rows(path)) == 19
    assert rows(path, "SELECT SUM(requests) AS n FROM hours") == [{"n": 19}]


async def test_a_usage_of_any_size_ends_no_ledger_and_sums_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    it = writer(path)
    for _ in range(2000):
        it.note(record(usage=Usage(2**53 - 1, 2**53 - 1, 0)))
    await it.aclose()

    assert (len(rows(path)), it.lost) == (2000, 0)
    (sums,) = rows(path, "SELECT billed_nano, original_nano, input_tokens FROM hours")
    assert {type(value) for value in sums.values()} == {int}
    assert sums["billed_nano"] == sums["original_nano"]


async def test_a_fault_that_nobody_thought_of_is_told_and_the_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    it = writer(path)
    await it.open()
    right, it._store.clean = it._store.clean, None  # type: ignore[method-assign, assignment]
    running = asyncio.create_task(it.run())
    it.note(record())
    await asyncio.sleep(1.5)
    assert "TypeError" in str(it.fault)
    it._store.clean = right  # type: ignore[method-assign]
    it.note(record())
    await asyncio.sleep(2.5)
    running.cancel()

    assert (it.fault, len(rows(path))) == (None, 2)
    await it.aclose()


class Slow(Sqlite):
    """Commits as on a slow disk."""

    async def _connected(self) -> aiosqlite.Connection:
        db = await super()._connected()
        await db.set_trace_callback(lambda sql: time.sleep(0.3) if sql == "COMMIT" else None)
        return db


async def test_a_writer_that_is_ended_while_it_commits_writes_no_row_twice(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    it = Writer(Slow(path), priced, RETENTION)
    await it.open()
    for each in some(10):
        it.note(each)
    running = asyncio.create_task(it.flush())
    await asyncio.sleep(0.15)
    running.cancel()
    await it.aclose()

    assert (len(rows(path)), it.lost) == (10, 0)
    assert rows(path, "SELECT SUM(requests) AS n FROM hours") == [{"n": 10}]


def _long() -> Record:
    """Of a conversation of 300 texts."""
    out = record()
    kinds = (("prose", 1000, 500),)
    parts = [PartOutcome(at, None, "user", None, 1000 + at, 500 + at, "local", kinds=kinds) for at in range(300)]
    openings = tuple((at * 999_999_999_999, 0.1 * at) for at in range(60))
    out.take(Rewritten({}, {}, tuple(parts), 1.0, openings=openings))
    return out


@pytest.mark.parametrize(("make", "least"), [(record, 20_000), (_long, 400)])
async def test_rows_that_wait_take_no_more_memory_than_is_given_to_them(
    make: Callable[[], Record], least: int, tmp_path: Path
) -> None:
    it = writer(tmp_path / "ledger.sqlite")
    tracemalloc.start()
    try:
        for _ in range(200):
            it.note(make())
        each = tracemalloc.get_traced_memory()[0] / 200
    finally:
        tracemalloc.stop()
    one, kept = make(), 0
    while not it.lost:
        it.note(one)
        kept += 1

    assert least <= 200 + kept - 1 <= 1.25 * QUEUED_BYTES / each
    assert it._bytes <= QUEUED_BYTES + it._queue[-1].size
    it._queue.clear()
    await it.aclose()


@pytest.mark.parametrize("place", ["mysql://me:hush@db/x", "sqlite:///hush.db", "hush:x", " redis://:hush@h"])
def test_a_url_of_another_kind_is_refused_and_not_shown(place: str, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="name postgresql://") as caught:
        database_of(place, tmp_path)

    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("place", ["off", "OFF", "None", " off "])
def test_no_ledger_is_no_file_of_that_name(place: str, tmp_path: Path) -> None:
    assert database_of(place, tmp_path) is None


@pytest.mark.parametrize("place", ["", "a/b.sqlite", "./a:b", "c:/ledger", "/off"])
def test_all_else_is_a_path(place: str, tmp_path: Path) -> None:
    assert isinstance(database_of(place, tmp_path), Sqlite)

"""The same ledger in a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from moosproxy.proxy.ledger.databases.database import LedgerError
from moosproxy.proxy.ledger.ledger import Ledger, database_of
from moosproxy.proxy.ledger.writer import Writer
from moosproxy.proxy.upstreams.usage import Usage
from tests.proxy.ledger.ledgers import RETENTION, priced, record
from tests.proxy.ledger.places import postgres_server

NOW = datetime.now(UTC)
SPAN = NOW - timedelta(days=1), NOW + timedelta(days=1)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres_server.running() as (found, _):
        yield found


def writer(url: str) -> Writer:
    database = database_of(url, None)  # type: ignore[arg-type]
    assert database is not None
    return Writer(database, priced, RETENTION)


async def test_workers_of_several_machines_write_rows_and_sums_of_one_database(url: str) -> None:
    workers = [writer(url) for _ in range(3)]
    await asyncio.gather(*(each.open() for each in workers))
    assert [each.fault for each in workers] == [None] * 3
    for _ in range(5):
        for each in workers:
            for number in range(20):
                each.note(record(openings=((8, 0.5), (9, 1.0)), conversation=number))
            each.note(record("unknown", team="blue", arm="holdout", conversation=7))
        await asyncio.gather(*(each.flush() for each in workers))
    ledger = Ledger(workers[0].database)
    hours, kinds = await ledger.hours(*SPAN), await ledger.kinds(*SPAN, "red")
    blue, sides = await ledger.hours(*SPAN, "blue"), await ledger.sides(*SPAN)
    await asyncio.gather(*(each.aclose() for each in workers))

    assert sum(row.requests for row in hours) == 315
    assert sum(row.skips["role"] for row in hours) == 630
    red = [row for row in hours if row.team == "red"]
    assert sum(row.saved_usd or 0 for row in red) == 300 * red[0].saved_usd / red[0].requests  # type: ignore[operator]
    assert [(row.kind, row.tokens_before, row.parts) for row in kinds] == [("prose", 600_000, 300)]
    assert [(row.requests, row.billed_usd) for row in blue] == [(15, None)]
    assert [(each.compressed, each.holdout, each.enough) for each in sides] == [(20, 1, False)]


async def test_a_wrong_password_is_told_without_it(url: str) -> None:
    it = writer(url.replace(postgres_server.PASSWORD, "another"))
    await it.open()

    assert str(it.fault).endswith("refuses user or password: correct MOOS_LEDGER")
    assert "another" not in str(it.fault)
    await it.aclose()


async def test_who_only_reads_is_told_where_there_are_no_tables(url: str) -> None:
    made = url.removesuffix("postgres") + "template1"
    database = database_of(made, None)  # type: ignore[arg-type]
    assert database is not None
    ledger = Ledger(database)
    with pytest.raises(LedgerError, match="no tables of a ledger"):
        await ledger.open()
    await ledger.close()


async def test_while_the_server_is_away_rows_wait(url: str) -> None:
    with postgres_server.running() as (own, server):
        it = writer(own)
        it.note(record())
        await it.flush()
        await asyncio.to_thread(postgres_server.stop, server)
        it.note(record())
        await it.flush()
        fault: Any = it.fault
        await it.aclose()

    assert "cannot be used" in str(fault)
    assert it.lost == 1


async def test_a_row_that_the_server_refuses_is_lost_alone(url: str) -> None:
    it = writer(url)
    await it.open()
    for number in range(10):
        it.note(record(team="poison", retries=2**70 if number == 4 else 0, usage=Usage(2**53 - 1, 1, 0)))
    it.note(record(team="poi\0son"))
    await it.flush()
    hours = await Ledger(it.database).hours(*SPAN, "poison")
    await it.aclose()

    assert (it.fault, it.refused, sum(row.requests for row in hours)) == (None, 2, 9)

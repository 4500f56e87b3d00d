"""Brings the ledger up and down again, and says what is wrong with it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from moosproxy.proxy.ledger.databases.database import LedgerError
from moosproxy.proxy.ledger.ledger import Ledger, database_of
from moosproxy.proxy.ledger.prices import Price, PriceBook
from moosproxy.proxy.ledger.store import Retention
from moosproxy.proxy.ledger.writer import Writer
from moosproxy.proxy.observing.metrics import Metrics
from moosproxy.proxy.observing.readiness import Check
from moosproxy.proxy.rewriting.break_even import default_folder
from moosproxy.proxy.services import PolicySource
from moosproxy.proxy.settings import Settings


@dataclass(slots=True)
class OpenLedger:
    """writer: None where there is none. reader: over the same database."""

    writer: Writer | None
    reader: Ledger | None
    refused: LedgerError | None = None

    async def check(self) -> Check:
        """Whether rows are written. The proxy serves without."""
        fault = self.refused or (self.writer.fault if self.writer else None)
        if fault is not None:
            return Check("degraded", f"{fault}; requests are served, their rows wait or are lost")
        if self.writer and self.writer.refused:
            return Check("ok", f"rows lost that the database does not take: {self.writer.refused}; see the log")
        return Check("ok") if self.writer else Check("off", "MOOS_LEDGER=off: nothing is kept of requests")


async def open_ledger(
    settings: Settings, source: PolicySource, metrics: Metrics, stack: AsyncExitStack
) -> tuple[OpenLedger, PriceBook]:
    """The ledger that the settings name, running. Whatever is wrong with it, the proxy serves on."""
    book = PriceBook()

    def price_of(upstream: str, model: str | None, answered: str | None) -> Price | None:
        found = source.current.upstreams.get(upstream)
        return book.of(found, model, answered) if found is not None else None

    try:
        database = database_of(place_of(settings), settings.state_dir or default_folder())
    except LedgerError as fault:
        return OpenLedger(None, None, fault), book
    if database is None:
        return OpenLedger(None, None), book
    retention = Retention(settings.ledger_days, settings.ledger_hours_days)
    writer = Writer(database, price_of, retention, metrics.ledger_lost)
    stack.push_async_callback(writer.aclose)
    await asyncio.gather(writer.open(), asyncio.to_thread(book.load))
    running = asyncio.create_task(writer.run())
    stack.callback(running.cancel)
    return OpenLedger(writer, Ledger(database)), book


def place_of(settings: Settings) -> str:
    """MOOS_LEDGER as it was given."""
    return settings.ledger.get_secret_value() if settings.ledger is not None else ""

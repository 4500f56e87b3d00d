"""`moos report`: what was spent and saved, from the ledger."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import click
from pydantic import ValidationError

from moosproxy.proxy.commands.report.forms import as_csv, as_html, as_json, show
from moosproxy.proxy.ledger.databases.database import LedgerError
from moosproxy.proxy.ledger.ledger import Ledger, database_of
from moosproxy.proxy.ledger.report import GROUPS, Report, report_of, span_since

_FORMS = {"csv": as_csv, "json": as_json, "html": as_html}


def _groups(_: click.Context, __: click.Parameter, value: str) -> tuple[str, ...]:
    """Names with commas between them."""
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)} is none of {', '.join(GROUPS)}")
    return names


def _since(_: click.Context, __: click.Parameter, value: str) -> datetime:
    """A span or a time."""
    try:
        return span_since(value, datetime.now(UTC))
    except (ValueError, OverflowError):
        reason = f"{value!r} is no span such as 7d, 24h or 2w, and no date such as 2026-01-31"
        raise click.BadParameter(reason) from None


@click.command()
@click.option("--since", callback=_since, default="7d", show_default=True, help="A span (24h, 7d, 2w) or a date.")
@click.option("--by", callback=_groups, default="team,model", show_default=True, help=f"Of {', '.join(GROUPS)}.")
@click.option("--team", help="Of one team alone.")
@click.option("--csv", "form", flag_value="csv", help="The groups as comma separated values.")
@click.option("--json", "form", flag_value="json", help="Everything as JSON.")
@click.option("--html", "form", flag_value="html", help="Everything as one page that loads nothing.")
def report(since: datetime, by: tuple[str, ...], team: str | None, form: str | None) -> None:
    """What was spent and saved, per group, from the ledger that MOOS_LEDGER names.

    A class of requests that compression makes dearer is shown red. Hours are UTC.
    """
    try:
        found = asyncio.run(_read(since, by, team))
    except LedgerError as fault:
        raise click.ClickException(str(fault)) from None
    if form is not None:
        click.echo(_FORMS[form](found))
    elif found.empty:
        of = f" of team {team}" if team else ""
        click.echo(
            f"The ledger has no requests{of} since {since:%Y-%m-%d %H:%M} UTC. Rows come a second after them."
        )
    else:
        show(found)


async def _read(since: datetime, by: tuple[str, ...], team: str | None) -> Report:
    from moosproxy.proxy.opening.ledger import place_of
    from moosproxy.proxy.rewriting.break_even import default_folder
    from moosproxy.proxy.settings import Settings

    try:
        settings = Settings()
    except ValidationError as fault:
        raise LedgerError(str(fault)) from None
    database = database_of(place_of(settings), settings.state_dir or default_folder())
    if database is None:
        raise LedgerError("MOOS_LEDGER=off: nothing is kept of requests; unset it, or name a place")
    ledger = Ledger(database)
    try:
        await ledger.open()
        return await report_of(ledger, since, datetime.now(UTC) + timedelta(hours=1), by, team)
    finally:
        await ledger.close()

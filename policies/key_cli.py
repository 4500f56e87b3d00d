"""Commands about keys, for `moos` to mount. Exit code 0 is good, 2 is bad input."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from moosproxy.policies.faults import PolicyError

if TYPE_CHECKING:
    from moosproxy.policies.keyfile import NewKey, Stored

_config = click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path),
    envvar="MOOS_POLICIES",
    help="Main file, or the folder with moos.yaml.",
)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _when(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """A time from now on such as 90d, 12h, 30m or 2w, or a date. Of a rotated key that may be at once."""
    if value is None:
        return None
    now = datetime.now(UTC)
    span = re.fullmatch(r"([0-9]{1,5})([mhdw])", value.strip())
    found = _date(value) if span is None else now + timedelta(**{_UNITS[span[2]]: int(span[1])})
    if found < now or (found == now and param.name == "expires"):
        raise click.BadParameter(f"{value!r} is over: name a time to come; `moos key revoke` ends a key at once")
    return found


def _date(value: str) -> datetime:
    from moosproxy.policies.files.document import instant

    try:
        found: datetime = instant(value)
    except ValueError:
        text = f"{value!r} is neither a time such as 90d or 12h nor a date such as 2027-02-27"
        raise click.BadParameter(text) from None
    return found


@click.group()
def key() -> None:
    """Keys of teams, of administrators and of what reads figures."""


@key.command()
@_config
@click.option("--team", help="Whose key it is; for a key that sends requests.")
@click.option(
    "--scope",
    type=click.Choice(["use", "metrics", "admin"]),
    default="use",
    show_default=True,
    help="What it may do: send requests, read figures, everything.",
)
@click.option("--expires", callback=_when, metavar="WHEN", help="When it stops working: 90d, 12h, or a date.")
@click.option("--rotates", metavar="ID", help="The key whose place it takes, with its team, scope and limits.")
@click.option("--grace", callback=_when, default="7d", show_default=True, help="How long the rotated key goes on.")
@click.option("--note", default="", help="A comment beside the hash, such as who holds the key.")
@click.option("--create", is_flag=True, help="Create the team's file if there is none.")
def new(
    config: Path | None,
    team: str | None,
    scope: str,
    expires: datetime | None,
    rotates: str | None,
    grace: datetime,
    note: str,
    create: bool,
) -> None:
    """Make a key, print it once, and store its SHA-256."""
    from moosproxy.policies.keyfile import Wanted, rotate_key, store_key

    place = _place(config)
    wanted = Wanted(team, scope, expires, note)
    if rotates is None and (team is None) != (scope == "admin") and scope != "metrics":
        _fail("a key that sends requests needs --team, and one with --scope admin is no team's")
    if rotates is not None and (team is not None or scope != "use"):
        _fail("--rotates takes team and scope from the old key: leave out --team and --scope")
    try:
        made = store_key(place, wanted, create) if rotates is None else rotate_key(place, rotates, wanted, grace)
    except PolicyError as fault:
        _fail(str(fault))
    _tell(made, rotates, grace)


@key.command("list")
@_config
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def list_keys(config: Path | None, as_json: bool) -> None:
    """Every key by its id, never the key itself."""
    from moosproxy.policies.keyfile import stored

    try:
        found = list(stored(_place(config)))
    except PolicyError as fault:
        _fail(str(fault))
    rows = [_row(each) for each in found]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "team", "scope", "expires", "rotates", "note")
    for row in rows:
        table.add_row(*(str(row[name] or "") for name in ("id", "team", "scope", "expires", "rotates", "note")))
    Console(soft_wrap=False).print(table)


@key.command()
@_config
@click.argument("key_id", metavar="ID")
def revoke(config: Path | None, key_id: str) -> None:
    """Take a key away; a running proxy refuses it as soon as it has read the file again."""
    from moosproxy.policies.keyfile import revoke_key

    try:
        gone = revoke_key(_place(config), key_id)
    except PolicyError as fault:
        _fail(str(fault))
    click.echo(f"revoked {gone.id}{f' of team {gone.team}' if gone.team else ''} in {gone.file}", err=True)


def _tell(made: NewKey, rotates: str | None, grace: datetime) -> None:
    from moosproxy.policies.keyfile import stamp
    from moosproxy.policies.keytext import written

    if made.written:
        click.echo(f"stored the key's SHA-256 in {made.file}; the key is shown only now:", err=True)
    else:
        click.echo(f"add this line under the keys of the team in {made.file}:", err=True)
        click.echo(f"  - {written(made.entry)}", err=True)
        if rotates is not None:
            click.echo(f'and give the key {rotates} the field expires: "{stamp(grace)}"', err=True)
        click.echo("the key is shown only now:", err=True)
    click.echo(made.key)


def _row(found: Stored) -> dict[str, str | None]:
    from moosproxy.policies.keyfile import stamp

    ends = found.expires
    over = " (over)" if ends is not None and ends <= datetime.now(UTC) else ""
    return {
        "id": found.id,
        "team": found.team,
        "scope": str(found.entry.get("scope", "use")),
        "expires": f"{stamp(ends)}{over}" if ends is not None else None,
        "rotates": found.entry.get("rotates"),
        "note": found.note or None,
    }


def _place(config: Path | None) -> Path:
    if config is None:
        _fail("say where the policies are: --config or MOOS_POLICIES")
    return config


def _fail(message: str) -> NoReturn:
    for line in message.splitlines():
        click.echo(line, err=True)
    raise SystemExit(2)

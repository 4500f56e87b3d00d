"""Commands about policies, for `moos` to mount. Exit code 0 is good, 2 is bad input."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import click

from moosproxy.policies.advice import absent, advice
from moosproxy.policies.extras import lacking
from moosproxy.policies.faults import NoRouteError, PolicyError, did_you_mean
from moosproxy.policies.files.load import load
from moosproxy.policies.files.sources import main_file
from moosproxy.policies.overrides import Requested
from moosproxy.policies.resolve import Explanation, PolicySet, RequestFacts

FURTHER_LOOKS: list[Callable[[PolicySet], list[str]]] = []
"""What else `check` asks of a set, one line a fault: of files on this machine, which this room does not read."""

_PATH = click.Path(path_type=Path)
_config = click.option(
    "--config", "-c", type=_PATH, envvar="MOOS_POLICIES", help="Main file, or the folder with moos.yaml."
)


@click.group()
def policy() -> None:
    """Check, explain and describe policy files."""


@policy.command()
@click.argument("path", type=_PATH, envvar="MOOS_POLICIES")
@click.option(
    "--unset-ok",
    is_flag=True,
    help="Take unset variables as set, extras as installed and model files as there, for CI that has none.",
)
def check(path: Path, unset_ok: bool) -> None:
    """Validate the files, name every fault, and what they ask for in vain."""
    found = _loaded(path, _Lenient() if unset_ok else os.environ)
    missing = lacking(found)
    if missing is not None and not unset_ok:
        _fail(f"{path}: {missing}")
    if faults := [] if unset_ok else [fault for look in FURTHER_LOOKS for fault in look(found)]:
        _fail("\n".join(f"{path}: {fault}" for fault in faults))
    for line in [*advice(found), *([] if unset_ok else absent(found))]:
        click.echo(f"advice: {line}", err=True)
    keys = len(found.keys.entries)
    click.echo(f"good: {_count(len(found.upstreams), 'upstream')}, {_count(len(found.teams), 'team')}, "
               f"{_count(keys, 'key')}")  # fmt: skip


@policy.command()
@_config
@click.option("--team", help="The team that the key belongs to.")
@click.option("--model", help="The model that the request names.")
@click.option("--endpoint", default="/v1/chat/completions", show_default=True, help="The request's path.")
@click.option("--header", "headers", multiple=True, metavar="NAME:VALUE", help="A header of the request.")
@click.option("--ratio", type=float, help="Ratio asked for by header.")
@click.option("--alpha", type=float, help="Alpha asked for by header.")
@click.option("--bypass", is_flag=True, help="Bypass asked for by header.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def explain(
    config: Path | None,
    team: str | None,
    model: str | None,
    endpoint: str,
    headers: tuple[str, ...],
    ratio: float | None,
    alpha: float | None,
    bypass: bool,
    as_json: bool,
) -> None:
    """Show the policy in effect for a request, and where each value comes from."""
    found = _loaded(config, _Lenient())
    if team is not None and team not in found.teams:
        _fail(f"no team is called {team!r}{did_you_mean(team, found.teams)}")
    facts = RequestFacts(team, model, endpoint, dict(_header(text) for text in headers))
    try:
        explanation = found.explain(facts, Requested(bypass, ratio, alpha))
    except NoRouteError as fault:
        _fail(str(fault))
    if as_json:
        click.echo(json.dumps(as_data(explanation), indent=2))
    else:
        _print_table(explanation, config)


@policy.command()
@click.option("--team", is_flag=True, help="The schema of a team's file instead of the main file's.")
def schema(team: bool) -> None:
    """Print the JSON Schema of the policy files, for editors."""
    from moosproxy.policies.files.schema import main_schema, team_schema

    click.echo(json.dumps(team_schema() if team else main_schema(), indent=2))


def as_data(explanation: Explanation) -> dict[str, object]:
    """An explanation as plain data, for JSON. Sets are sorted."""
    decision, applied = explanation.decision, explanation.applied
    values = applied.policy.model_dump(mode="json")
    return {
        "route": decision.route,
        "upstreams": [upstream.name for upstream in decision.upstreams],
        "bypass": applied.bypass,
        "clamped": [str(clamp) for clamp in applied.clamped],
        "policy": {
            name: {
                "value": _sorted(value) if name != "patterns" else value,
                "layer": explanation.origins[name].layer,
                "file": explanation.origins[name].file,
            }
            for name, value in values.items()
        },
    }


def _sorted(value: object) -> object:
    return sorted(value) if isinstance(value, list) else value


def _print_table(explanation: Explanation, config: Path | None) -> None:
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    data = as_data(explanation)
    console = Console(soft_wrap=False)
    console.print(Text(f"route      {data['route']}"))
    console.print(Text(f"upstreams  {', '.join(u.name for u in explanation.decision.upstreams)}"))
    if explanation.applied.bypass:
        console.print(Text("bypass     granted: nothing is compressed"))
    for clamp in explanation.applied.clamped:
        console.print(Text(f"clamped    {clamp}"))
    folder = main_file(config).parent if config else Path()
    table = Table(*(Column(name, overflow="fold") for name in ("field", "value", "from", "file")))
    values = explanation.applied.policy.model_dump(mode="json")
    for name in sorted(values, key=lambda name: name != "name"):
        origin = explanation.origins[name]
        file = os.path.relpath(origin.file, folder) if origin.file else ""
        table.add_row(*(Text(cell) for cell in (name, _shown(name, values[name]), origin.layer, file)))
    console.print(table)


def _shown(name: str, value: object) -> str:
    if isinstance(value, list):
        return ("\n" if name == "patterns" else ", ").join(
            map(str, value if name == "patterns" else sorted(value))
        )
    return json.dumps(value) if not isinstance(value, str) else value


class _Lenient(Mapping[str, str]):
    """The environment, with a stand-in for whatever is not set. Good enough for a key, a header or a URL."""

    def __getitem__(self, name: str) -> str:
        return os.environ.get(name) or "https://unset.invalid"

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)


def _loaded(path: Path | None, environ: Mapping[str, str]) -> PolicySet:
    if path is None:
        from moosproxy.policies.builtin import default_set

        return default_set(os.environ)
    try:
        return load(path, environ)
    except PolicyError as fault:
        _fail(str(fault))


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":")
    if not separator:
        _fail(f"--header takes NAME:VALUE, got {text!r}")
    return name.strip().lower(), value.strip()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _fail(message: str) -> NoReturn:
    for line in message.splitlines():
        click.echo(line, err=True)
    raise SystemExit(2)

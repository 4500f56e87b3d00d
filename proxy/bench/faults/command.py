"""`moos bench faults`: every fault on the list, one after the other, and the page that tells what each cost."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from moosproxy.proxy.bench.faults.lists import clients, files, processes, redis_faults, upstreams
from moosproxy.proxy.bench.faults.report import Result, duration, page
from moosproxy.proxy.bench.faults.scenario import FAULTS, CannotRun, Fault, Row
from moosproxy.proxy.bench.faults.stage import Stage
from moosproxy.proxy.bench.faults.upstream import BadUpstream
from moosproxy.proxy.bench.sides import SideError

# Each of these puts its scenarios on the list when it is imported.
LISTS = (processes, redis_faults, upstreams, clients, files)


@click.command("faults")
@click.option("--only", multiple=True, help="Names, or the start of names, of scenarios; repeatable.  [all]")
@click.option("--list", "listed", is_flag=True, help="Print the names and end.")
@click.option("--faketime", help="libfaketime's library, where it is in no usual place.")
@click.option("--write", type=click.Path(dir_okay=False, path_type=Path), help="Write the page as Markdown.")
def bench_faults(only: tuple[str, ...], listed: bool, faketime: str | None, write: Path | None) -> None:
    """What a client sees of each fault, what is lost, and how long it lasts. Exit code 1 on a finding."""
    chosen = [one for one in FAULTS if not only or one.name.startswith(only)]
    if listed:
        click.echo("\n".join(f"{one.name:32}{one.group}: {one.title}" for one in chosen))
        return
    if not chosen:
        raise click.UsageError("no scenario has such a name; `--list` prints them")
    results = _run(chosen, faketime)
    if write is not None:
        write.write_text(page(results), encoding="utf-8")
    counts = {state: [one.fault.name for one in results if one.state == state] for state in ("found", "skipped")}
    click.echo(json.dumps({"bench": "faults", "run": len(results), **counts}))
    if counts["found"]:
        raise SystemExit(1)


def _run(chosen: Sequence[Fault], faketime: str | None) -> list[Result]:
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="moos-faults-") as folder, ExitStack() as stack:
        upstream = stack.enter_context(BadUpstream())
        stage = Stage(Path(folder), upstream, stack, faketime)
        for one in chosen:
            results.append(_one(one, stage))
            click.echo(_told(results[-1]))
    return results


def _one(one: Fault, stage: Stage) -> Result:
    try:
        return Result(one, one.run(stage))
    except CannotRun as fault:
        return Result(one, None, str(fault))
    except SideError as fault:
        text = str(fault).strip().splitlines()
        return Result(one, Row("no service: the proxy does not start", None, findings=[text[0], text[-1][:300]]))


def _told(result: Result) -> str:
    row = result.row
    if row is None:
        return f"{result.fault.name}: not run, {result.reason}"
    findings = "".join(f"\n    FINDING: {one}" for one in row.findings)
    return f"{result.fault.name}: {row.sees}; lost: {row.lost}; normal after: {duration(row.seconds)}{findings}"

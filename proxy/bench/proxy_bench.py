"""`moos bench proxy`: the pass-through path of this proxy beside a bare relay, an earlier state of itself and the
LiteLLM proxy, in one run, one worker each.

The sides take turns, so that a busy moment of the machine hits them alike. Prints a table and one JSON line.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path
from statistics import median
from typing import Any

import click

from moosproxy.proxy.bench import sides
from moosproxy.proxy.bench.load import chat_request, measure
from moosproxy.proxy.bench.sides import Side, SideError
from moosproxy.proxy.machine import load_average, machine, versions

_CALM = 1.0  # load average before a run
_NOT_CALM = (
    ": other programs were running, so\n  the rates are too low, "
    "and the heavier side may have suffered more than the lighter one"
)
_CASES = tuple((shape, connections) for shape in ("plain", "stream") for connections in (1, 64))


@dataclass(frozen=True, slots=True)
class Figure:
    """One side in one case: answers a second, milliseconds to the first body byte and to the last, failures.

    cpu_us: CPU time of the side's processes per answer, which a busy machine disturbs least; nan if unknown.
    """

    rate: float
    first_ms: float
    whole_ms: float
    cpu_us: float
    failed: int


Figures = dict[tuple[str, str, int], Figure]


@click.command("proxy")
@click.option("--seconds", default=2.0, show_default=True, help="Length of one measurement.")
@click.option("--rounds", default=3, show_default=True, help="Measurements of each case; the median counts.")
@click.option("--litellm", "program", help="Path of the `litellm` program; by default the one on PATH.")
@click.option("--write", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as Markdown.")
@click.option("--compressor", type=click.Choice(["on", "off"]), default="off", show_default=True)
@click.option("--against", metavar="REF", help="A git ref of this clone: its proxy takes part.")
def bench_proxy(
    seconds: float, rounds: int, program: str | None, write: Path | None, compressor: str, against: str | None
) -> None:
    """Requests a second, latency and memory of the pass-through path, beside a bare relay and LiteLLM's proxy."""
    found = sides.find_litellm(program)
    if found is None:
        click.echo(
            "LiteLLM's proxy is not installed (pip install 'litellm[proxy]'): measuring without it", err=True
        )
    load = [load_average()]
    try:
        with ExitStack() as stack:
            direct = stack.enter_context(sides.upstream())
            running = [direct, stack.enter_context(sides.moosproxy(direct.port, compressor))]
            running.append(stack.enter_context(sides.bare(direct.port)))
            running += stack.enter_context(sides.earlier(against, direct.port, compressor))
            if found is not None:
                running.append(stack.enter_context(sides.litellm(direct.port, found)))
            idle = {side.name: side.resident_mb() for side in running}
            figures = asyncio.run(_measure(running, seconds, rounds))
            memory = {side.name: side.resident_mb() for side in running}
    except SideError as fault:
        raise click.ClickException(str(fault)) from None
    load.append(load_average())
    table = "\n".join(_table([side.name for side in running], figures, memory))
    summary = _summary(figures, idle, memory, compressor)
    summary |= {"machine": machine(), "load_average": load, "versions": versions(found)}
    summary |= {"against": against} if against else {}
    click.echo(table)
    click.echo(json.dumps(summary))
    if write is not None:
        write.write_text(report(table, summary, seconds, rounds), encoding="utf-8")


async def _measure(running: Sequence[Side], seconds: float, rounds: int) -> Figures:
    runs: defaultdict[tuple[str, str, int], list[Figure]] = defaultdict(list)
    for side in running:  # connections, caches and code paths warm
        await measure(side.port, chat_request(side.port, stream=False, key=side.key), connections=8, seconds=1)
    for _ in range(rounds):
        for shape, connections in _CASES:
            for side in running:
                request = chat_request(side.port, stream=shape == "stream", key=side.key)
                before = side.cpu_s()
                load = await measure(side.port, request, connections=connections, seconds=seconds)
                after = side.cpu_s()
                if not load.whole:
                    raise SideError(f"{side.name} answered no {shape} request")
                cpu = nan if before is None or after is None else (after - before) / len(load.whole) * 1e6
                figure = Figure(load.rate, median(load.first) * 1e3, median(load.whole) * 1e3, cpu, load.failed)
                runs[side.name, shape, connections].append(figure)
    return {case: _middle(figures) for case, figures in runs.items()}


def _middle(figures: Sequence[Figure]) -> Figure:
    return Figure(
        median(figure.rate for figure in figures),
        median(figure.first_ms for figure in figures),
        median(figure.whole_ms for figure in figures),
        median(figure.cpu_us for figure in figures),
        sum(figure.failed for figure in figures),
    )


def _table(names: Sequence[str], figures: Figures, memory: dict[str, float | None]) -> Iterator[str]:
    rivals = names[2:]
    yield f"{'':22}" + "".join(f"{name:>14}" for name in (*names, *(f"ours/{name}" for name in rivals)))
    for shape, connections in _CASES:
        case = f"{shape} at {connections}"
        rows = (
            ("answers/s", [figures[name, shape, connections].rate for name in names], ".0f"),
            ("first byte ms", [figures[name, shape, connections].first_ms for name in names], ".2f"),
            ("last byte ms", [figures[name, shape, connections].whole_ms for name in names], ".2f"),
            ("CPU us per answer", [figures[name, shape, connections].cpu_us for name in names], ".0f"),
        )
        yield case
        for label, values, form in rows:
            ratios = "".join(f"{values[1] / max(value, 1e-9):14.2f}" for value in values[2:])
            yield f"  {label:20}" + "".join(f"{value:14{form}}" for value in values) + ratios
    shown = "".join(f"{value:14.0f}" if (value := memory[name]) is not None else f"{'?':>14}" for name in names)
    yield f"{'memory MB':22}{shown}"


def report(table: str, summary: dict[str, Any], seconds: float, rounds: int) -> str:
    """The run as a page of documentation."""
    used = ", ".join(f"{name} {number}" for name, number in summary["versions"].items())
    busy = " before and ".join(str(value) for value in summary["load_average"]) + " after the run"
    if (summary["load_average"][0] or 0) > _CALM:
        busy += _NOT_CALM
    earlier = f", `earlier` this proxy at {summary['against']}" if "against" in summary else ""
    return (
        "# The proxy's pass-through path\n\n"
        "Written by `moos bench proxy --write FILE`; run it to get your own figures. Every program runs as one\n"
        "worker on the same machine as the load; `direct` is the fake upstream without a proxy, `bare` the\n"
        f"plainest relay of uvicorn and aiohttp{earlier}. The sides take\n"
        f"turns of {seconds:g} s, {rounds} times each, and the median counts. "
        f"Compressor: {summary['compressor']}.\n\n"
        f"- Machine: {summary['machine']}. Load average: {busy}.\n"
        f"- Versions: {used}.\n\n"
        f"```\n{table}\n```\n\n"
        f"```json\n{json.dumps(summary)}\n```\n"
    )


def _summary(
    figures: Figures, idle: dict[str, float | None], memory: dict[str, float | None], compressor: str
) -> dict[str, Any]:
    cases: dict[str, Any] = {}
    for shape, connections in _CASES:
        sides_of_case = {
            name: {
                "rps": round(f.rate, 1),
                "first_ms": round(f.first_ms, 3),
                "ms": round(f.whole_ms, 3),
                "cpu_us": None if isnan(f.cpu_us) else round(f.cpu_us),
                "failed": f.failed,
            }
            for (name, its_shape, its_connections), f in figures.items()
            if (its_shape, its_connections) == (shape, connections)
        }
        cases[f"{shape}_{connections}"] = sides_of_case | _ratios(figures, shape, connections)
    return {
        "bench": "proxy",
        "compressor": compressor,
        "cases": cases,
        "memory_mb": memory,
        "idle_memory_mb": idle,
    }


def _ratios(figures: Figures, shape: str, connections: int) -> dict[str, float]:
    """Our CPU time as a share of each rival's, how many times LiteLLM's rate, which share of the time it adds."""
    ours, direct = figures["moosproxy", shape, connections], figures["direct", shape, connections]
    out: dict[str, float] = {}
    for name in ("bare", "earlier"):
        other = figures.get((name, shape, connections))
        if other is not None and not isnan(ours.cpu_us) and other.cpu_us:
            out[f"cpu_of_{name}"] = round(ours.cpu_us / other.cpu_us, 3)
    rival = figures.get(("litellm", shape, connections))
    if rival is None:
        return out
    added = max(rival.whole_ms - direct.whole_ms, 1e-9)
    return out | {
        "rate_ratio": round(ours.rate / rival.rate, 2),
        "added_latency_share": round((ours.whole_ms - direct.whole_ms) / added, 4),
        "first_byte_added_ms": round(ours.first_ms - direct.first_ms, 3),
    }

"""`moos bench fuzz`: no answer above 499, no hang, no dead worker, whatever comes in.

The proxy is a real one with the real compressor, in front of an upstream that always answers and the echo. Each
case comes from the seed and its number, so that `--seed S --first N --bodies 1` sends one case again.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import click

from moosproxy.proxy.bench import sides
from moosproxy.proxy.bench.faults.box import Box, running
from moosproxy.proxy.bench.fuzz.requests import Case
from moosproxy.proxy.bench.fuzz.sender import Outcome, exchange, send_all
from moosproxy.proxy.bench.sides import Side, SideError

_SHOWN = 1_500


@click.command("fuzz")
@click.option("--bodies", default=2_000, show_default=True, help="How many requests.")
@click.option("--seed", default=1, show_default=True, help="The same seed sends the same requests.")
@click.option("--first", default=0, show_default=True, help="Number of the first request.")
@click.option("--at-once", default=8, show_default=True, help="Requests at a time.")
@click.option("--patience", default=30.0, show_default=True, help="Seconds after which a request hangs.")
@click.option("--workers", default=2, show_default=True, help="Of the proxy.")
def bench_fuzz(bodies: int, seed: int, first: int, at_once: int, patience: float, workers: int) -> None:
    """Hostile requests over every door. Exit code 1 if one of them was answered with 5xx, or not at all."""
    numbers = range(first, first + bodies)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="moos-fuzz-") as folder,
            sides.upstream() as upstream,
            running(Path(folder), _policies(upstream.port), workers=workers) as box,
        ):
            outcome = asyncio.run(send_all(box.port, seed, numbers, at_once, patience))
            state = _state(box)
    except SideError as fault:
        raise click.ClickException(str(fault)) from None
    _show(outcome, state["faults"])
    click.echo(json.dumps({"bench": "fuzz", "seed": seed, **_summary(outcome), **state}))
    if outcome.offences or not state["alive"] or state["died"]:
        raise SystemExit(1)


def _policies(upstream: int) -> dict[str, Any]:
    bench = {"kind": "openai", "base_url": f"http://127.0.0.1:{upstream}/v1", "api_key": "sk-x"}
    return {
        "defaults": {"min_tokens": 60, "deadline_ms": 3_000, "max_ratio": 8},
        "upstreams": {"bench": bench, "echo": {"kind": "echo"}},
        "routes": [{"match": {"model": "echo"}, "upstreams": "echo"}, {"upstreams": "bench"}],
    }


def _state(box: Box) -> dict[str, Any]:
    """Whether the proxy lives, how many of its workers died, and the first fault of its own that it logged."""
    peak = Side("box", box.port, box.process.pid).peak_mb()
    lines = [line for line in box.log().splitlines() if '"unexpected fault"' in line]
    return {
        "alive": asyncio.run(_alive(box.port)),
        "died": box.deaths(),
        "peak_mb": peak and round(peak),
        "faults": lines[:1],
    }


async def _alive(port: int) -> bool:
    request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(10):
            return await exchange(port, Case(-1, "/healthz", (request,), whole=True)) == "200"
    except (OSError, TimeoutError):
        return False


def _show(outcome: Outcome, faults: list[str]) -> None:
    """The first offending case, as it went over the wire, and what the proxy's log says."""
    if not outcome.offences:
        return
    tried, answer = min(outcome.offences, key=lambda offence: offence[0].number)
    click.echo(f"case {tried.number}, {tried.door}: {answer}")
    data = b"".join(tried.pieces)
    click.echo(repr(data[:_SHOWN]) + (f" and {len(data) - _SHOWN} bytes more" if len(data) > _SHOWN else ""))
    for line in faults:
        click.echo(line)


def _summary(outcome: Outcome) -> dict[str, Any]:
    return {
        "sent": outcome.sent,
        "seconds": round(outcome.took_s, 1),
        "slowest_s": round(outcome.slowest_s, 2),
        "answers": dict(sorted(outcome.answers.items())),
        "offences": dict(Counter(answer for _, answer in outcome.offences)),
        "offending": sorted(tried.number for tried, _ in outcome.offences)[:50],
    }

"""`moos bench overload`: more work than the compressor can do, offered whether or not answers come.

First the compressor's pace alone, then the same new texts at several times that pace, each load for a while, with
short requests in between that need no compressing. Goodput is what was compressed in time, as a share of the pace.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import click

from moosproxy.proxy.bench import sides
from moosproxy.proxy.bench.clients import FORCED, Reply, ask, user
from moosproxy.proxy.bench.sides import SideError
from moosproxy.proxy.bench.soak import pace
from moosproxy.proxy.bench.texts import Texts

_SHORT_EVERY_S = 0.05
_SHORT = "How many entries were filed? Answer in one word."


@dataclass(slots=True)
class Load:
    """What one load came to."""

    times: float
    long: list[Reply] = field(default_factory=list)
    short: list[Reply] = field(default_factory=list)
    took_s: float = 0.0


@click.command("overload")
@click.option("--seconds", default=30.0, show_default=True, help="Length of each load.")
@click.option("--times", "loads", multiple=True, type=float, default=(0.5, 1, 2, 4), show_default=True)
@click.option("--tokens", default=2_000, show_default=True, help="Length of a text.")
@click.option("--deadline-ms", default=5_000, show_default=True, help="The policy's deadline for compression.")
def bench_overload(seconds: float, loads: tuple[float, ...], tokens: int, deadline_ms: int) -> None:
    """Goodput, refusals and short requests at multiples of the compressor's pace."""
    try:
        with ExitStack() as stack:
            upstream = stack.enter_context(sides.upstream())
            proxy = stack.enter_context(sides.moosproxy(upstream.port, "on", f"{{deadline_ms: {deadline_ms}}}"))
            capacity = asyncio.run(pace(proxy.port, tokens))
            click.echo(
                f"compressor alone: {capacity:.0f} tokens/s; texts of {tokens} tokens, {seconds:g} s a load"
            )
            for number, times in enumerate(loads):
                row = _row(asyncio.run(_offer(proxy.port, times, capacity, tokens, seconds, number)), capacity)
                click.echo(json.dumps({"bench": "overload", **row}))
    except SideError as fault:
        raise click.ClickException(str(fault)) from None


async def _offer(port: int, times: float, capacity: float, tokens: int, seconds: float, seed: int) -> Load:
    load = Load(times)
    texts = Texts(10_000 + seed)
    connector = aiohttp.TCPConnector(limit=0)
    began = time.perf_counter()
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120), connector=connector) as session,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(_short_ones(session, port, load, began + seconds))
        sent = 0
        while (now := time.perf_counter() - began) < seconds:
            if sent < now * times * capacity / tokens:
                sent += 1
                group.create_task(_one(session, port, load.long, texts.of(tokens)))
            else:
                await asyncio.sleep(0.002)
        load.took_s = seconds
    return load


async def _short_ones(session: aiohttp.ClientSession, port: int, load: Load, until: float) -> None:
    while time.perf_counter() < until:
        await _one(session, port, load.short, _SHORT)
        await asyncio.sleep(_SHORT_EVERY_S)


async def _one(session: aiohttp.ClientSession, port: int, into: list[Reply], text: str) -> None:
    into.append(await ask(session, port, [user(text)], stream=False))


def _row(load: Load, capacity: float) -> dict[str, Any]:
    done = [reply for reply in load.long if not FORCED & set(reply.reasons) and not reply.error]
    refused = [reply for reply in load.long if "overloaded" in reply.reasons]
    return {
        "times": load.times,
        "texts": len(load.long),
        "left_alone": dict(Counter(reason for reply in load.long for reason in reply.reasons)),
        "failed": sum(1 for reply in (*load.long, *load.short) if reply.error),
        "goodput": round(sum(reply.before for reply in done) / load.took_s / capacity, 2),
        "done_p95_s": _p95([reply.seconds for reply in done]),
        "refused_compression_ms_median": _median([reply.compression_ms for reply in refused]),
        "short_p95_ms": _p95([1000 * reply.seconds for reply in load.short]),
    }


def _p95(values: Sequence[float]) -> float | None:
    return round(sorted(values)[int(len(values) * 0.95)], 2) if values else None


def _median(values: Sequence[float]) -> float | None:
    return round(sorted(values)[len(values) // 2], 3) if values else None

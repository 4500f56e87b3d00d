"""`moos bench soak`: many clients at once for minutes, with texts of all lengths, plain and streamed.

First it asks the compressor for its pace on this machine, then it has the clients pause so long between requests
that the configured share of that pace is asked for. Below it nothing may fail and nothing may be skipped.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import linear_regression, median
from typing import Any

import aiohttp
import click

from moosproxy.proxy.bench import sides
from moosproxy.proxy.bench.clients import FORCED, Reply, ask, user
from moosproxy.proxy.bench.sides import Side, SideError
from moosproxy.proxy.bench.texts import Texts

_SHORTEST, _LONGEST = 100, 20_000  # tokens
_GOES_ON = 0.5  # share of requests that go on with the client's conversation
_STREAMED = 0.5
_TURNS = 6  # of a conversation, at most
_WARM = 0.3  # share of the run until memory counts
_GROWTH = 1.1


@dataclass(slots=True)
class Soak:
    """One run."""

    clients: int
    seconds: float
    think_s: float
    replies: list[Reply] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    took_s: float = 0.0


@click.command("soak")
@click.option("--seconds", default=300.0, show_default=True, help="Length of the run.")
@click.option("--clients", default=64, show_default=True, help="Clients at a time.")
@click.option("--load", default=0.5, show_default=True, help="Share of the compressor's pace to ask for.")
@click.option("--deadline-ms", default=30_000, show_default=True, help="The policy's deadline for compression.")
def bench_soak(seconds: float, clients: int, load: float, deadline_ms: int) -> None:
    """Failures, skipped parts and memory under a load that the machine can hold. Exit code 1 if a check fails."""
    try:
        with ExitStack() as stack:
            upstream = stack.enter_context(sides.upstream())
            proxy = stack.enter_context(sides.moosproxy(upstream.port, "on", f"{{deadline_ms: {deadline_ms}}}"))
            alone = asyncio.run(pace(proxy.port))
            think = clients * _mean_length() / (load * alone)
            click.echo(
                f"compressor alone: {alone:.0f} tokens/s; {clients} clients ask for {load:.0%} of it: a request "
                f"of {_SHORTEST} to {_LONGEST} new tokens (mean {_mean_length():.0f}) each, then {think:.1f} s of "
                f"pause; {seconds:g} s",
            )
            run = Soak(clients, seconds, think)
            asyncio.run(_soak(proxy, run))
    except SideError as fault:
        raise click.ClickException(str(fault)) from None
    summary = _summary(run, alone, load)
    for name, value in summary.items():
        click.echo(f"{name:24}{value}")
    click.echo(json.dumps({"bench": "soak", **summary}))
    if summary["faults"]:
        raise SystemExit(1)


def _mean_length() -> float:
    """New tokens of a request, on average: log-uniform between the bounds."""
    return median(
        sum(texts.length(_SHORTEST, _LONGEST) for _ in range(2000)) / 2000
        for texts in (Texts(0), Texts(1), Texts(2))
    )


async def pace(port: int, tokens: int = 4_000) -> float:
    """New tokens a second with four texts at a time, after a first round that counts for nothing."""
    texts = Texts(99)
    timeout = aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for _ in range(2):
            asked = [ask(session, port, [user(texts.of(tokens))], stream=False) for _ in range(4)]
            began = time.perf_counter()
            replies = await asyncio.gather(*asked)
            took = time.perf_counter() - began
    if any(reply.error or FORCED & set(reply.reasons) for reply in replies):
        raise SideError(f"the compressor does not work: {replies[0].error or replies[0].reasons}")
    return sum(reply.before for reply in replies) / took


async def _soak(proxy: Side, run: Soak) -> None:
    began = time.perf_counter()
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=600), connector=connector) as session:
        watching = asyncio.create_task(_watch_memory(proxy, run, began))
        async with asyncio.TaskGroup() as group:
            for number in range(run.clients):
                group.create_task(_client(session, proxy.port, run, number, began))
        watching.cancel()
    run.took_s = time.perf_counter() - began


async def _client(session: aiohttp.ClientSession, port: int, run: Soak, number: int, began: float) -> None:
    texts = Texts(1000 + number)
    history: list[dict[str, str]] = []
    await asyncio.sleep(run.think_s * number / run.clients)
    while time.perf_counter() - began < run.seconds:
        if len(history) >= _TURNS or not texts.chance(_GOES_ON):
            history = []
        history = [*history, user(texts.of(texts.length(_SHORTEST, _LONGEST)))]
        started = time.perf_counter()
        run.replies.append(await ask(session, port, history, stream=texts.chance(_STREAMED)))
        left = began + run.seconds - time.perf_counter()
        await asyncio.sleep(max(0.0, min(run.think_s - (time.perf_counter() - started), left)))


async def _watch_memory(proxy: Side, run: Soak, began: float) -> None:
    while True:
        resident = proxy.resident_mb()
        if resident is not None:
            run.memory.append((time.perf_counter() - began, resident))
        await asyncio.sleep(1)


def _summary(run: Soak, alone: float, load: float) -> dict[str, Any]:
    replies = run.replies
    took = sorted(reply.seconds for reply in replies)
    reasons = Counter(reason for reply in replies for reason in reply.reasons)
    failed = Counter(reply.error for reply in replies if reply.error)
    memory = _memory(run)
    faults = [f"failed: {dict(failed)}"] if failed else []
    forced = {reason: reasons[reason] for reason in sorted(FORCED) if reasons[reason]}
    if forced:
        faults.append(f"skipped: {forced}")
    if memory and memory["end_mb"] > memory["warm_mb"] * _GROWTH:
        faults.append(f"memory grew from {memory['warm_mb']} to {memory['end_mb']} MB")
    return {
        "seconds": round(run.took_s, 1),
        "clients": run.clients,
        "pause_s": round(run.think_s, 2),
        "load": load,
        "compressor_tokens_s": round(alone),
        "requests": len(replies),
        "failed": sum(failed.values()),
        "tokens_before": sum(reply.before for reply in replies),
        "tokens_after": sum(reply.after for reply in replies),
        "cache_hits": sum(reply.hits for reply in replies),
        "left_alone": dict(reasons),
        "median_s": round(median(took), 3) if took else None,
        "p95_s": round(took[int(len(took) * 0.95)], 3) if took else None,
        "p95_in_proxy_ms": round(sorted(reply.proxy_ms for reply in replies)[int(len(replies) * 0.95)], 2),
        **memory,
        "faults": faults,
    }


def _memory(run: Soak) -> dict[str, float]:
    """Resident megabytes after warming up and at the end (medians of a fifth of the rest), and the slope."""
    warm: Sequence[tuple[float, float]] = [entry for entry in run.memory if entry[0] >= run.seconds * _WARM]
    if len(warm) < 5:
        return {}
    fifth = max(1, len(warm) // 5)
    slope = linear_regression([at for at, _ in warm], [size for _, size in warm]).slope
    return {
        "warm_mb": round(median(size for _, size in warm[:fifth]), 1),
        "end_mb": round(median(size for _, size in warm[-fifth:]), 1),
        "slope_mb_per_min": round(slope * 60, 2),
    }

"""`moos bench tier`: new texts, several at a time, for an own model with all threads and for a tier of replicas.

Both sides take turns, so that whoever else is on the machine slows both. The way is what a text takes to the tier
and back beyond its compression, one at a time.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from statistics import median

import click

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.proxy.bench import sides
from moosproxy.proxy.bench.sides import SideError
from moosproxy.proxy.bench.texts import Texts
from moosproxy.proxy.scheduling.scheduler import CompressionService, ServiceLike
from moosproxy.proxy.tier.remote import RemoteService

_PATIENCE_S = 600.0
_SETTINGS = CompressionSettings()


@click.command("tier")
@click.option("--replicas", default=2, show_default=True, help="Processes of the tier, one thread each.")
@click.option("--tokens", default=2_000, show_default=True, help="Length of a text.")
@click.option("--texts", default=16, show_default=True, help="New texts a round and side.")
@click.option("--at-once", default=8, show_default=True, help="Texts at a time.")
@click.option("--rounds", default=5, show_default=True, help="Rounds after a first one that does not count.")
def bench_tier(replicas: int, tokens: int, texts: int, at_once: int, rounds: int) -> None:
    """Throughput of a tier against that of an own model, and how long a text is on its way."""
    try:
        with ExitStack() as stack:
            urls = [_replica(stack) for _ in range(replicas)]
            own = stack.enter_context(Compressor.load(threads=replicas))
            summary = asyncio.run(_measure(own, urls, tokens, texts, at_once, rounds))
    except SideError as fault:
        raise click.ClickException(str(fault)) from None
    click.echo(
        f"own model {summary['own_tokens_per_s']} tokens/s, tier {summary['tier_tokens_per_s']}: "
        f"{summary['ratio']} times; on the way {summary['way_ms']} ms, 95th percentile {summary['way_p95_ms']} ms"
    )
    click.echo(json.dumps({"bench": "tier", "replicas": replicas, "tokens": tokens, **summary}))


def _replica(stack: ExitStack) -> str:
    port = sides.free_port()
    cli = "moosproxy.proxy.commands.cli"
    command = [sys.executable, "-m", cli, "serve-compressor", "--port", str(port), "--log-level", "error"]
    environment = {**os.environ, "MOOS_COMPRESSOR_THREADS": "1", "MOOS_UNREADY_S": "0"}
    stack.enter_context(sides.running("tier", command, port, "/readyz", environment))
    return f"http://127.0.0.1:{port}"


async def _measure(
    own: Compressor, urls: Sequence[str], tokens: int, texts: int, at_once: int, rounds: int
) -> dict[str, float]:
    """The figures of the summary."""
    made = Texts(7)
    paces: list[tuple[float, float]] = []
    ways: list[float] = []
    async with AsyncExitStack() as stack:
        local = CompressionService(own, threads=own.engine.calls, batch_windows=own.engine.windows)
        stack.push_async_callback(local.aclose)
        remote = RemoteService(list(urls), None, None, 60)
        stack.push_async_callback(remote.aclose)
        await remote.open()
        for number in range(rounds + 1):
            batches = [[made.of(tokens) for _ in range(texts)] for _ in range(2)]
            pace = await _pace(local, batches[0], at_once), await _pace(remote, batches[1], at_once)
            if number:
                paces.append(pace)
        remote.on_way = ways.append
        for _ in range(4 * texts):
            await _one(remote, made.of(tokens))
    return {
        "own_tokens_per_s": round(median(own for own, _ in paces)),
        "tier_tokens_per_s": round(median(tier for _, tier in paces)),
        "ratio": round(median(tier / own for own, tier in paces), 3),
        "way_ms": round(1000 * median(ways), 2),
        "way_p95_ms": round(1000 * sorted(ways)[int(len(ways) * 0.95)], 2),
    }


async def _pace(service: ServiceLike, texts: Sequence[str], at_once: int) -> float:
    """Tokens a second, with so many texts at a time."""
    turn = asyncio.Semaphore(at_once)

    async def one(text: str) -> int:
        async with turn:
            return await _one(service, text)

    began = time.perf_counter()
    return sum(await asyncio.gather(*map(one, texts))) / (time.perf_counter() - began)


async def _one(service: ServiceLike, text: str) -> int:
    """Its tokens."""
    result = await service.compress(text, _SETTINGS, None, time.monotonic() + _PATIENCE_S)
    return result.tokens_before

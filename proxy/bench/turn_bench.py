"""`moos bench turn`: a turn of a long conversation over HTTP with every old part cached."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import ExitStack
from statistics import median

import aiohttp
import click

from moosproxy.proxy.bench import sides
from moosproxy.proxy.bench.clients import Reply, ask, user
from moosproxy.proxy.bench.sides import SideError
from moosproxy.proxy.bench.texts import Texts

_DEADLINE_MS = 600_000  # the first turn fills the cache, however slow the machine is


@click.command("turn")
@click.option("--tokens", default=50_000, show_default=True, help="Length of the conversation.")
@click.option("--messages", default=30, show_default=True, help="Messages that it is spread over.")
@click.option("--turns", default=50, show_default=True, help="Turns to measure; the median counts.")
@click.option("--limit-ms", default=10.0, show_default=True, help="The most that a turn may cost.")
def bench_turn(tokens: int, messages: int, turns: int, limit_ms: float) -> None:
    """What the proxy adds to a turn when every old message is cached. Exit code 1 above the limit."""
    try:
        with ExitStack() as stack:
            direct = stack.enter_context(sides.upstream())
            proxy = stack.enter_context(sides.moosproxy(direct.port, "on", f"{{deadline_ms: {_DEADLINE_MS}}}"))
            first, ours, bare = asyncio.run(_measure(proxy.port, direct.port, tokens, messages, turns))
    except SideError as fault:
        raise click.ClickException(str(fault)) from None
    inside = [reply.proxy_ms + reply.compression_ms for reply in ours]
    added = median(reply.seconds for reply in ours) - median(bare)
    p95 = sorted(inside)[int(len(inside) * 0.95)]
    hits = min(reply.hits for reply in ours)
    summary = {
        "bench": "turn",
        "tokens": ours[0].before,
        "messages": messages,
        "turns": turns,
        "first_turn_s": round(first.seconds, 2),
        "cache_hits": hits,
        "in_proxy_ms": round(median(inside), 2),
        "in_proxy_p95_ms": round(p95, 2),
        "end_to_end_added_ms": round(added * 1000, 2),
    }
    click.echo(f"{ours[0].before} tokens in {messages} messages; the first turn took {first.seconds:.1f} s")
    click.echo(f"in the proxy, all cached: median {median(inside):.2f} ms, 95th percentile {p95:.2f} ms")
    click.echo(f"end to end beyond the upstream itself: median {added * 1000:.2f} ms")
    click.echo(json.dumps(summary))
    if hits < messages or median(inside) > limit_ms:
        raise SystemExit(1)


async def _measure(
    port: int, direct: int, tokens: int, messages: int, turns: int
) -> tuple[Reply, list[Reply], list[float]]:
    """The first turn, the later ones, and the seconds of the same requests without a proxy."""
    texts = Texts(1)
    history = [user(texts.of(tokens // messages)) for _ in range(messages)]
    ours: list[Reply] = []
    bare: list[float] = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_DEADLINE_MS / 1000)) as session:
        first = await ask(session, port, history, stream=False)
        if first.error or set(first.reasons) & {"deadline", "overloaded", "failed"}:
            raise SideError(f"the first turn was not compressed: {first.error or first.reasons}")
        for turn in range(turns):
            body = [*history, user(f"And what about point {turn}?")]
            ours.append(await ask(session, port, body, stream=False))
            began = time.perf_counter()
            await ask(session, direct, body, stream=False)
            bare.append(time.perf_counter() - began)
    return first, ours, bare

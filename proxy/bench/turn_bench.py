"""`moos bench turn`: a turn of a long conversation over HTTP with every old part cached."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median

import aiohttp
import click

from moosproxy.proxy.bench import sides
from moosproxy.proxy.bench.clients import FORCED, Reply, ask, user
from moosproxy.proxy.bench.sides import Side, SideError
from moosproxy.proxy.bench.texts import Texts

_DEADLINE_MS = 600_000  # the first turn fills the cache, however slow the machine is


@click.command("turn")
@click.option("--tokens", default=50_000, show_default=True, help="Length of the conversation.")
@click.option("--messages", default=30, show_default=True, help="Messages that it is spread over.")
@click.option("--turns", default=50, show_default=True, help="Turns to measure; the median counts.")
@click.option("--limit-ms", default=10.0, show_default=True, help="The most that a turn may cost.")
@click.option("--against", metavar="REF", help="A git ref of this clone: its proxy takes every turn, too.")
def bench_turn(tokens: int, messages: int, turns: int, limit_ms: float, against: str | None) -> None:
    """What the proxy adds to a turn when every old message is cached. Exit code 1 above the limit."""
    defaults = f"{{deadline_ms: {_DEADLINE_MS}}}"
    try:
        with ExitStack() as stack:
            direct = stack.enter_context(sides.upstream())
            proxies = [stack.enter_context(sides.moosproxy(direct.port, "on", defaults))]
            proxies += stack.enter_context(sides.earlier(against, direct.port, "on", defaults))
            measured = asyncio.run(_measure(proxies, direct.port, tokens, messages, turns))
    except SideError as fault:
        raise click.ClickException(str(fault)) from None
    first, ours, bare = measured[0][0], measured[0][1:], measured[-1]
    inside = _inside(ours)
    added = median(reply.seconds for reply in ours) - median(reply.seconds for reply in bare)
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
    if against:
        before = median(_inside(measured[1][1:]))
        ratio = median(inside) / before
        summary |= {"against": against, "earlier_ms": round(before, 2), "of_earlier": round(ratio, 3)}
        click.echo(f"in the proxy at {against}: median {before:.2f} ms; now {ratio:.2f} times that")
    click.echo(json.dumps(summary))
    if hits < messages or median(inside) > limit_ms:
        raise SystemExit(1)


def _inside(replies: Sequence[Reply]) -> list[float]:
    """Milliseconds of each reply that passed in the proxy."""
    return [reply.proxy_ms + reply.compression_ms for reply in replies]


async def _measure(
    proxies: Sequence[Side], direct: int, tokens: int, messages: int, turns: int
) -> list[list[Reply]]:
    """Of each proxy its first turn and the later ones; then the same later requests without a proxy."""
    texts = Texts(1)
    history = [user(texts.of(tokens // messages)) for _ in range(messages)]
    bare: list[Reply] = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_DEADLINE_MS / 1000)) as session:
        taken = [[await _first(session, proxy, history)] for proxy in proxies]
        for turn in range(turns):
            body = [*history, user(f"And what about point {turn}?")]
            for proxy, replies in zip(proxies, taken, strict=True):
                replies.append(await ask(session, proxy.port, body, stream=False))
            bare.append(await ask(session, direct, body, stream=False))
    return [*taken, bare]


async def _first(session: aiohttp.ClientSession, proxy: Side, history: list[dict[str, str]]) -> Reply:
    """The turn that fills the cache. Raises SideError where it does not."""
    reply = await ask(session, proxy.port, history, stream=False)
    if reply.error or set(reply.reasons) & FORCED:
        raise SideError(f"the first turn of {proxy.name} was not compressed: {reply.error or reply.reasons}")
    return reply

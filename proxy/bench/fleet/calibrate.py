"""Measures one box through the real proxy, and holds the model to another run of it.

Costs are measured where nothing waits, or where everything does; what is compared is what they say about runs that
were not used for them: more connections, texts that come by chance, clients that never pause.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import mean, median, stdev
from typing import Any

import aiohttp
import orjson

from moosproxy.proxy.bench import sides
from moosproxy.proxy.bench.clients import FORCED, Reply, ask, user
from moosproxy.proxy.bench.fleet.costs import Costs
from moosproxy.proxy.bench.fleet.model import Simulation
from moosproxy.proxy.bench.fleet.parts import Fleet, Outcome
from moosproxy.proxy.bench.load import Load, chat_request, measure
from moosproxy.proxy.bench.sides import SideError
from moosproxy.proxy.bench.texts import Texts
from moosproxy.proxy.machine import machine

_DEADLINE_MS = 600_000  # nothing is refused: the model is held to queues, not to refusals
_FEW, _MANY = 16, 64  # connections: measured, compared
_KNOWN_TOKENS = 10_000
_SHORTEST, _LONGEST = 1_200, 8_000
"""Tokens: enough texts in a minute to compare, and none so short that all its facts stay, of which these are full:
such a one costs little and at times nothing."""
_ALONE = 14
_CLIENTS = 6
_BUSY = 6
_SLICES = 4
_LOAD = 0.6


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of a run, as it was and as the model says. unit: of both."""

    run: str
    figure: str
    unit: str
    measured: float
    simulated: float

    @property
    def off(self) -> float:
        """By which share the model is above what was measured."""
        return self.simulated / self.measured - 1


def calibrate(seconds: float) -> tuple[Costs, list[Compared]]:
    """What a request costs here, and how well the model does with it. seconds: of each longer run.

    Raises SideError where the proxy or the upstream does not come up or does not do its work.
    """
    with ExitStack() as stack:
        upstream = stack.enter_context(sides.upstream())
        began = time.perf_counter()
        policy = f"{{deadline_ms: {_DEADLINE_MS}, break_even: false}}"
        port = stack.enter_context(sides.moosproxy(upstream.port, "on", policy)).port
        start_s = time.perf_counter() - began
        return asyncio.run(_box(port, start_s, seconds))


async def _box(port: int, start_s: float, seconds: float) -> tuple[Costs, list[Compared]]:
    few, many = list[Load](), list[Load]()
    for _ in range(_SLICES):  # in turn: a box has faster and slower seconds
        few.append(await _passing(port, _FEW, seconds / 16))
        many.append(await _passing(port, _MANY, seconds / 16))
    proxy_s = mean(1 / load.rate for load in few)
    known = await _known(port, seconds / 8)
    early = await _compressor(port, 1)
    runs = await _by_chance(port, early, seconds), await _without_pause(port, seconds)
    late = await _compressor(port, 2)
    costs = Costs(
        proxy_s=proxy_s,
        proxy_token_s=max(0.0, 1 / known.rate - proxy_s) / _KNOWN_TOKENS,
        **{name: (early[name] + late[name]) / 2 for name in early},
        start_s=round(start_s, 2),
        machine=machine(),
    )
    return costs, [*_passed(costs, many), *_replayed(costs, *runs)]


async def _passing(port: int, connections: int, seconds: float) -> Load:
    """Streams that are not shortened."""
    load = await measure(port, chat_request(port, stream=True), connections=connections, seconds=seconds)
    if load.failed or not load.whole:
        raise SideError(f"{load.failed} of {load.failed + len(load.whole)} streams failed")
    return load


async def _known(port: int, seconds: float) -> Load:
    """Turns of which every text is known."""
    texts = Texts(7)
    history = [user(texts.of(_KNOWN_TOKENS // 10)) for _ in range(10)]
    async with _session() as session:
        _whole([await ask(session, port, history, stream=True)])
    body = orjson.dumps({"model": "bench", "messages": history, "stream": True})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-length: {len(body)}\r\n"
    request = head.encode() + b"content-type: application/json\r\n\r\n" + body
    return await measure(port, request, connections=_FEW, seconds=seconds)


async def _compressor(port: int, seed: int) -> dict[str, float]:
    """Costs of texts: what one takes alone, and what one more takes where many overlap."""
    texts = Texts(100 + seed)
    async with _session() as session:
        sizes = [_between(part / (_ALONE - 1)) for part in range(_ALONE)]
        alone = [await ask(session, port, [user(texts.of(size))], stream=True) for size in sizes]
        together = [await _together(session, port, texts, size) for size in (_SHORTEST, _LONGEST)]
    _whole(alone)
    return _fit([(reply.before, reply.compression_ms / 1000) for reply in alone], together)


async def _together(session: aiohttp.ClientSession, port: int, texts: Texts, size: int) -> tuple[float, float]:
    """Tokens of a text, and seconds for each, of several that are asked for at once."""
    asked = [ask(session, port, [user(texts.of(size))], stream=True) for _ in range(_BUSY)]
    began = time.perf_counter()
    replies = await asyncio.gather(*asked)
    took = time.perf_counter() - began
    _whole(replies)
    return mean(reply.before for reply in replies), took / _BUSY


def _fit(alone: Sequence[tuple[float, float]], together: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Seconds a text and a token: together they are the model's, which is never idle then; what a text takes more
    alone are those of the other stage. Each: (tokens, seconds) of a text. Raises SideError where longer texts did
    not take longer."""
    fixed, slope = _line(alone)
    model_s, model_token_s = _line(together)
    if slope <= 0 or model_token_s <= 0:
        raise SideError("longer texts did not take longer: measure again on a quiet machine")
    off = [math.log(seconds / (fixed + slope * tokens)) for tokens, seconds in alone]
    return {
        "text_s": max(0.0, fixed - model_s),
        "text_token_s": max(0.0, slope - model_token_s),
        "model_token_s": model_token_s,
        "model_s": model_s,
        "spread": stdev(off),
    }


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Seconds for any text, at least 0, and for a token, by least squares of what each is off by as a share."""
    weights = [1 / seconds for _, seconds in points]
    total = sum(weights)
    at = sum(w * tokens for w, (tokens, _) in zip(weights, points, strict=True)) / total
    took = sum(w * seconds for w, (_, seconds) in zip(weights, points, strict=True)) / total
    slope = sum(w * (x - at) * (y - took) for w, (x, y) in zip(weights, points, strict=True)) / sum(
        w * (x - at) ** 2 for w, (x, _) in zip(weights, points, strict=True)
    )
    return max(0.0, took - slope * at), slope


async def _by_chance(port: int, costs: dict[str, float], seconds: float) -> list[tuple[float, Reply]]:
    """Texts that come by chance, for this share of the compressor's time: when each came, and its reply."""
    texts, replies = Texts(31), list[tuple[float, Reply]]()
    gap = (_LONGEST - _SHORTEST) / math.log(_LONGEST / _SHORTEST) * costs["model_token_s"] / _LOAD
    began = time.perf_counter()
    async with _session() as session, asyncio.TaskGroup() as group:

        async def one(body: str) -> None:
            came = time.perf_counter() - began
            replies.append((came, await ask(session, port, [user(body)], stream=True)))

        while time.perf_counter() - began < seconds:
            group.create_task(one(texts.of(texts.length(_SHORTEST, _LONGEST))))
            await asyncio.sleep(-math.log(1 - texts.share()) * gap)
    _whole([reply for _, reply in replies])
    return sorted(replies, key=lambda entry: entry[0])


async def _without_pause(port: int, seconds: float) -> tuple[float, list[Reply]]:
    """A few clients, each with its next text at once: seconds until the last reply, replies as they were asked."""
    texts, asked = Texts(41), list[asyncio.Task[Reply]]()
    began = time.perf_counter()
    async with _session() as session, asyncio.TaskGroup() as group:

        async def client() -> None:
            while time.perf_counter() - began < seconds:
                body = [user(texts.of(texts.length(_SHORTEST, _LONGEST)))]
                asked.append(group.create_task(ask(session, port, body, stream=True)))
                await asked[-1]

        for _ in range(_CLIENTS):
            group.create_task(client())
    replies = [task.result() for task in asked]
    _whole(replies)
    return time.perf_counter() - began, replies


def _passed(costs: Costs, loads: Sequence[Load]) -> list[Compared]:
    until = mean(load.seconds for load in loads)
    rate, whole = mean(load.rate for load in loads), [seconds for load in loads for seconds in load.whole]
    told = _one_box(costs).run_closed(iter(lambda: 0.0, None), _MANY, until)
    run = f"{_MANY} connections, nothing to shorten"
    return [
        Compared(run, "throughput", "1/s", rate, len(told.added) / until),
        Compared(run, "median", "ms", 1000 * median(whole), 1000 * median(told.added)),
    ]


def _replayed(
    costs: Costs, chance: list[tuple[float, Reply]], pauseless: tuple[float, list[Reply]]
) -> list[Compared]:
    """The model gets when texts came and how long they were, and nothing of what became of them."""
    arrivals = [(came, float(reply.before)) for came, reply in chance]
    ends = max(came + reply.seconds for came, reply in chance)
    told = _one_box(costs).run(iter(arrivals), arrivals[-1][0] + 1)
    run = f"texts by chance, {_LOAD:.0%} of what the box can do"
    out = _latencies(run, [reply.seconds for _, reply in chance], told)
    out.insert(0, Compared(run, "throughput", "1/s", len(chance) / ends, len(chance) / told.ended_s))
    seconds, replies = pauseless
    sizes = [float(reply.before) for reply in replies]
    full = _one_box(costs).run_closed(iter(sizes), _CLIENTS, math.inf)
    run = f"{_CLIENTS} clients without a pause"
    rate = Compared(run, "throughput", "1/s", len(replies) / seconds, len(replies) / full.ended_s)
    return [*out, rate, *_latencies(run, [reply.seconds for reply in replies], full)]


def _latencies(run: str, measured: Sequence[float], told: Outcome) -> list[Compared]:
    return [
        Compared(run, "mean", "ms", 1000 * mean(measured), 1000 * mean(told.added)),
        Compared(run, "median", "ms", 1000 * median(measured), 1000 * median(told.added)),
    ]


def _one_box(costs: Costs) -> Simulation:
    """Without a network in between, and without chance: the texts are those of the run."""
    there = {
        name: getattr(costs, name) for name in ("proxy_s", "proxy_token_s", "text_s", "text_token_s", "model_s")
    }
    box = Costs(**there, model_token_s=costs.model_token_s, hop_s=0.0, redis_s=0.0)
    return Simulation(Fleet(deadline_s=math.inf), box)


def _between(share: float) -> int:
    return round(math.exp(math.log(_SHORTEST) + share * math.log(_LONGEST / _SHORTEST)))


def _session() -> aiohttp.ClientSession:
    connector: Any = aiohttp.TCPConnector(limit=0)
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=600), connector=connector)


def _whole(replies: Sequence[Reply]) -> None:
    bad = [reply for reply in replies if reply.error or FORCED & set(reply.reasons)]
    if bad:
        raise SideError(f"the compressor does not work: {bad[0].error or bad[0].reasons}")

"""Sends cases over raw connections and says what came back."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from moosproxy.proxy.bench.fuzz.requests import Case, case

_STATUS = re.compile(rb"(?:HTTP/1\.1 1\d\d[^\r]*\r\n(?:[^\r]+\r\n)*\r\n)*HTTP/1\.[01] (\d\d\d)")
_KEPT = 64 * 1024
_BROKEN_WAIT_S = 2.0


@dataclass(slots=True)
class Outcome:
    """What was seen. offences: cases by number with what was wrong."""

    answers: Counter[str] = field(default_factory=Counter)
    offences: list[tuple[Case, str]] = field(default_factory=list)
    sent: int = 0
    slowest_s: float = 0.0
    took_s: float = 0.0


async def send_all(port: int, seed: int, numbers: range, at_once: int, patience_s: float) -> Outcome:
    """Every case of these numbers, some at a time. Stops early once the server no longer takes connections."""
    outcome = Outcome()
    left = iter(numbers)
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(_work(port, seed, left, patience_s, outcome))
    outcome.took_s = time.perf_counter() - began
    return outcome


async def _work(port: int, seed: int, left: Iterator[int], patience_s: float, outcome: Outcome) -> None:
    for number in left:
        tried = case(seed, number)
        began = time.perf_counter()
        try:
            answer = await asyncio.wait_for(exchange(port, tried), patience_s)
        except TimeoutError:
            answer = "hang"
        except ConnectionRefusedError:
            outcome.offences.append((tried, "refused"))
            return
        outcome.slowest_s = max(outcome.slowest_s, time.perf_counter() - began)
        outcome.sent += 1
        outcome.answers[answer] += 1
        if answer.startswith("5") or answer == "hang" or (answer == "none" and tried.whole):
            outcome.offences.append((tried, answer))


async def exchange(port: int, tried: Case) -> str:
    """The answer's status, `none`, or `reset`. A body that never ends is given up after a moment.

    reset: a server that refuses early and closes while bytes are still coming loses its answer; TCP does that.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        reading = asyncio.create_task(_read(reader))
        for piece in tried.pieces:
            try:
                writer.write(piece)
                await writer.drain()
            except ConnectionError:
                break  # refused before it was sent: the answer may be there all the same
        if not tried.whole:
            await asyncio.wait({reading}, timeout=_BROKEN_WAIT_S)
            if writer.can_write_eof() and not reading.done():
                writer.write_eof()
        data, reset = await reading
    finally:
        writer.close()
    found = _STATUS.match(data)
    if found and not found[1].startswith(b"1"):
        return found[1].decode()
    return "reset" if reset else "none"


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    """To the end of the connection, and whether that was a reset; the start of it is kept."""
    kept = b""
    try:
        while chunk := await reader.read(_KEPT):
            kept = kept + chunk if len(kept) < _KEPT else kept
    except ConnectionError:
        return kept, True
    return kept, False

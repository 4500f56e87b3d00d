"""Requests through a real client for measurements that look at the answers' headers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

FORCED = frozenset({"deadline", "overloaded", "failed"})


@dataclass(frozen=True, slots=True)
class Reply:
    """What one request came to. reasons: why parts were left alone. error: None if the answer was whole."""

    seconds: float
    before: int
    after: int
    hits: int
    compression_ms: float
    proxy_ms: float
    reasons: tuple[str, ...]
    error: str | None


async def ask(session: aiohttp.ClientSession, port: int, messages: list[dict[str, str]], *, stream: bool) -> Reply:
    """One chat completion, read to its end. Never raises for what the network or the server does."""
    body = orjson.dumps({"model": "bench", "messages": messages, "stream": stream})
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    began = time.perf_counter()
    headers: Any = {}
    try:
        async with session.post(url, data=body, headers={"content-type": "application/json"}) as answer:
            data = await answer.read()
            headers = answer.headers
            whole = data.endswith(b"[DONE]\n\n") if stream else b'"choices"' in data
            error = None if answer.status == 200 and whole else f"status {answer.status}"
    except (aiohttp.ClientError, TimeoutError) as fault:
        error = type(fault).__name__
    took = time.perf_counter() - began
    skipped = headers.get("x-moos-skipped", "")
    return Reply(
        took,
        int(headers.get("x-moos-tokens-before", 0)),
        int(headers.get("x-moos-tokens-after", 0)),
        int(headers.get("x-moos-cache-hits", 0)),
        float(headers.get("x-moos-compression-ms", 0)),
        float(headers.get("x-moos-proxy-ms", 0)),
        tuple(entry.partition("=")[2] for entry in skipped.split(",") if "=" in entry),
        error,
    )


def user(text: str) -> dict[str, str]:
    """A message."""
    return {"role": "user", "content": text}

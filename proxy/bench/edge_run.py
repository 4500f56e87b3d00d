"""Streamed requests of many lengths and ratios to a proxy with a local model, timed from outside."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import orjson

from proxy.bench.edge_prose import Prose
from proxy.bench.sides import SideError

CALIBRATION_TOKENS = 1800
"""About as long are the texts that show which ratio to ask for."""

_CALIBRATION = CALIBRATION_TOKENS * 5  # characters
_TRIALS = 3


@dataclass(frozen=True, slots=True)
class Case:
    """tokens: the prompt's length, in the model's own. ratio: to be reached. wish: what the proxy is asked for."""

    tokens: int
    ratio: float
    wish: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One request. All times in seconds, from the moment it was sent.

    prompt: tokens that the model was sent. first: until the first text. compression: as the proxy says.
    model: llama.cpp's time until the first token.
    """

    case: Case
    prompt: int
    first: float
    total: float
    compression: float
    model: float

    @property
    def own(self) -> float:
        """What is neither compression nor llama.cpp: the proxy, the template, the tokenizer, the client."""
        return self.first - self.compression - self.model


async def measure(port: int, lengths: list[int], ratios: list[float], rounds: int, answer: int) -> list[Figure]:
    """Every length at every ratio, in turns, forwards and backwards. ratios: 1 first. Raises SideError."""
    prose = Prose(1)
    figures: list[Figure] = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        text = prose.of(_CALIBRATION)
        bare = await _ask(session, port, text, Case(0, 1.0, 1.0), 1)
        per_token = len(text) / bare.prompt
        cases = [Case(0, ratio, await _wish(session, port, prose, ratio, per_token)) for ratio in ratios]
        for number in range(rounds):
            for tokens in lengths:
                for case in cases if number % 2 == 0 else cases[::-1]:
                    text = prose.of(round(tokens * per_token))
                    figures.append(await _ask(session, port, text, replace(case, tokens=tokens), answer))
    return figures


async def _wish(session: aiohttp.ClientSession, port: int, prose: Prose, ratio: float, per_token: float) -> float:
    """The ratio to ask for, so that the model gets so many times fewer tokens.

    It is not quite the same number: the compressor counts pieces of its own vocabulary.
    """
    wish = ratio
    for _ in range(_TRIALS if ratio > 1 else 0):
        text = prose.of(_CALIBRATION)
        figure = await _ask(session, port, text, Case(0, ratio, wish), 1)
        wish *= ratio / (len(text) / per_token / figure.prompt)
    return wish


async def _ask(session: aiohttp.ClientSession, port: int, text: str, case: Case, answer: int) -> Figure:
    body = {
        "model": "edge",
        "messages": [{"role": "user", "content": text}],
        "max_tokens": answer,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    wish = {"x-moos-bypass": "true"} if case.ratio == 1 else {"x-moos-ratio": f"{case.wish:.3f}"}
    began = time.perf_counter()
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    async with session.post(url, json=body, headers=wish) as response:
        if response.status != 200:
            raise SideError(f"the proxy answered with status {response.status}: {(await response.text())[:500]}")
        skipped = response.headers.get("x-moos-skipped", "")
        if case.ratio != 1 and skipped:
            raise SideError(f"a prompt of {case.tokens} tokens was not shortened by {case.ratio:g}: {skipped}")
        first: float | None = None
        last: dict[str, Any] = {}
        async for line in response.content:
            if not line.startswith(b"data: {"):
                continue
            event: dict[str, Any] = orjson.loads(line[6:])
            first = first or (time.perf_counter() if _has_text(event) else None)
            last |= {name: event[name] for name in ("usage", "timings", "error") if event.get(name)}
    if "usage" not in last or "timings" not in last:
        raise SideError(f"the answer broke off: {last.get('error')}")
    ended = time.perf_counter()
    return Figure(
        case=case,
        prompt=last["usage"]["prompt_tokens"],
        first=(first or ended) - began,
        total=ended - began,
        compression=float(response.headers.get("x-moos-compression-ms", 0)) / 1000,
        model=last["timings"]["first_token_ms"] / 1000,
    )


def _has_text(event: dict[str, Any]) -> bool:
    return any(choice["delta"].get("content") for choice in event["choices"])

"""Streamed requests of many lengths and ratios to a proxy with a local model, timed from outside."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import aiohttp
import orjson

from moosproxy.proxy.bench.edge.prose import Prose
from moosproxy.proxy.bench.sides import SideError

Message: TypeAlias = dict[str, str]

CALIBRATION_TOKENS = 1800
"""About as long are the texts that show which ratio to ask for."""

_CALIBRATION = CALIBRATION_TOKENS * 5  # characters
_TRIALS = 3
_CLOSE = 0.005


@dataclass(frozen=True, slots=True)
class Case:
    """tokens: the prompt's length, in the model's own. ratio: to be reached. wish: what the proxy is asked for."""

    tokens: int
    ratio: float
    wish: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One request. All times in seconds, from the moment it was sent.

    prompt: tokens that the model was sent. cached: those of them that it had read before. counted: the ratio in
    the proxy's own tokens. first: until the first text. compression: as the proxy says. model: llama.cpp's time
    until the first token.
    """

    case: Case
    prompt: int
    cached: int
    counted: float
    first: float
    total: float
    compression: float
    model: float
    answer: str

    @property
    def own(self) -> float:
        """What is neither compression nor llama.cpp: proxy, queue, template, tokenizer, client."""
        return self.first - self.compression - self.model


class EdgeClient:
    """Asks one proxy that has a model named `edge`. Use `connected`."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self.prose = Prose(1)
        self._session = session
        self._base = f"http://127.0.0.1:{port}/v1"
        self._per_token = 0.0
        self._bias: dict[float, float] = {}
        self._wishes: dict[tuple[int, float], float] = {}

    @classmethod
    @asynccontextmanager
    async def connected(cls, port: int, ratios: list[float]) -> AsyncIterator[EdgeClient]:
        """Ready to ask for those ratios. Raises SideError."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
            client = cls(session, port)
            text = client.prose.of(_CALIBRATION)
            client._per_token = len(text) / (await client.ask([user(text)], Case(0, 1.0, 1.0), 1)).prompt
            for ratio in ratios:
                if ratio > 1:
                    client._bias[ratio] = await client._compared(ratio)
            yield client

    def text(self, tokens: int) -> str:
        """A new text of about so many of the model's tokens."""
        return self.prose.of(round(tokens * self._per_token))

    async def case(self, tokens: int, ratio: float) -> Case:
        """With the wish that makes the ratio come true for texts of that length."""
        if ratio > 1 and (tokens, ratio) not in self._wishes:
            self._wishes[tokens, ratio] = await self._wish(tokens, ratio)
        return Case(tokens, ratio, self._wishes.get((tokens, ratio), ratio))

    async def _compared(self, ratio: float) -> float:
        """The ratio in the model's tokens over that in the proxy's: they have other vocabularies."""
        texts = [self.prose.of(_CALIBRATION) for _ in range(_TRIALS)]
        figures = [await self.ask([user(text)], Case(0, ratio, ratio), 1) for text in texts]
        reached = sum(map(len, texts)) / self._per_token / sum(figure.prompt for figure in figures)
        return reached / (sum(figure.counted for figure in figures) / len(figures))

    async def _wish(self, tokens: int, ratio: float) -> float:
        """The ratio to ask for, so that the model gets so many times fewer tokens.

        Words that may not be cut weigh differently at every length. Only the compressor works for this.
        """
        wish = ratio
        for _ in range(_TRIALS):
            body = {"model": "edge", "messages": [user(self.text(tokens))], "ratio": round(wish, 3)}
            async with self._session.post(f"{self._base}/compress", json=body) as response:
                answer = await response.json()
                if response.status != 200:
                    raise SideError(f"the proxy answered with status {response.status}: {answer}")
            reached = answer["ratio"] * self._bias[ratio]
            wish *= ratio / reached
            if abs(ratio / reached - 1) < _CLOSE:
                break
        return wish

    async def ask(self, messages: list[Message], case: Case, answer: int) -> Figure:
        """A whole answer. Raises SideError, also where nothing was shortened that should have been."""
        began = time.perf_counter()
        async with self.opened(messages, case, answer) as response:
            skipped = response.headers.get("x-moos-skipped", "")
            if case.ratio != 1 and "0=" in skipped:
                raise SideError(f"a prompt of {case.tokens} tokens was not shortened by {case.ratio:g}: {skipped}")
            first: float | None = None
            texts: list[str] = []
            last: dict[str, Any] = {}
            async for line in response.content:
                if not line.startswith(b"data: {"):
                    continue
                event: dict[str, Any] = orjson.loads(line[6:])
                if text := _text(event):
                    texts.append(text)
                    first = first or time.perf_counter()
                last |= {name: event[name] for name in ("usage", "timings", "error") if event.get(name)}
        if "usage" not in last or "timings" not in last:
            raise SideError(f"the answer broke off: {last.get('error')}")
        ended = time.perf_counter()
        return Figure(
            case=case,
            prompt=last["usage"]["prompt_tokens"],
            cached=last["usage"]["prompt_tokens_details"]["cached_tokens"],
            counted=float(response.headers.get("x-moos-ratio", 1)),
            first=(first or ended) - began,
            total=ended - began,
            compression=float(response.headers.get("x-moos-compression-ms", 0)) / 1000,
            model=last["timings"]["first_token_ms"] / 1000,
            answer="".join(texts),
        )

    @asynccontextmanager
    async def opened(
        self, messages: list[Message], case: Case, answer: int
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer that has begun to come; leaving the block drops the connection. Raises SideError."""
        body = {
            "model": "edge",
            "messages": messages,
            "max_tokens": answer,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        wish = {"x-moos-bypass": "true"} if case.ratio == 1 else {"x-moos-ratio": f"{case.wish:.3f}"}
        async with self._session.post(f"{self._base}/chat/completions", json=body, headers=wish) as response:
            if response.status != 200:
                raise SideError(
                    f"the proxy answered with status {response.status}: {(await response.text())[:500]}"
                )
            yield response


def user(text: str) -> Message:
    """A message of the user's."""
    return {"role": "user", "content": text}


async def measure(
    client: EdgeClient, lengths: list[int], ratios: list[float], rounds: int, answer: int
) -> list[Figure]:
    """Every length at every ratio, in turns, forwards and backwards. Raises SideError."""
    cases = [
        await client.case(tokens, ratio)
        for number in range(rounds)
        for tokens in lengths
        for ratio in (ratios if number % 2 == 0 else ratios[::-1])
    ]
    return [await client.ask([user(client.text(case.tokens))], case, answer) for case in cases]


def _text(event: dict[str, Any]) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in event["choices"])

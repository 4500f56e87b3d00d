"""Who answers: the trained reader, or any model behind an OpenAI-compatible API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import aiohttp

from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.judging.reader import Reader

Advance = Callable[[int], None]

IN_FLIGHT = 8
TIMEOUT_S = 120
_ASK = (
    "Answer the question from the text, in as few words as possible, copied from the text where you can. "
    "The text may be shortened; read between its words.\n\nText:\n{text}\n\nQuestion: {question}\nAnswer:"
)


class Judge(Protocol):
    """Answers questions from texts. `version` is part of every cache key."""

    name: str
    version: str

    def answers(self, questions: Sequence[str], texts: Sequence[str], advance: Advance) -> list[str]:
        """One answer per pair; `advance` gets the number of units finished since the last call."""


class ReaderJudge:
    """The extractive reader."""

    def __init__(self, reader: Reader):
        self.reader = reader
        self.name = f"reader {reader.fingerprint}"
        self.version = self.name

    def answers(self, questions: Sequence[str], texts: Sequence[str], advance: Advance) -> list[str]:
        return self.reader.answers(questions, texts, advance)


class ApiJudge:
    """A chat model. Greedy, short answers, a few requests at a time."""

    def __init__(self, model: str, base_url: str, api_key: str | None):
        self.name = f"model {model}"
        self.version = f"{base_url} {model}"
        self._model, self._url = model, base_url.rstrip("/") + "/chat/completions"
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def answers(self, questions: Sequence[str], texts: Sequence[str], advance: Advance) -> list[str]:
        prompts = [_ASK.format(text=t, question=q) for q, t in zip(questions, texts, strict=True)]
        return asyncio.run(self._all(prompts, 48, advance))

    def complete(self, prompts: Sequence[str], tokens: int, advance: Advance) -> list[str]:
        """The model's words after each prompt, at most `tokens` of them."""
        return asyncio.run(self._all(prompts, tokens, advance))

    async def _all(self, prompts: Sequence[str], tokens: int, advance: Advance) -> list[str]:
        gate = asyncio.Semaphore(IN_FLIGHT)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(headers=self._headers, timeout=timeout) as session:

            async def one(prompt: str) -> str:
                async with gate:
                    answer = await self._one(session, prompt, tokens)
                advance(1)
                return answer

            return list(await asyncio.gather(*map(one, prompts)))

    async def _one(self, session: aiohttp.ClientSession, prompt: str, tokens: int) -> str:
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0,
            "max_tokens": tokens,
        }
        try:
            async with session.post(self._url, json=body) as response:
                if response.status != 200:
                    detail = (await response.text())[:200]
                    raise CompressorError(f"{self._url} answered {response.status}: {detail}")
                reply: Any = await response.json(content_type=None)
            return str(reply["choices"][0]["message"]["content"] or "").strip()
        except (aiohttp.ClientError, TimeoutError) as fault:
            raise CompressorError(f"cannot reach {self._url}: {fault!r}") from fault
        except (KeyError, IndexError, TypeError, ValueError) as fault:
            raise CompressorError(f"{self._url} sent no chat completion: {fault!r}") from fault

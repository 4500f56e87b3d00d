"""Answers of a model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp

from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.answers.base import Prompt, Reply
from moosproxy.compressor.text.tokens import counter_for

AT_ONCE = 4
TIMEOUT_S = 300
TRIES = 3
_BUSY = frozenset({408, 409, 429, 500, 502, 503, 504})


class EndpointAnswerer:
    """Greedy answers, a few requests at a time. A part of the run that is over stays when the endpoint stops."""

    def __init__(self, base_url: str, model: str, api_key: str | None, tokenizer: str) -> None:
        """Raises CompressorError for a tokenizer that is not on this machine."""
        counter = counter_for(tokenizer)
        if counter is None:
            text = f"unknown tokenizer {tokenizer!r}; take o200k_base, cl100k_base, a model's name or gguf:FILE"
            raise CompressorError(text)
        self.name, self.tokenizer = model, tokenizer
        self.version = f"{base_url} {model} {tokenizer}"
        self.count = counter.count
        self._model, self._url = model, base_url.rstrip("/") + "/chat/completions"
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def answers(self, prompts: Sequence[Prompt], done: Callable[[int, Reply | None], None]) -> None:
        """None for a prompt that is too long for the model. Raises CompressorError."""
        try:
            asyncio.run(self._all(prompts, done))
        except* CompressorError as several:
            raise several.exceptions[0] from None

    async def _all(self, prompts: Sequence[Prompt], done: Callable[[int, Reply | None], None]) -> None:
        gate = asyncio.Semaphore(AT_ONCE)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(headers=self._headers, timeout=timeout) as session:

            async def one(index: int, prompt: Prompt) -> None:
                async with gate:
                    done(index, await self._one(session, prompt))

            async with asyncio.TaskGroup() as group:
                for index, prompt in enumerate(prompts):
                    group.create_task(one(index, prompt))

    async def _one(self, session: aiohttp.ClientSession, prompt: Prompt) -> Reply | None:
        messages = [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}]
        body: dict[str, Any] = {
            "model": self._model,
            "messages": messages,
            "temperature": 0,
            "max_tokens": prompt.tokens,
        }
        if prompt.line:
            body["stop"] = ["\n"]
        began = time.perf_counter()
        for attempt in range(TRIES):
            status, reply = await self._posted(session, body)
            if status == 200:
                return _reply(reply, time.perf_counter() - began, self._url)
            if status not in _BUSY:
                break
            await asyncio.sleep(2**attempt)
        if status == 400 and "context" in str(reply).lower():
            return None
        raise CompressorError(f"{self._url} answered {status}: {str(reply)[:200]}; run again to go on from here")

    async def _posted(self, session: aiohttp.ClientSession, body: dict[str, Any]) -> tuple[int, Any]:
        try:
            async with session.post(self._url, json=body) as response:
                return response.status, await response.json(content_type=None)
        except ValueError:
            return 502, "no JSON"
        except (aiohttp.ClientError, TimeoutError) as fault:
            text = f"cannot reach {self._url}: {fault!r}; run again to go on from here"
            raise CompressorError(text) from None


def _reply(reply: Any, seconds: float, url: str) -> Reply:
    try:
        choice = reply["choices"][0]
        answer = str(choice["message"]["content"] or "").strip()
        tokens = int((reply.get("usage") or {}).get("prompt_tokens") or 0)
        return Reply(answer, tokens, seconds, str(choice.get("finish_reason") or "stop"))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as fault:
        raise CompressorError(f"{url} sent no chat completion: {fault!r}") from None

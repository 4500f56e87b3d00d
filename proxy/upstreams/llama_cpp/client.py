"""The upstream itself: OpenAI's endpoints, served by models on this machine."""

from __future__ import annotations

import asyncio
import base64
import struct
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import orjson

from moosproxy.compressor.text import gguf_tokens
from moosproxy.policies.model import Upstream
from moosproxy.proxy.upstreams.base import Answer, Call, json_answer
from moosproxy.proxy.upstreams.llama_cpp.gguf_file import GgufFile
from moosproxy.proxy.upstreams.llama_cpp.models import LocalModels
from moosproxy.proxy.upstreams.local import request
from moosproxy.proxy.upstreams.local.answers import Ending, Form, Piece
from moosproxy.proxy.upstreams.local.client import Generated, LocalClient, parsed
from moosproxy.proxy.upstreams.local.faults import ModelFault
from moosproxy.proxy.upstreams.window import Room

_COMPARABLE = range(128, 1024)
_LATELY = 8


class LlamaCppClient(LocalClient):
    """Serves chat completions, completions, embeddings and the list of models."""

    def __init__(self, upstream: Upstream) -> None:
        super().__init__(upstream)
        self._limits = upstream.limits
        self._models = LocalModels(upstream.models, upstream.limits)
        self._tokenizers: dict[GgufFile, str | None] = {}
        self._read: dict[str, deque[float]] = {}

    @property
    def models(self) -> LocalModels:
        """What is loaded, and from which files."""
        return self._models

    async def measure(self, call: Call) -> Room | None:
        """How much of the model's window the prompt would take; None for a request that has no prompt.

        Raises ModelFault where the model cannot be loaded or the request is at fault.
        """
        asked = _asked(call.path, parsed(call))
        if asked is None:
            return None
        async with self._models.held(self._model(call)) as child:
            counted = [await child.ask({**message, "op": "count"}) for message in asked.by_prompt]
        longest = max(count["tokens"] for count in counted)
        answer = asked.message.get("max_tokens")
        return Room(longest, counted[0]["window"], answer, self._limits.answer_tokens)

    async def _count(self, call: Call) -> int:
        room = await self.measure(call)
        return room.prompt if room is not None else 0

    async def prefill_speed(self, model: str) -> float:
        """Tokens a second that the model reads, measured now. Raises ModelFault, QueueFull."""
        async with self._models.turns(model).turn(None), self._models.held(model) as child:
            measured = await child.ask({"op": "measure"})
        self._read.pop(model, None)
        return float(measured["tokens_per_s"])

    async def preload(self, model: str) -> None:
        """Loads it, and does what the first request would else wait for. Raises ModelFault, QueueFull."""
        async with self._models.turns(model).turn(None), self._models.held(model) as child:
            await child.ask({"op": "warm"})

    def read_lately(self, model: str) -> Sequence[float]:
        """Tokens a second at which its last prompts were read, of those that are comparable with prefill_speed."""
        return self._read.get(model, ())

    def is_loaded(self, model: str) -> bool:
        """Whether measuring it takes a moment only."""
        return model in self._models.loaded

    async def identity(self, model: str) -> str:
        """What its speed depends on: the file's name and size, and how it is run. Raises ModelFault."""
        file, spec = await self._models.described(model)
        how = f"{spec.batch_threads} {spec.batch} {spec.ubatch} {spec.flash_attention} {spec.kv}"
        return f"{file.path.name} {file.size} {spec.threads} {how}"

    async def tokenizer(self, model: str) -> str | None:
        """Name of the tokenizer in the model's file; None where it is of a kind that only llama.cpp knows.

        Raises ModelFault.
        """
        names = self._models.names
        file, _ = await self._models.described(model or (names[0] if len(names) == 1 else ""))
        if file not in self._tokenizers:
            self._tokenizers[file] = await asyncio.to_thread(gguf_tokens.name_of, file.path)
        return self._tokenizers[file]

    async def aclose(self) -> None:
        """Ends the models' processes."""
        await self._models.aclose()

    @property
    def _names(self) -> list[str]:
        return self._models.names

    async def _present(self) -> list[str]:
        return await asyncio.to_thread(lambda: self._models.present)

    def _model(self, call: Call) -> str:
        """The one that is asked for; where there is only one, it need not be named."""
        names = self._models.names
        return call.model or (names[0] if len(names) == 1 else "")

    async def _serve(self, call: Call, body: dict[str, Any] | None) -> Answer:
        if body is not None and call.path == "/embeddings":
            return await self._embed(call, body)
        asked = _asked(call.path, body)
        if asked is None:
            raise ModelFault(
                "unsupported",
                "a local model serves chat completions, completions, responses, messages, embeddings and models, "
                f"not {call.method} /v1{call.path}",
            )
        form = Form(
            model=self._model(call),
            chat=call.path == "/chat/completions",
            tools=asked.tools,
            logprobs=asked.logprobs,
            usage=asked.usage,
            prompts=len(asked.by_prompt),
            n=asked.n,
        )
        return await self._answered(self._generated(call, asked.all), form, stream=asked.stream)

    async def _generated(self, call: Call, messages: Sequence[dict[str, Any]]) -> Generated:
        """Closing it frees the model for the next request."""
        name = self._model(call)
        async with self._models.turns(name).turn(call.team), self._models.held(name) as child:
            for message in messages:
                async with aclosing(child.events(message)) as events:
                    async for event in events:
                        match event["event"]:
                            case "begin":
                                yield None
                            case "text":
                                yield Piece(event["text"], tuple(event["logprobs"]))
                            case "end":
                                self._note_speed(name, event["timings"])
                                yield _ending(event)

    def _note_speed(self, name: str, timings: dict[str, float]) -> None:
        """Of prompts of a middling length: a long one is read more slowly towards its end."""
        if timings["prompt_n"] in _COMPARABLE and timings["prompt_ms"]:
            speeds = self._read.setdefault(name, deque(maxlen=_LATELY))
            speeds.append(1000 * timings["prompt_n"] / timings["prompt_ms"])

    async def _embed(self, call: Call, body: dict[str, Any]) -> Answer:
        message, as_base64 = request.embeddings(body)
        name = self._model(call)
        async with self._models.turns(name).turn(call.team), self._models.held(name) as child:
            answer = await child.ask(message)
        rows = [
            {"object": "embedding", "index": index, "embedding": _base64(vector) if as_base64 else vector}
            for index, vector in enumerate(answer["vectors"])
        ]
        usage = {"prompt_tokens": answer["tokens"], "total_tokens": answer["tokens"]}
        return json_answer(200, orjson.dumps({"object": "list", "data": rows, "model": name, "usage": usage}))


def _asked(path: str, body: dict[str, Any] | None) -> request.Asked | None:
    if body is None:
        return None
    if path == "/chat/completions":
        return request.chat(body)
    return request.completion(body) if path == "/completions" else None


def _ending(event: dict[str, Any]) -> Ending:
    return Ending(
        "length" if event["reason"] == "length" else "stop",
        event["prompt_tokens"],
        event["completion_tokens"],
        event["cached_tokens"],
        event["timings"],
        stop=event["stop"],
        schema_fault=event.get("schema_fault"),
    )


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()

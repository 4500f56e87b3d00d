"""The upstream itself: OpenAI's endpoints, served by models on this machine."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import orjson

from policies.model import Upstream
from proxy.errors import envelope
from proxy.turns import QueueFull
from proxy.upstreams import local_answers
from proxy.upstreams.base import Answer, BodyAnswer, Call, EventAnswer, UpstreamFault, json_answer
from proxy.upstreams.llama_cpp import request
from proxy.upstreams.llama_cpp.faults import KINDS, ModelFault
from proxy.upstreams.llama_cpp.models import LocalModels
from proxy.upstreams.local_answers import Ending, Form, Piece
from proxy.window import Room


class LlamaCppClient:
    """Serves chat completions, completions, embeddings and the list of models."""

    def __init__(self, upstream: Upstream) -> None:
        self._name = upstream.name
        self._limits = upstream.limits
        self._timeouts = upstream.timeouts
        self._models = LocalModels(upstream.models, upstream.limits)
        self._since = int(time.time())

    @property
    def models(self) -> LocalModels:
        """What is loaded, and from which files."""
        return self._models

    async def send(self, call: Call) -> Answer:
        """Raises UpstreamFault where the answer takes too long to begin; all else is told in OpenAI's form."""
        try:
            async with asyncio.timeout(self._timeouts.first_byte_s):
                return await self._send(call)
        except ModelFault as fault:
            return _refusal(fault)
        except QueueFull as full:
            text = f"{full.waiting} requests are waiting for this model already; try again later"
            answer = _refusal(ModelFault("queue", text))
            answer.headers.append((b"retry-after", str(full.retry_after_s).encode()))
            return answer
        except TimeoutError as fault:
            limit = self._timeouts.first_byte_s
            text = f"upstream {self._name!r}: no answer within {limit:g} s; see its timeouts"
            raise UpstreamFault("timeout", text) from fault

    async def measure(self, call: Call) -> Room | None:
        """How much of the model's window the prompt would take; None for a request that has no prompt.

        Raises ModelFault where the model cannot be loaded or the request is at fault.
        """
        asked = _asked(call.path, _parsed(call))
        if asked is None:
            return None
        async with self._models.held(call.model or "") as child:
            counted = await child.ask({**asked.message, "op": "count"})
        answer = asked.message.get("max_tokens")
        return Room(counted["tokens"], counted["window"], answer, self._limits.answer_tokens)

    async def prefill_speed(self, model: str) -> float:
        """Tokens a second that the model reads, measured now. Raises ModelFault, QueueFull."""
        async with self._models.turns(model).turn(None), self._models.held(model) as child:
            measured = await child.ask({"op": "measure"})
        return float(measured["tokens_per_s"])

    async def identity(self, model: str) -> str:
        """What its speed depends on: the file's name and size, the threads. Raises ModelFault."""
        file, spec = await self._models.described(model)
        return f"{file.path.name} {file.size} {spec.threads} {spec.batch_threads}"

    async def aclose(self) -> None:
        """Ends the models' processes."""
        await self._models.aclose()

    async def _send(self, call: Call) -> Answer:
        if call.method == "GET" and call.path == "/models":
            listed = [self._described(name) for name in self._models.names]
            return json_answer(200, orjson.dumps({"object": "list", "data": listed}))
        if call.method == "GET" and call.path.startswith("/models/"):
            name = call.path.removeprefix("/models/")
            self._models.turns(name)  # raises where there is no such model
            return json_answer(200, orjson.dumps(self._described(name)))
        body = _parsed(call)
        if body is not None and call.path == "/embeddings":
            return await self._embed(call, body)
        asked = _asked(call.path, body)
        if asked is None:
            raise ModelFault(
                "unsupported",
                "a local model serves chat completions, completions, embeddings and models, "
                f"not {call.method} /v1{call.path}",
            )
        form = Form(
            model=call.model or "",
            chat=call.path == "/chat/completions",
            tools=asked.tools,
            logprobs=asked.logprobs,
            usage=asked.usage,
        )
        generated = self._generated(call, asked.message)
        if not asked.stream:
            async with aclosing(generated):
                return json_answer(200, await local_answers.whole(_skip_begin(generated), form))
        try:
            await anext(generated)  # it is our turn, the model is loaded, and the prompt fits
        except BaseException:
            await generated.aclose()
            raise
        events = local_answers.events(_skip_begin(generated), form)
        return EventAnswer(self._whole_stream(events), generated.aclose)

    async def _whole_stream(self, events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(events):
                async for event in events:
                    yield event
        except ModelFault as fault:
            text = f"upstream {self._name!r}: the answer broke off ({fault.message})"
            raise UpstreamFault("broken", text) from fault

    async def _generated(self, call: Call, message: dict[str, Any]) -> AsyncGenerator[Piece | Ending | None, None]:
        """None once the model begins, then what it writes. Closing it frees the model for the next request."""
        name = call.model or ""
        async with (
            self._models.turns(name).turn(call.team),
            self._models.held(name) as child,
            aclosing(child.events(message)) as events,
        ):
            async for event in events:
                match event["event"]:
                    case "begin":
                        yield None
                    case "text":
                        yield Piece(event["text"], tuple(event["logprobs"]))
                    case "end":
                        yield _ending(event)

    async def _embed(self, call: Call, body: dict[str, Any]) -> Answer:
        message, as_base64 = request.embeddings(body)
        name = call.model or ""
        async with self._models.turns(name).turn(call.team), self._models.held(name) as child:
            answer = await child.ask(message)
        rows = [
            {"object": "embedding", "index": index, "embedding": _base64(vector) if as_base64 else vector}
            for index, vector in enumerate(answer["vectors"])
        ]
        usage = {"prompt_tokens": answer["tokens"], "total_tokens": answer["tokens"]}
        return json_answer(200, orjson.dumps({"object": "list", "data": rows, "model": name, "usage": usage}))

    def _described(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._since, "owned_by": "moosproxy"}


def _parsed(call: Call) -> dict[str, Any] | None:
    if call.method != "POST" or not call.body:
        return None
    try:
        body = orjson.loads(call.body)
    except orjson.JSONDecodeError:  # lone surrogates, very large numbers
        body = json.loads(call.body)
    return body if isinstance(body, dict) else None


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
    )


async def _skip_begin(
    generated: AsyncGenerator[Piece | Ending | None, None],
) -> AsyncGenerator[Piece | Ending, None]:
    async for part in generated:
        if part is not None:
            yield part


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _refusal(fault: ModelFault) -> BodyAnswer:
    status, kind, code = KINDS[fault.kind]
    return json_answer(status, envelope(fault.message, kind, fault.param, code))

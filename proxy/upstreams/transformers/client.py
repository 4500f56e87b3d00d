"""The upstream itself: chat completions and models, served by Hugging Face models in this process.

Each model has one thread, and one request at a time. torch holds Python's lock only between its operations.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from policies.model import Upstream
from policies.soft import HfModel
from proxy.errors import envelope
from proxy.turns import QueueFull, Turns
from proxy.upstreams import local_answers
from proxy.upstreams.base import Answer, BodyAnswer, Call, EventAnswer, UpstreamFault, json_answer
from proxy.upstreams.llama_cpp import request
from proxy.upstreams.llama_cpp.faults import KINDS, ModelFault
from proxy.upstreams.local_answers import Ending, Form, Piece

if TYPE_CHECKING:
    from proxy.upstreams.transformers.engine import Engine, Job

_KINDS = {**KINDS, "soft": (400, "invalid_request_error", "soft_compression_failed")}
# What the request parser lets through for llama.cpp and this kind does not do.
_NOT_SERVED = ("grammar", "response_format", "logprobs")


@dataclass(slots=True)
class _Place:
    """A configured model; loaded with the first request."""

    model: HfModel
    turns: Turns
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "transformers"))
    engine: Engine | None = None


class TransformersClient:
    """Belongs to one event loop."""

    def __init__(self, upstream: Upstream) -> None:
        self._name = upstream.name
        self._timeouts = upstream.timeouts
        self._since = int(time.time())
        self._places = {
            name: _Place(model, Turns(upstream.limits.max_waiting)) for name, model in upstream.hf_models.items()
        }

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

    async def aclose(self) -> None:
        """Waits for what runs, and lets the models go."""
        for place in self._places.values():
            await asyncio.to_thread(place.thread.shutdown)
            place.engine = None

    async def _send(self, call: Call) -> Answer:
        if call.method == "GET" and call.path == "/models":
            listed = [self._described(name) for name in self._places]
            return json_answer(200, orjson.dumps({"object": "list", "data": listed}))
        if call.method == "GET" and call.path.startswith("/models/"):
            return json_answer(200, orjson.dumps(self._described(call.path.removeprefix("/models/"))))
        if call.method != "POST" or call.path != "/chat/completions":
            raise ModelFault(
                "unsupported",
                f"kind transformers serves chat completions and models, not {call.method} /v1{call.path}",
            )
        asked = request.chat(_parsed(call.body))
        for name in _NOT_SERVED:
            if asked.message.get(name) is not None:
                raise ModelFault("request", f"{name} is not served by a model of kind transformers", name)
        form = Form(model=call.model or "", tools=asked.tools, usage=asked.usage)
        generated = self._generated(call, asked.message)
        if not asked.stream:
            async with aclosing(generated):
                return json_answer(200, await local_answers.whole(_shown(generated), form))
        try:
            await anext(generated)  # it is our turn, the model is loaded, and the prompt fits
        except BaseException:
            await generated.aclose()
            raise
        events = local_answers.events(_shown(generated), form)
        return EventAnswer(self._stream(events), generated.aclose)

    async def _stream(self, events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(events):
                async for event in events:
                    yield event
        except ModelFault as fault:
            text = f"upstream {self._name!r}: the answer broke off ({fault.message})"
            raise UpstreamFault("broken", text) from fault

    async def _generated(self, call: Call, message: dict[str, Any]) -> AsyncGenerator[Piece | Ending | None, None]:
        """None once the model begins, then what it writes. Closing it stops the model within a token."""
        place = self._place(call.model or "")
        loop = asyncio.get_running_loop()
        async with place.turns.turn(call.team):
            engine = await loop.run_in_executor(place.thread, _engine, place)
            from proxy.upstreams.transformers.engine import Job

            job = Job(message, call.soft, call.team)
            parts = engine.generate(job)
            try:
                while True:
                    # Shielded: the thread must be done with the model before the next one gets the turn.
                    step = loop.run_in_executor(place.thread, _next, parts, job)
                    try:
                        part, more = await asyncio.shield(step)
                    except asyncio.CancelledError:
                        job.stop.set()
                        await asyncio.wait([step])
                        raise
                    if not more:
                        return
                    yield part
            finally:
                job.stop.set()

    def _place(self, name: str) -> _Place:
        if name not in self._places:
            known = ", ".join(self._places)
            raise ModelFault("unknown_model", f"this upstream has no model of that name; it has {known}", "model")
        return self._places[name]

    def _described(self, name: str) -> dict[str, Any]:
        self._place(name)
        return {"id": name, "object": "model", "created": self._since, "owned_by": "moosproxy"}


def _engine(place: _Place) -> Engine:
    """In the model's thread. Raises ModelFault."""
    if place.engine is None:
        try:
            from proxy.upstreams.transformers.engine import Engine
        except ImportError as missing:
            text = f"kind transformers needs an extra: pip install 'moosproxy[soft]' ({missing.name} is missing)"
            raise ModelFault("file", text) from None
        place.engine = Engine(place.model)
    return place.engine


def _next(parts: Iterator[Piece | Ending | None], job: Job) -> tuple[Piece | Ending | None, bool]:
    """In the model's thread: the next part, and whether there was one."""
    try:
        return next(parts), True
    except StopIteration:
        return None, False


async def _shown(generated: AsyncGenerator[Piece | Ending | None, None]) -> AsyncGenerator[Piece | Ending, None]:
    async for part in generated:
        if part is not None:
            yield part


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:  # lone surrogates, very large numbers
        parsed = json.loads(body)
    return parsed if isinstance(parsed, dict) else {}


def _refusal(fault: ModelFault) -> BodyAnswer:
    status, kind, code = _KINDS[fault.kind]
    return json_answer(status, envelope(fault.message, kind, fault.param, code))

"""The upstream itself: chat completions and models, served by Hugging Face models in this process.

Each model has one thread, and one request at a time. torch holds Python's lock only between its operations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moosproxy.policies.fields.soft import HfModel
from moosproxy.policies.model import Upstream
from moosproxy.proxy.scheduling.turns import Turns
from moosproxy.proxy.upstreams.base import Answer, Call
from moosproxy.proxy.upstreams.local import request
from moosproxy.proxy.upstreams.local.answers import Ending, Form, Piece
from moosproxy.proxy.upstreams.local.client import Generated, LocalClient, parsed
from moosproxy.proxy.upstreams.local.faults import ModelFault, unknown_model

if TYPE_CHECKING:
    from moosproxy.proxy.upstreams.transformers.engine import Begun, Engine
    from moosproxy.proxy.upstreams.transformers.prompt import Job

# What the request parser lets through for llama.cpp and this kind does not do.
_NOT_SERVED = ("grammar", "response_format", "logprobs")


@dataclass(slots=True)
class _Place:
    """A configured model; loaded with the first request."""

    model: HfModel
    turns: Turns
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "transformers"))
    engine: Engine | None = None


class TransformersClient(LocalClient):
    """Belongs to one event loop."""

    def __init__(self, upstream: Upstream, state: Path | None = None) -> None:
        """state: the folder that keeps what GGUF files hold; the user's cache folder if not given."""
        super().__init__(upstream)
        self._state = state
        self._places = {
            name: _Place(model, Turns(upstream.limits.max_waiting)) for name, model in upstream.hf_models.items()
        }

    async def aclose(self) -> None:
        """Waits for what runs, and lets the models go."""
        for place in self._places.values():
            await asyncio.to_thread(place.thread.shutdown)
            place.engine = None

    @property
    def _names(self) -> Collection[str]:
        return self._places

    async def _serve(self, call: Call, body: dict[str, Any] | None) -> Answer:
        if call.method != "POST" or call.path != "/chat/completions":
            raise ModelFault(
                "unsupported",
                "kind transformers serves chat completions, responses, messages and models, "
                f"not {call.method} /v1{call.path}",
            )
        asked = request.chat(body or {})
        if asked.n > 1:
            raise ModelFault("request", "n must be 1 for a model of kind transformers", "n")
        for name in _NOT_SERVED:
            if asked.message.get(name) is not None:
                raise ModelFault("request", f"{name} is not served by a model of kind transformers", name)
        form = Form(model=call.model or "", tools=asked.tools, usage=asked.usage)
        return await self._answer(call, asked, form)

    async def _answer(self, call: Call, asked: request.Asked, form: Form) -> Answer:
        return await self._answered(self._generated(call, asked.message), form, stream=asked.stream)

    async def _generated(self, call: Call, message: dict[str, Any]) -> Generated:
        """Closing it stops the model within a token."""
        place = self._place(call.model or "")
        loop = asyncio.get_running_loop()
        async with place.turns.turn(call.team):
            engine = await self._engine(place)
            from moosproxy.proxy.upstreams.transformers.engine import Begun
            from moosproxy.proxy.upstreams.transformers.prompt import Job

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
                    if isinstance(part, Begun):
                        if call.soft is not None:
                            call.soft.tell(part.parts, part.seconds)
                        part = None
                    yield part
            finally:
                job.stop.set()

    async def _count(self, call: Call) -> int:
        asked = request.chat(parsed(call) or {})
        place = self._place(call.model or "")
        loop = asyncio.get_running_loop()
        async with place.turns.turn(call.team):
            engine = await self._engine(place)
            return await loop.run_in_executor(place.thread, engine.count, asked.message)

    async def _engine(self, place: _Place) -> Engine:
        """Loaded in the model's thread if it is not there. Raises ModelFault."""
        if place.engine is None:
            place.engine = await asyncio.get_running_loop().run_in_executor(
                place.thread, self._loaded, place.model
            )
        return place.engine

    def _loaded(self, model: HfModel) -> Engine:
        try:
            return self._load(model)
        except ImportError as missing:
            text = f"kind transformers needs an extra: pip install 'moosproxy[soft]' ({missing.name} is missing)"
            raise ModelFault("file", text) from None

    def _load(self, model: HfModel) -> Engine:
        from moosproxy.proxy.upstreams.transformers.engine import Engine

        return Engine(model, self._state)

    def _place(self, name: str) -> _Place:
        if name not in self._places:
            raise unknown_model(self._places)
        return self._places[name]


def _next(parts: Iterator[Piece | Ending | Begun], job: Job) -> tuple[Piece | Ending | Begun | None, bool]:
    """In the model's thread: the next part, and whether there was one."""
    try:
        return next(parts), True
    except StopIteration:
        return None, False

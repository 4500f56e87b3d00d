"""What upstreams that run models on this machine have in common: faults, the list of models, the answer."""

from __future__ import annotations

import asyncio
import json
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Collection, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

import orjson

from moosproxy.policies.model import Upstream
from moosproxy.proxy.errors import Told
from moosproxy.proxy.scheduling.turns import QueueFull
from moosproxy.proxy.upstreams.base import (
    Answer,
    BodyAnswer,
    Call,
    EventAnswer,
    OwnError,
    UpstreamFault,
    json_answer,
)
from moosproxy.proxy.upstreams.local import answers as local_answers
from moosproxy.proxy.upstreams.local.answers import Ending, Form, Piece
from moosproxy.proxy.upstreams.local.faults import KINDS, ModelFault, unknown_model

Found = TypeVar("Found")
# None once the model begins, then what it writes.
Generated = AsyncGenerator[Piece | Ending | None, None]


class LocalClient(ABC):
    """An upstream whose models run here. Belongs to one event loop."""

    def __init__(self, upstream: Upstream) -> None:
        self._name = upstream.name
        self._timeouts = upstream.timeouts
        self._since = int(time.time())

    async def send(self, call: Call) -> Answer:
        """Raises UpstreamFault where the answer takes too long to begin; all else is told in OpenAI's form."""
        return await self._told(self._send(call))

    async def prompt_tokens(self, call: Call) -> int | Answer:
        """What the prompt of a chat completion takes, in the model's own tokens, or why it cannot be told."""
        return await self._told(self._count(call))

    async def _told(self, work: Coroutine[Any, Any, Found]) -> Found | BodyAnswer:
        try:
            async with asyncio.timeout(self._timeouts.first_byte_s):
                return await work
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

    @property
    @abstractmethod
    def _names(self) -> Collection[str]:
        """The models' names."""

    async def _present(self) -> Collection[str]:
        """Those that can be asked now."""
        return self._names

    @abstractmethod
    async def _serve(self, call: Call, body: dict[str, Any] | None) -> Answer:
        """Anything but the list of models. body: the JSON object that was posted. Raises ModelFault, QueueFull."""

    @abstractmethod
    async def _count(self, call: Call) -> int:
        """Tokens of a chat completion's prompt. Raises ModelFault, QueueFull."""

    async def _send(self, call: Call) -> Answer:
        if call.method == "GET" and call.path == "/models":
            listed = [self._described(name) for name in await self._present()]
            return json_answer(200, orjson.dumps({"object": "list", "data": listed}))
        if call.method == "GET" and call.path.startswith("/models/"):
            name = call.path.removeprefix("/models/")
            present = await self._present()
            if name not in present:
                raise unknown_model(present)
            return json_answer(200, orjson.dumps(self._described(name)))
        return await self._serve(call, parsed(call))

    async def _answered(self, generated: Generated, form: Form, *, stream: bool) -> Answer:
        """The answer that a model writes, whole or as it is written."""
        if not stream:
            async with aclosing(generated):
                return json_answer(200, await local_answers.whole(_begun(generated), form))
        try:
            await anext(generated)  # it is our turn, the model is loaded, and the prompt fits
        except BaseException:
            await generated.aclose()
            raise
        events = self._events(local_answers.events(_begun(generated), form))
        return EventAnswer(events, generated.aclose)

    async def _events(self, events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(events):
                async for event in events:
                    yield event
        except ModelFault as fault:
            text = f"upstream {self._name!r}: the answer broke off ({fault.message})"
            raise UpstreamFault("broken", text) from fault

    def _described(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._since, "owned_by": "moosproxy"}


def parsed(call: Call) -> dict[str, Any] | None:
    """The JSON object that was posted; None where there is none."""
    if call.method != "POST" or not call.body:
        return None
    try:
        body = orjson.loads(call.body)
    except orjson.JSONDecodeError:  # lone surrogates, very large numbers
        body = json.loads(call.body)
    return body if isinstance(body, dict) else None


async def _begun(generated: Generated) -> AsyncGenerator[Piece | Ending, None]:
    async for part in generated:
        if part is not None:
            yield part


def _refusal(fault: ModelFault) -> BodyAnswer:
    status, kind, code = KINDS[fault.kind]
    return OwnError(Told(status, fault.message, kind, fault.param, code))

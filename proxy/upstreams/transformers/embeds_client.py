"""`soft_wire: prompt_embeds`: this machine compresses, a vLLM server at `base_url` reads what has come of it.

The server applies no chat template to a completion, so the whole conversation goes out as vectors, or as tokens
where nothing of it became memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from moosproxy.policies.fields.soft import HfModel
from moosproxy.policies.model import Upstream
from moosproxy.proxy.upstreams.base import Answer, Call, UpstreamFault
from moosproxy.proxy.upstreams.crossing.chat_stream import chunks
from moosproxy.proxy.upstreams.local.answers import Ending, Form, Piece
from moosproxy.proxy.upstreams.local.client import Generated
from moosproxy.proxy.upstreams.local.request import Asked
from moosproxy.proxy.upstreams.relay import RelayClient, RelaySession
from moosproxy.proxy.upstreams.transformers.client import TransformersClient

if TYPE_CHECKING:
    from moosproxy.proxy.upstreams.transformers.embeds_engine import EmbedsEngine, Sent
    from moosproxy.proxy.upstreams.transformers.prompt import Prompt

# What the server is to know of the caller's headers is its own, and its answer is read here.
_STAY = frozenset({"accept", "accept-encoding", "anthropic-beta", "anthropic-version", "content-type"})


class PromptEmbedsClient(TransformersClient):
    """Belongs to one event loop."""

    def __init__(self, upstream: Upstream, session: RelaySession, state: Path | None = None) -> None:
        super().__init__(upstream, state)
        self._relay = RelayClient(upstream.model_copy(update={"kind": "openai"}), session)

    def _load(self, model: HfModel) -> EmbedsEngine:  # type: ignore[override]
        from moosproxy.proxy.upstreams.transformers.embeds_engine import EmbedsEngine

        return EmbedsEngine(model, self._state)

    async def _answer(self, call: Call, asked: Asked, form: Form) -> Answer:
        sent = await self._composed(call, asked.message)
        body = orjson.dumps(self._body(call.model or "", asked.message, sent))
        kept = [(name, value) for name, value in call.headers if name not in _STAY]
        headers = [*kept, ("content-type", "application/json"), ("accept-encoding", "identity")]
        answer = await self._relay.send(Call("POST", "/completions", "", headers, body, call.model, call.team))
        if answer.status >= 400:
            return answer
        return await self._answered(self._read(answer, sent.prompt), form, stream=asked.stream)

    async def _composed(self, call: Call, message: dict[str, Any]) -> Sent:
        from moosproxy.proxy.upstreams.transformers.prompt import Job

        place = self._place(call.model or "")
        job = Job(message, call.soft, call.team)
        async with place.turns.turn(call.team):
            engine: Any = await self._engine(place)
            step = asyncio.get_running_loop().run_in_executor(place.thread, engine.compose, job)
            try:
                sent: Sent | None = await asyncio.shield(step)
            except asyncio.CancelledError:
                job.stop.set()
                await asyncio.wait([step])
                raise
        assert sent is not None
        if call.soft is not None:
            call.soft.tell(sent.prompt.told, sent.prompt.compression_s)
        return sent

    def _body(self, model: str, message: dict[str, Any], sent: Sent) -> dict[str, Any]:
        wanted = message.get("max_tokens")
        return {
            **message["sampling"],
            **sent.fields,
            "model": self._places[model].model.served_as or model,
            "max_tokens": sent.room if wanted is None else min(wanted, sent.room),
            **({"stop": message["stop"]} if message["stop"] else {}),
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    async def _read(self, answer: Answer, prompt: Prompt) -> Generated:
        """Closing it closes the connection, at which the server stops."""
        try:
            yield None
            async for part in self._parts(answer, prompt):
                yield part
        finally:
            await answer.close()

    async def _parts(self, answer: Answer, prompt: Prompt) -> AsyncGenerator[Piece | Ending, None]:
        choice: dict[str, Any] = {}
        usage: dict[str, Any] = {}
        try:
            async for chunk in chunks(answer):
                usage = chunk.get("usage") or usage
                for found in chunk.get("choices") or ():
                    if found.get("text"):
                        yield Piece(found["text"])
                    choice = found if found.get("finish_reason") else choice
        except (AttributeError, TypeError):
            raise self._broken("an event of its answer is no completion") from None
        if not choice:
            raise self._broken("its answer ended without saying why")
        met = choice.get("stop_reason")
        yield Ending(
            "length" if choice["finish_reason"] == "length" else "stop",
            prompt.text + prompt.vectors,  # a server counts the markers between them, too
            int(usage.get("completion_tokens") or 0),
            timings=prompt.timings(),
            prompt_details=prompt.details(),
            stop=met if isinstance(met, str) else None,
        )

    def _broken(self, what: str) -> UpstreamFault:
        return UpstreamFault("broken", f"upstream {self._name!r}: {what}")

"""Generated text in OpenAI's forms: chat completions and completions, whole and streamed. Knows no model.

A local model yields Pieces and, last, one Ending; everything that the wire format adds is added here.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

import orjson

from moosproxy.proxy.upstreams.local.tool_calls.events import CallArguments, CallBegins, Part, Tool
from moosproxy.proxy.upstreams.local.tool_calls.reader import ToolCallReader

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text. logprobs: one entry per token in OpenAI's chat form (token, logprob, bytes, top_logprobs)."""

    text: str
    logprobs: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """How the generation ended, and what it took.

    cached_tokens: those of the prompt that the model had read already. timings: further figures, passed on as they
    are (milliseconds and counts). prompt_details: further counts of tokens of the prompt. stop: the stop string
    that was met.
    """

    reason: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    timings: dict[str, float] = field(default_factory=dict)
    prompt_details: dict[str, int] = field(default_factory=dict)
    stop: str | None = None

    def usage(self) -> dict[str, Any]:
        """OpenAI's usage object."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens, **self.prompt_details},
        }


@dataclass(frozen=True, slots=True)
class Form:
    """What the answer to one request looks like.

    chat: a chat completion, else a completion. tools: whose calls to look for in the text. logprobs: show them.
    usage: end a stream with a chunk that holds the usage.
    """

    model: str
    chat: bool = True
    tools: tuple[Tool, ...] = ()
    logprobs: bool = False
    usage: bool = False
    id: str = field(default_factory=lambda: uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    def head(self, *, chunk: bool) -> dict[str, Any]:
        """The fields that every object of the answer begins with."""
        if self.chat:
            kind, name = ("chat.completion.chunk" if chunk else "chat.completion"), f"chatcmpl-{self.id}"
        else:
            kind, name = "text_completion", f"cmpl-{self.id}"
        return {"id": name, "object": kind, "created": self.created, "model": self.model}


async def whole(generated: AsyncIterator[Piece | Ending], form: Form) -> bytes:
    """The answer as one JSON object."""
    text: list[str] = []
    calls: list[dict[str, Any]] = []
    logprobs: list[dict[str, Any]] = []
    async for part, entries in _split(generated, form):
        logprobs += entries
        match part:
            case Ending():
                return orjson.dumps(_whole(form, "".join(text), calls, logprobs, part))
            case CallBegins():
                calls.append(_begun(part))
            case CallArguments():
                calls[-1]["function"]["arguments"] += part.text
            case str():
                text.append(part)
    raise RuntimeError("the generation had no ending")


async def events(generated: AsyncIterator[Piece | Ending], form: Form) -> AsyncGenerator[bytes, None]:
    """The answer as server-sent events, the last one [DONE]. The first comes before any text."""
    head = form.head(chunk=True)
    calls = 0
    if form.chat:
        yield _event(head, _choice(form, {"role": "assistant", "content": ""}))
    async for part, entries in _split(generated, form):
        if isinstance(part, Ending):
            last = _choice(form, {} if form.chat else "", entries, _reason(part, calls))
            yield _event(head, last | _met(part), timings=part.timings)
            if form.usage:
                yield _event(head, None, usage=part.usage())
        elif isinstance(part, str):
            yield _event(head, _choice(form, {"content": part} if form.chat else part, entries))
        elif isinstance(part, CallBegins):
            yield _event(head, _choice(form, {"tool_calls": [{"index": calls, **_begun(part)}]}, entries))
            calls += 1
        elif isinstance(part, CallArguments):
            more = {"index": calls - 1, "function": {"arguments": part.text}}
            yield _event(head, _choice(form, {"tool_calls": [more]}, entries))
    yield DONE


async def _split(
    generated: AsyncIterator[Piece | Ending], form: Form
) -> AsyncIterator[tuple[Part | Ending, tuple[dict[str, Any], ...]]]:
    """Text, tool calls and the ending, each with the log probabilities that have come with it."""
    reader = ToolCallReader(form.tools) if form.tools else None
    async for part in generated:
        if isinstance(part, Ending):
            for rest in reader.finish() if reader else []:
                yield rest, ()
            yield part, ()
            return
        shown: list[Part] = reader.feed(part.text) if reader else [part.text]
        entries = part.logprobs
        for piece in shown or ([""] if entries else []):
            if piece or entries:
                yield piece, entries
            entries = ()


def _whole(
    form: Form, text: str, calls: list[dict[str, Any]], logprobs: list[dict[str, Any]], ending: Ending
) -> dict[str, Any]:
    reason = _reason(ending, len(calls))
    if form.chat:
        shown = None if calls and not text.strip() else text
        message: dict[str, Any] = {"role": "assistant", "content": shown}
        if calls:
            message["tool_calls"] = calls
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": reason}
    else:
        choice = {"index": 0, "text": text, "finish_reason": reason}
    choice |= {"logprobs": _logprobs(form, tuple(logprobs)), **_met(ending)}
    answer = {**form.head(chunk=False), "choices": [choice], "usage": ending.usage()}
    return answer | ({"timings": ending.timings} if ending.timings else {})


def _reason(ending: Ending, calls: int) -> str:
    """An answer that was cut off says so, also where a call was."""
    return "tool_calls" if calls and ending.reason == "stop" else ending.reason


def _met(ending: Ending) -> dict[str, str]:
    """Which stop string ended the text, under vLLM's name for it."""
    return {"stop_reason": ending.stop} if ending.stop is not None else {}


def _choice(
    form: Form, delta: dict[str, Any] | str, entries: tuple[dict[str, Any], ...] = (), reason: str | None = None
) -> dict[str, Any]:
    shown = {"delta": delta} if form.chat else {"text": delta}
    return {"index": 0, **shown, "finish_reason": reason, "logprobs": _logprobs(form, entries)}


def _logprobs(form: Form, entries: tuple[dict[str, Any], ...]) -> dict[str, Any] | None:
    if not form.logprobs:
        return None
    if form.chat:
        return {"content": list(entries), "refusal": None}
    return {
        "tokens": [entry["token"] for entry in entries],
        "token_logprobs": [entry["logprob"] for entry in entries],
        "top_logprobs": [{top["token"]: top["logprob"] for top in entry["top_logprobs"]} for entry in entries],
    }


def _begun(call: CallBegins) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}


def _event(head: dict[str, Any], choice: dict[str, Any] | None, **more: Any) -> bytes:
    more = {name: value for name, value in more.items() if value}
    return b"data: " + orjson.dumps({**head, "choices": [choice] if choice else [], **more}) + b"\n\n"

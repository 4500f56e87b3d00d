"""Generated text in OpenAI's forms: chat completions and completions, whole and streamed. Knows no model.

A local model yields Pieces and an Ending for each choice, one after the other; everything that the wire format
adds is added here.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

import orjson

from moosproxy.proxy.upstreams.local.tool_calls.events import CallArguments, CallBegins, CallEnds, Part, Tool
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
    that was met. schema_fault: where the answer does not fit the request's schema, None where it does.
    """

    reason: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    timings: dict[str, float] = field(default_factory=dict)
    prompt_details: dict[str, int] = field(default_factory=dict)
    stop: str | None = None
    schema_fault: str | None = None

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
    usage: end a stream with a chunk that holds the usage. prompts, n: how many there are, and choices of each.
    """

    model: str
    chat: bool = True
    tools: tuple[Tool, ...] = ()
    logprobs: bool = False
    usage: bool = False
    prompts: int = 1
    n: int = 1
    id: str = field(default_factory=lambda: uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    def head(self, *, chunk: bool) -> dict[str, Any]:
        """The fields that every object of the answer begins with."""
        if self.chat:
            kind, name = ("chat.completion.chunk" if chunk else "chat.completion"), f"chatcmpl-{self.id}"
        else:
            kind, name = "text_completion", f"cmpl-{self.id}"
        return {"id": name, "object": kind, "created": self.created, "model": self.model}


def together(endings: Sequence[Ending], n: int) -> Ending:
    """What several choices took; of n that follow each other the prompt counts once, as the first has read it."""
    firsts = endings[::n]
    timings: Counter[str] = Counter()
    details: Counter[str] = Counter()
    for ending in endings:
        timings.update(ending.timings)  # milliseconds add up as counts do
    for ending in firsts:
        details.update(ending.prompt_details)
    return Ending(
        endings[-1].reason,
        sum(ending.prompt_tokens for ending in firsts),
        sum(ending.completion_tokens for ending in endings),
        sum(ending.cached_tokens for ending in firsts),
        {name: round(value, 2) for name, value in timings.items()},
        dict(details),
    )


@dataclass(slots=True)
class _Choice:
    """What has come of one."""

    text: list[str] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    logprobs: list[dict[str, Any]] = field(default_factory=list)

    def take(self, part: Part) -> None:
        if isinstance(part, CallBegins):
            self.calls.append(_begun(part))
        elif isinstance(part, CallArguments):
            self.calls[-1]["function"]["arguments"] += part.text
        elif isinstance(part, str):
            self.text.append(part)


async def whole(generated: AsyncIterator[Piece | Ending], form: Form) -> bytes:
    """The answer as one JSON object."""
    choices: list[dict[str, Any]] = []
    endings: list[Ending] = []
    choice = _Choice()
    async for part, entries in _split(generated, form):
        choice.logprobs += entries
        if not isinstance(part, Ending):
            choice.take(part)
            continue
        endings.append(part)
        choices.append({"index": len(choices), **_whole(form, choice, part)})
        choice = _Choice()
    return orjson.dumps(_answer(form, choices, together(endings, form.n)))


def _answer(form: Form, choices: list[dict[str, Any]], ending: Ending) -> dict[str, Any]:
    answer = {**form.head(chunk=False), "choices": choices, "usage": ending.usage()}
    return answer | ({"timings": ending.timings} if ending.timings else {})


async def events(generated: AsyncIterator[Piece | Ending], form: Form) -> AsyncGenerator[bytes, None]:
    """The answer as server-sent events, the last one [DONE]. The first comes before any text."""
    head = form.head(chunk=True)
    calls = 0
    endings: list[Ending] = []
    if form.chat:
        for index in range(form.n):
            yield _event(head, _choice(form, index, {"role": "assistant", "content": ""}))
    async for part, entries in _split(generated, form):
        if isinstance(part, Ending):
            last = _choice(form, len(endings), {} if form.chat else "", entries, _reason(part, calls))
            yield _event(head, last | _met(part) | _fault(part), timings=part.timings)
            endings.append(part)
            calls = 0
            continue
        if isinstance(part, CallEnds):
            continue
        calls += isinstance(part, CallBegins)
        yield _event(head, _choice(form, len(endings), _delta(form, part, calls - 1), entries))
    if form.usage:
        yield _event(head, None, usage=together(endings, form.n).usage())
    yield DONE


def _delta(form: Form, part: str | CallBegins | CallArguments, call: int) -> dict[str, Any] | str:
    """call: index of the one that has begun last."""
    if isinstance(part, CallBegins):
        return {"tool_calls": [{"index": call, **_begun(part)}]}
    if isinstance(part, CallArguments):
        return {"tool_calls": [{"index": call, "function": {"arguments": part.text}}]}
    return {"content": part} if form.chat else part


async def _split(
    generated: AsyncIterator[Piece | Ending], form: Form
) -> AsyncIterator[tuple[Part | Ending, tuple[dict[str, Any], ...]]]:
    """Text, tool calls and endings, each with the log probabilities that have come with it."""
    reader = ToolCallReader(form.tools) if form.tools else None
    left = form.prompts * form.n
    async for part in generated:
        if isinstance(part, Ending):
            for rest in reader.finish() if reader else []:
                yield rest, ()
            yield part, ()
            left -= 1
            if not left:
                return
            reader = ToolCallReader(form.tools) if form.tools else None
            continue
        shown: list[Part] = reader.feed(part.text) if reader else [part.text]
        entries = part.logprobs
        for piece in shown or ([""] if entries else []):
            if piece or entries:
                yield piece, entries
            entries = ()
    raise RuntimeError("the generation had no ending")


def _whole(form: Form, choice: _Choice, ending: Ending) -> dict[str, Any]:
    text = "".join(choice.text)
    out: dict[str, Any] = {"finish_reason": _reason(ending, len(choice.calls))}
    if form.chat:
        shown = None if choice.calls and not text.strip() else text
        out["message"] = {"role": "assistant", "content": shown}
        if choice.calls:
            out["message"]["tool_calls"] = choice.calls
    else:
        out["text"] = text
    return {**out, "logprobs": _logprobs(form, tuple(choice.logprobs)), **_met(ending), **_fault(ending)}


def _reason(ending: Ending, calls: int) -> str:
    """An answer that was cut off says so, also where a call was."""
    return "tool_calls" if calls and ending.reason == "stop" else ending.reason


def _met(ending: Ending) -> dict[str, str]:
    """Which stop string ended the text, under vLLM's name for it."""
    return {"stop_reason": ending.stop} if ending.stop is not None else {}


def _fault(ending: Ending) -> dict[str, str]:
    return {"schema_fault": ending.schema_fault} if ending.schema_fault else {}


def _choice(
    form: Form,
    index: int,
    delta: dict[str, Any] | str,
    entries: tuple[dict[str, Any], ...] = (),
    reason: str | None = None,
) -> dict[str, Any]:
    shown = {"delta": delta} if form.chat else {"text": delta}
    return {"index": index, **shown, "finish_reason": reason, "logprobs": _logprobs(form, entries)}


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

"""A chat completion as a response: its events in the published order, and the whole of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from moosproxy.proxy.doors.base import Body
from moosproxy.proxy.upstreams.crossing.parts import (
    Begins,
    CallArguments,
    CallBegins,
    Counted,
    Ends,
    Part,
    Text,
)
from moosproxy.proxy.upstreams.crossing.responses_request import namespaces

Event = dict[str, Any]
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_REPEATED = ("instructions", "max_output_tokens", "metadata", "reasoning", "temperature", "text", "top_p", "user")


def _id(kind: str) -> str:
    return f"{kind}_{uuid4().hex}"


class ResponseWriter:
    """Takes the parts of one answer in their order."""

    def __init__(self, body: Body) -> None:
        """body: of the request, some fields of which the response repeats."""
        self._number = 0
        self._open: dict[str, Any] | None = None
        self._response: dict[str, Any] = {
            **{name: body.get(name) for name in _REPEATED},
            "id": _id("resp"), "object": "response", "created_at": int(time.time()), "status": "in_progress",
            "background": False, "error": None, "incomplete_details": None, "metadata": body.get("metadata") or {},
            "model": body.get("model") or "", "output": [], "previous_response_id": None,
            "parallel_tool_calls": body.get("parallel_tool_calls") is not False, "store": False,
            "text": body.get("text") or {"format": {"type": "text"}},
            "tool_choice": body.get("tool_choice") or "auto", "tools": body.get("tools") or [],
            "truncation": "disabled", "usage": None,
        }  # fmt: skip
        self._reason = "stop"
        self._spaces = namespaces(body)

    def whole(self) -> dict[str, Any]:
        """The response as far as it has come."""
        return {**self._response, "output": list(self._response["output"])}

    def feed(self, part: Part) -> Iterator[Event]:
        """What clients are told of a part."""
        match part:
            case Begins():
                self._response["model"] = part.model or self._response["model"]
                yield self._event("response.created", response=self.whole())
                yield self._event("response.in_progress", response=self.whole())
            case Text():
                yield from self._said(part)
            case CallBegins():
                yield from self._close()
                yield from self._begin(self._called(part))
            case CallArguments():
                yield from self._argued(part.text)
            case Ends():
                self._reason = part.reason
            case Counted():
                self._response["usage"] = _usage(part)

    def end(self) -> Iterator[Event]:
        """The last events, and the response with its status."""
        why = _INCOMPLETE.get(self._reason)
        status = "incomplete" if why else "completed"
        yield from self._close(status)
        self._response["status"] = status
        self._response["incomplete_details"] = {"reason": why} if why else None
        if not why:
            self._response["completed_at"] = int(time.time())
        yield self._event(f"response.{status}", response=self.whole())

    def fail(self, message: str) -> Iterator[Event]:
        """The answer broke off."""
        self._response["status"] = "failed"
        self._response["error"] = {"code": "server_error", "message": message}
        yield self._event("response.failed", response=self.whole())

    def _called(self, call: CallBegins) -> dict[str, Any]:
        item = {"id": _id("fc"), "type": "function_call", "status": "in_progress", "arguments": ""}
        if call.name not in self._spaces:
            return {**item, "call_id": call.id, "name": call.name}
        space, name = self._spaces[call.name]
        return {**item, "call_id": call.id, "namespace": space, "name": name}

    def _event(self, kind: str, **fields: Any) -> Event:
        self._number += 1
        return {"type": kind, "sequence_number": self._number - 1, **fields}

    def _begin(self, item: dict[str, Any]) -> Iterator[Event]:
        self._open = item
        index = len(self._response["output"])
        yield self._event("response.output_item.added", output_index=index, item=dict(item))

    def _within(self, **fields: Any) -> dict[str, Any]:
        """Where the open item stands."""
        assert self._open is not None
        return {"item_id": self._open["id"], "output_index": len(self._response["output"]), **fields}

    def _said(self, part: Text) -> Iterator[Event]:
        kind = "refusal" if part.refusal else "output_text"
        if self._open is None or self._open["type"] != "message":
            yield from self._close()
            item = {"id": _id("msg"), "type": "message", "role": "assistant", "status": "in_progress"}
            yield from self._begin({**item, "content": []})
        assert self._open is not None
        content = self._open["content"]
        if not content or content[-1]["type"] != kind:
            yield from self._close_part()
            content.append(_part(kind))
            place = self._within(content_index=len(content) - 1)
            yield self._event("response.content_part.added", **place, part=_part(kind))
        content[-1]["refusal" if part.refusal else "text"] += part.text
        place = self._within(content_index=len(content) - 1, delta=part.text)
        yield self._event(f"response.{kind}.delta", **place, **({} if part.refusal else {"logprobs": []}))

    def _argued(self, text: str) -> Iterator[Event]:
        if self._open is not None and self._open["type"] == "function_call":
            self._open["arguments"] += text
            yield self._event("response.function_call_arguments.delta", **self._within(delta=text))

    def _close_part(self) -> Iterator[Event]:
        if self._open is None or not self._open.get("content"):
            return
        part = self._open["content"][-1]
        place = self._within(content_index=len(self._open["content"]) - 1)
        if part["type"] == "refusal":
            yield self._event("response.refusal.done", **place, refusal=part["refusal"])
        else:
            yield self._event("response.output_text.done", **place, text=part["text"], logprobs=[])
        yield self._event("response.content_part.done", **place, part=dict(part))

    def _close(self, status: str = "completed") -> Iterator[Event]:
        """Ends the open item, if there is one. status: the last of an answer that was cut off is incomplete."""
        if self._open is None:
            return
        if self._open["type"] == "function_call":
            # Clients parse the arguments, and an empty text is no JSON.
            self._open["arguments"] = self._open["arguments"] or "{}"
            done = self._within(arguments=self._open["arguments"], name=self._open["name"])
            yield self._event("response.function_call_arguments.done", **done)
        else:
            yield from self._close_part()
        self._open["status"] = status
        index = len(self._response["output"])
        yield self._event("response.output_item.done", output_index=index, item=self._open)
        self._response["output"].append(self._open)
        self._open = None


def _part(kind: str) -> dict[str, Any]:
    if kind == "refusal":
        return {"type": kind, "refusal": ""}
    return {"type": kind, "text": "", "annotations": [], "logprobs": []}


def _usage(counted: Counted) -> dict[str, Any]:
    return {
        "input_tokens": counted.prompt,
        "input_tokens_details": {"cached_tokens": counted.cached, "cache_write_tokens": 0},
        "output_tokens": counted.completion,
        "output_tokens_details": {"reasoning_tokens": counted.reasoning},
        "total_tokens": counted.prompt + counted.completion,
    }

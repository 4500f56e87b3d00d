"""Finds tool calls in generated text as Qwen models write them: `<tool_call>{"name", "arguments"}</tool_call>`."""

from __future__ import annotations

import json
from typing import NamedTuple
from uuid import uuid4

from moosproxy.proxy.upstreams.local.stop_text import StopText

OPEN, CLOSE = "<tool_call>", "</tool_call>"


class ToolCall(NamedTuple):
    """A call that the model asks for. arguments: JSON, as OpenAI passes it on."""

    id: str
    name: str
    arguments: str


class ToolCallReader:
    """Splits text into plain pieces and calls, as it comes. What looks like a call and is none stays text."""

    def __init__(self) -> None:
        self._before: StopText = StopText([OPEN])
        self._inside: str | None = None
        self._called = False

    def feed(self, text: str) -> list[str | ToolCall]:
        """What is certain so far, in order."""
        out: list[str | ToolCall] = []
        while text:
            if self._inside is None:
                text = self._outside(text, out)
                continue
            self._inside += text
            body, found, text = self._inside.partition(CLOSE)
            if not found:
                return out
            self._inside = None
            self._take(body, out)
        return out

    def finish(self) -> list[str | ToolCall]:
        """The rest, once no more text comes."""
        out: list[str | ToolCall] = []
        self._show(self._before.rest(), out)
        if self._inside is not None:
            call = _parse(self._inside)  # the model ended after the call, without closing it
            out.append(call or OPEN + self._inside)
            self._inside = None
        return out

    def _outside(self, text: str, out: list[str | ToolCall]) -> str:
        """Takes text up to the next opening tag; returns what follows the tag."""
        held = self._before.rest()
        whole = held + text
        before, found = self._before.feed(whole)
        self._show(before, out)
        if not found:
            return ""
        self._inside = ""
        return whole[len(before) + len(OPEN) :]

    def _take(self, body: str, out: list[str | ToolCall]) -> None:
        call = _parse(body)
        self._called = self._called or call is not None
        out.append(call or OPEN + body + CLOSE)

    def _show(self, text: str, out: list[str | ToolCall]) -> None:
        if self._called:
            text = text.lstrip()  # the line breaks between calls
        if text:
            out.append(text)


def _parse(body: str) -> ToolCall | None:
    try:
        call = json.loads(body, strict=False)
    except ValueError:
        return None
    name = call.get("name") if isinstance(call, dict) else None
    if not isinstance(name, str):
        return None
    arguments = call.get("arguments", {})
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return ToolCall(f"call_{uuid4().hex[:24]}", name, text)

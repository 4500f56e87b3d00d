"""Messages of a chat completion, built in the order in which the other doors say things."""

from __future__ import annotations

from typing import Any

from moosproxy.proxy.upstreams.crossing.fields import wrong


class Conversation:
    """What one side says in a row becomes one message where chat completions want it so."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self._asked: set[str] = set()

    def say(self, role: str, text: str) -> None:
        """role: system, user or assistant. Templates of open models want one system message, at the beginning."""
        last = self.messages[-1] if self.messages else None
        if last is None or last["role"] != role or role == "user":
            self.messages.append({"role": role, "content": text})
        else:
            last["content"] = f"{last['content']}\n\n{text}" if last["content"] else text

    def call(self, call_id: str, name: str, arguments: str) -> None:
        """The assistant calls a tool. arguments: as JSON."""
        if not self.messages or self.messages[-1]["role"] != "assistant":
            self.messages.append({"role": "assistant", "content": None})
        made = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        self.messages[-1].setdefault("tool_calls", []).append(made)
        self._asked.add(call_id)

    def result(self, call_id: str, text: str, place: str) -> None:
        """What a tool answered. place: of the field with the call's id. Raises BadRequest where nobody called."""
        if call_id not in self._asked:
            raise wrong(place, "names no tool call before it")
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": text})

"""Tools for a model whose template has no place for them, told as Hermes models are told. In the child."""

from __future__ import annotations

import json
from typing import Any

Message = dict[str, Any]

_BEFORE = (
    "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
)
_AFTER = (
    "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
    '<tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n'
    "</tool_call>"
)


def described(messages: list[Message], tools: list[Message] | None) -> list[Message]:
    """The messages with the tools in the system's, and with calls and results in the texts of others."""
    out: list[Message] = []
    for message in messages:
        if message.get("role") == "tool":
            _answered(message, out)
        elif message.get("tool_calls"):
            out.append({"role": message.get("role"), "content": _called(message)})
        else:
            out.append(message)
    return _introduced(out, tools) if tools else out


def _introduced(messages: list[Message], tools: list[Message]) -> list[Message]:
    lines = "".join("\n" + json.dumps(tool, ensure_ascii=False) for tool in tools)
    told = _BEFORE + lines + _AFTER
    if messages and messages[0].get("role") == "system":
        return [{**messages[0], "content": f"{messages[0]['content']}\n\n{told}"}, *messages[1:]]
    return [{"role": "system", "content": told}, *messages]


def _called(message: Message) -> str:
    calls = []
    for call in message["tool_calls"]:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            told = {"name": function.get("name"), "arguments": function.get("arguments")}
            calls.append(f"<tool_call>\n{json.dumps(told, ensure_ascii=False)}\n</tool_call>")
    return "\n".join(filter(None, [message["content"], *calls]))


def _answered(message: Message, out: list[Message]) -> None:
    """Results that follow each other are one message: many templates want the roles to take turns."""
    text = f"<tool_response>\n{message['content']}\n</tool_response>"
    if out and out[-1].get("role") == "user" and out[-1]["content"].endswith("</tool_response>"):
        out[-1] = {**out[-1], "content": f"{out[-1]['content']}\n{text}"}
    else:
        out.append({"role": "user", "content": text})

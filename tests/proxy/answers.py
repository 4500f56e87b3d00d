"""Answers of an OpenAI-compatible and of an Anthropic server, as they go over the wire."""

from __future__ import annotations

import json
from typing import Any

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 5,
    "total_tokens": 16,
    "prompt_tokens_details": {"cached_tokens": 4},
}
_TOOL_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city":"Ulm"}'},
}


def completion(content: str | None = "Hello 🍀", *, tool: bool = False) -> bytes:
    """A chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    if tool:
        message |= {"content": None, "tool_calls": [_TOOL_CALL]}
    finish = "tool_calls" if tool else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m"}
    return json.dumps({**head, "choices": [choice], "usage": USAGE}).encode()


def chunks(*, tool: bool = False) -> list[bytes]:
    """The events of a streamed chat completion, with usage and [DONE]."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, {"content": "Hello "}, {"content": "🍀"}]
    if tool:
        first = {"index": 0, **_TOOL_CALL, "function": {"name": "get_weather", "arguments": ""}}
        rest = [{"index": 0, "function": {"arguments": part}} for part in ('{"city"', ':"Ulm"}')]
        deltas = [{"role": "assistant", "tool_calls": [first]}, *({"tool_calls": [part]} for part in rest)]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    events: list[dict[str, Any]] = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    events.append(
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls" if tool else "stop"}]}
    )
    events.append({**head, "choices": [], "usage": USAGE})
    return [*(f"data: {json.dumps(event)}\n\n".encode() for event in events), b"data: [DONE]\n\n"]


def anthropic_message(*, tool: bool = False) -> bytes:
    """An answer of Anthropic's messages API."""
    block: dict[str, Any] = {"type": "text", "text": "Hello 🍀"}
    if tool:
        block = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Ulm"}}
    return json.dumps(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": [block],
            "stop_reason": "tool_use" if tool else "end_turn",
            "usage": {"input_tokens": 7, "output_tokens": 5, "cache_read_input_tokens": 4},
        }
    ).encode()


def anthropic_bare_tool(stop: str = "tool_use") -> tuple[bytes, list[bytes]]:
    """A call of a tool without arguments and one with some, whole and as a stream."""
    names = {"bare": {}, "full": {"city": "Ulm"}}
    blocks = [
        {"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": put} for name, put in names.items()
    ]
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude"}
    usage = {"input_tokens": 7, "output_tokens": 5}
    whole = json.dumps({**head, "content": blocks, "stop_reason": stop, "usage": usage}).encode()
    events: list[dict[str, Any]] = [{"type": "message_start", "message": {**head, "content": [], "usage": usage}}]
    for index, block in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": {**block, "input": {}}})
        for part in ["", *(['{"city"', ': "Ulm"}'] if block["input"] else [])]:
            delta = {"type": "input_json_delta", "partial_json": part}
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 5}})
    events.append({"type": "message_stop"})
    return whole, [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]


def anthropic_events() -> list[bytes]:
    """The same as a stream."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "claude"}
    usage = {"input_tokens": 7, "output_tokens": 1, "cache_read_input_tokens": 4}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "stop_reason": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello "}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "🍀"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ]
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]

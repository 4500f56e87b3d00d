"""A provider that speaks the wire form of responses and of messages, streamed events in the published order."""

from __future__ import annotations

import json
from typing import Any

from tests.proxy.answers import anthropic_events, anthropic_message
from tests.proxy.live import Exchange

USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 16,
}
NAME = "get_weather"
ARGUMENTS = '{"city":"Ulm"}'
CALL = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": NAME, "status": "completed"}


def response(output: list[dict[str, Any]], status: str = "completed") -> dict[str, Any]:
    """A response object."""
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "status": status, "error": None,
        "incomplete_details": None, "instructions": None, "metadata": {}, "model": "m", "output": output,
        "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "usage": USAGE if status == "completed" else None,
    }  # fmt: skip


def message(text: str) -> dict[str, Any]:
    """An item in which the model says something."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def call() -> dict[str, Any]:
    """An item in which the model calls a tool."""
    return {**CALL, "arguments": ARGUMENTS}


def response_events(item: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a stream whose output is one item."""
    begun = response([], "in_progress")
    place = {"item_id": item["id"], "output_index": 0}
    within = {**place, "content_index": 0}
    if item["type"] == "message":
        empty = {**item, "status": "in_progress", "content": []}
        (part,) = item["content"]
        text: str = part["text"]
        inner: list[dict[str, Any]] = [
            {"type": "response.content_part.added", **within, "part": {**part, "text": ""}},
            *({"type": "response.output_text.delta", **within, "delta": text[at : at + 6], "logprobs": []}
              for at in range(0, len(text), 6)),
            {"type": "response.output_text.done", **within, "text": text, "logprobs": []},
            {"type": "response.content_part.done", **within, "part": part},
        ]  # fmt: skip
    else:
        empty = {**item, "status": "in_progress", "arguments": ""}
        inner = [
            *({"type": "response.function_call_arguments.delta", **place, "delta": part}
              for part in (ARGUMENTS[:7], ARGUMENTS[7:])),
            {"type": "response.function_call_arguments.done", **place, "arguments": ARGUMENTS, "name": NAME},
        ]  # fmt: skip
    events = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": empty},
        *inner,
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response([item])},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def wire(event: dict[str, Any]) -> bytes:
    """An event as it is sent."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def words_in(value: Any) -> int:
    """Words of every string of a body: what this provider calls tokens."""
    if isinstance(value, str):
        return len(value.split())
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(map(words_in, inner))


async def responses(exchange: Exchange) -> None:
    """Answers a request to any path of responses: with a call as long as there are tools and no output of one."""
    request, path = exchange.request, exchange.request.target.partition("/v1/responses")[2]
    if request.method == "DELETE":
        await exchange.reply(200, b'{"id":"resp_1","object":"response.deleted","deleted":true}')
        return
    if request.method == "GET":
        await exchange.reply(200, json.dumps(response([message("Hello 🍀")])).encode())
        return
    body = json.loads(request.body)
    if path == "/input_tokens":
        counted = {
            "object": "response.input_tokens",
            "input_tokens": words_in([body.get("input"), body.get("instructions")]),
        }
        await exchange.reply(200, json.dumps(counted).encode())
        return
    if path == "/compact":
        kept = {"id": "cmp_1", "type": "compaction", "encrypted_content": "gAAA"}
        compacted = {
            "id": "resp_2",
            "object": "response.compaction",
            "created_at": 1,
            "output": [kept],
            "usage": USAGE,
        }
        await exchange.reply(200, json.dumps(compacted).encode())
        return
    given = body.get("input") if isinstance(body.get("input"), list) else []
    answered = any(item.get("type") == "function_call_output" for item in given)
    text = '{"city":"Ulm","degrees":21}' if "text" in body else "Hello 🍀"
    item = call() if body.get("tools") and not answered else message(text)
    if body.get("stream"):
        await exchange.stream(*map(wire, response_events(item)))
    else:
        await exchange.reply(200, json.dumps(response([item])).encode(), ("x-request-id", "req-upstream"))


async def messages(exchange: Exchange) -> None:
    """Answers a request to any path of messages, in the same way."""
    body = json.loads(exchange.request.body)
    if exchange.request.target.partition("?")[0].endswith("/count_tokens"):
        counted = {"input_tokens": words_in([body["messages"], body.get("system")])}
        await exchange.reply(200, json.dumps(counted).encode())
        return
    blocks = [
        block for entry in body["messages"] if isinstance(entry["content"], list) for block in entry["content"]
    ]
    answered = any(block.get("type") == "tool_result" for block in blocks)
    if body.get("stream"):
        await exchange.stream(*anthropic_events())
    else:
        await exchange.reply(200, anthropic_message(tool=bool(body.get("tools")) and not answered))

"""What the providers publish about order and shape of their events, as checks; shapes are their clients' types."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from anthropic.types import Message, RawMessageStreamEvent
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

_RESPONSE_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
_MESSAGE_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
_ENDS = ("response.completed", "response.incomplete", "response.failed")


def check_response(body: dict[str, Any]) -> Response:
    """Raises where it is no response."""
    found = Response.model_validate(body, strict=False)
    assert (found.object, found.id[:5]) == ("response", "resp_")
    return found


def check_response_events(events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Checks each event and their order; gives the final response, which is what the events told."""
    told = list(events)
    for event in told:
        assert _RESPONSE_EVENT.validate_python(event).type == event["type"]
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    assert [event["type"] for event in told[:2]] == ["response.created", "response.in_progress"]
    assert [event["type"] in _ENDS for event in told] == [False] * (len(told) - 1) + [True]
    items: list[dict[str, Any]] = []
    for event in told[2:-1]:
        _take(event, items)
    final: dict[str, Any] = told[-1]["response"]
    check_response(final)
    if final["status"] != "failed":
        assert final["output"] == items
        assert all(item["status"] == "completed" for item in items[:-1])
        assert [final["status"]] * bool(items) == [item["status"] for item in items[-1:]]
    return final


def _take(event: dict[str, Any], items: list[dict[str, Any]]) -> None:
    kind, place = event["type"].removeprefix("response."), event["output_index"]
    if kind == "output_item.added":
        assert place == len(items)
        assert event["item"]["status"] == "in_progress"
        items.append({**event["item"], **({"content": []} if event["item"]["type"] == "message" else {})})
        return
    assert place == len(items) - 1
    item = items[-1]
    if kind == "output_item.done":
        assert {**item, "status": event["item"]["status"]} == event["item"]
        item["status"] = event["item"]["status"]
        return
    assert event["item_id"] == item["id"]
    match kind:
        case "content_part.added":
            item["content"].append(dict(event["part"]))
        case "output_text.delta":
            item["content"][event["content_index"]]["text"] += event["delta"]
        case "refusal.delta":
            item["content"][event["content_index"]]["refusal"] += event["delta"]
        case "output_text.done":
            assert item["content"][event["content_index"]]["text"] == event["text"]
        case "refusal.done":
            assert item["content"][event["content_index"]]["refusal"] == event["refusal"]
        case "content_part.done":
            assert item["content"][event["content_index"]] == event["part"]
        case "function_call_arguments.delta":
            item["arguments"] += event["delta"]
        case "function_call_arguments.done":
            assert item["arguments"] in (event["arguments"], "")
            item["arguments"] = event["arguments"]
            assert event["name"] == item["name"]
        case _:
            raise AssertionError(f"{kind} is not expected here")


def check_message(body: dict[str, Any]) -> Message:
    """Raises where it is no message."""
    found = Message.model_validate(body, strict=False)
    assert (found.role, found.id[:4]) == ("assistant", "msg_")
    return found


def check_message_events(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Checks each event and their order; gives the blocks, a call's input as its JSON under `json`."""
    told = list(events)
    for event in told:
        if event["type"] != "ping":
            assert _MESSAGE_EVENT.validate_python(event).type == event["type"]
    kinds = [event["type"] for event in told]
    assert kinds[0] == "message_start"
    assert told[0]["message"]["content"] == []
    assert kinds[-2:] == ["message_delta", "message_stop"]
    blocks: list[dict[str, Any]] = []
    is_open = False
    for event in told[1:-2]:
        if event["type"] == "ping":
            continue
        if event["type"] == "content_block_start":
            assert (is_open, event["index"]) == (False, len(blocks))
            blocks.append({**event["content_block"], "json": ""})
        assert event["index"] == len(blocks) - 1
        if event["type"] == "content_block_delta":
            assert is_open
            delta = event["delta"]
            blocks[-1]["text" if delta["type"] == "text_delta" else "json"] += delta.get(
                "text", delta.get("partial_json")
            )
        is_open = event["type"] != "content_block_stop"
    assert not is_open
    return blocks


def events_of(body: bytes) -> list[dict[str, Any]]:
    """The events of a stream, each of which must say its name in both places."""
    out = []
    for block in body.decode().split("\n\n")[:-1]:
        name, _, data = block.partition("\n")
        out.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {out[-1]['type']}"
    return out

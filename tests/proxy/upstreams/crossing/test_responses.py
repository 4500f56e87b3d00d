"""Responses as chat completions and back: pure functions, no server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from moosproxy.proxy.errors import BadRequest
from moosproxy.proxy.upstreams.crossing.parts import (
    Begins,
    CallArguments,
    CallBegins,
    Counted,
    Ends,
    Part,
    Text,
)
from moosproxy.proxy.upstreams.crossing.responses_answer import ResponseWriter
from moosproxy.proxy.upstreams.crossing.responses_request import chat_body
from tests.proxy.upstreams.crossing.conftest import TOOL
from tests.proxy.upstreams.crossing.published import check_response_events


def written(parts: Iterable[Part], **body: Any) -> tuple[list[str], dict[str, Any]]:
    """The events' names and the final response, both checked."""
    writer = ResponseWriter({"model": "m", "input": "?", **body})
    events = [event for part in parts for event in writer.feed(part)]
    events += writer.end()
    # What an event holds must not change after it was told: copies are what goes over the wire.
    final = check_response_events(events)
    assert final == writer.whole()
    return [event["type"].removeprefix("response.") for event in events], final


def test_everything_that_chat_has_goes_there() -> None:
    schema = {"type": "object", "properties": {}}
    body = {
        "model": "m", "instructions": "Be brief.", "max_output_tokens": 9, "temperature": 0.5, "top_p": 0.9,
        "seed": 1,
        "parallel_tool_calls": False, "tools": [TOOL], "tool_choice": {"type": "function", "name": "get_weather"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True},
        "verbosity": "low"},
        "reasoning": {"effort": "low", "summary": "auto"}, "stream": True, "user": "u", "store": False,
        "metadata": {"a": "b"}, "include": ["reasoning.encrypted_content"], "truncation": "disabled",
        "previous_response_id": None, "prompt_cache_key": "k",
        "input": [
            {"role": "developer", "content": "And kind."},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "one"}, {"type": "input_text", "text": "two"},
            ]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": [
                {"type": "output_text", "text": "I look.", "annotations": []}, {"type": "refusal",
                "refusal": "No."},
            ]},
            {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": '{"city":"Ulm"}'},
            {"type": "function_call", "call_id": "c2", "name": "get_weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "rain"}]},
            {"type": "function_call_output", "call_id": "c1", "output": "sun"},
        ],
    }  # fmt: skip

    def called(call_id: str, arguments: str) -> dict[str, Any]:
        return {"id": call_id, "type": "function", "function": {"name": "get_weather", "arguments": arguments}}

    assert chat_body(body) == {
        "model": "m", "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "seed": 1, "parallel_tool_calls": False,
        "tools": [{"type": "function", "function": {
            "name": "get_weather", "description": "The weather", "strict": False, "parameters": TOOL["parameters"],
        }}],
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}},
        "verbosity": "low", "reasoning_effort": "low", "user": "u",
        "stream": True, "stream_options": {"include_usage": True},
        "messages": [
            {"role": "system", "content": "Be brief.\n\nAnd kind."},
            {"role": "user", "content": "one\ntwo"},
            {"role": "assistant", "content": "I look.\nNo.", "tool_calls": [
                called("c1", '{"city":"Ulm"}'), called("c2", "{}"),
            ]},
            {"role": "tool", "tool_call_id": "c2", "content": "rain"},
            {"role": "tool", "tool_call_id": "c1", "content": "sun"},
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"store": True}, "store"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": {"id": "c"}}, "conversation"),
        ({"background": True}, "background"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"truncation": "auto"}, "truncation"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"nonsense": 1}, "nonsense"),
        ({"tools": [TOOL, {"type": "web_search"}]}, "tools[1].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": 3}, "tools"),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format"),
        ({"text": "x"}, "text"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": True}, "max_output_tokens"),
        ({"instructions": 1}, "instructions"),
        ({"input": None}, "input"),
        ({"input": 5}, "input"),
        ({"input": ["x"]}, "input[0]"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": 5}]}, "input[0].content"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
        ({"input": [{"type": "message", "role": "user", "content": [{"type": "input_image"}]}]},
         "input[0].content[0].type"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "n", "arguments": {}}]},
         "input[0].arguments"),
    ],
)  # fmt: skip
def test_what_cannot_be_mapped_is_named(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(BadRequest) as caught:
        chat_body({"model": "m", "input": "x", **fields})

    assert caught.value.param == named
    assert named in caught.value.message


def test_a_text_is_told_in_the_published_order() -> None:
    parts = [Begins("real"), Text("Hel"), Text("lo"), Ends("stop"), Counted(11, 5, 4, 1)]
    kinds, final = written(parts, instructions="i", temperature=0.5, metadata={"a": "b"})

    assert kinds == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta",
        "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert final["model"] == "real"
    assert (final["instructions"], final["temperature"], final["metadata"]) == ("i", 0.5, {"a": "b"})
    assert final["usage"]["input_tokens_details"]["cached_tokens"] == 4
    assert final["usage"]["total_tokens"] == 16


def test_a_text_before_two_calls_is_an_item_of_its_own() -> None:
    parts = [
        Begins(""), Text("I look."), CallBegins("c1", "a"), CallArguments("{"), CallArguments("}"),
        CallBegins("c2", "b"), Ends("tool_calls"),
    ]  # fmt: skip
    kinds, final = written(parts)

    assert [item["type"] for item in final["output"]] == ["message", "function_call", "function_call"]
    assert [item.get("arguments") for item in final["output"]] == [None, "{}", "{}"]
    assert [item.get("call_id") for item in final["output"]] == [None, "c1", "c2"]
    assert kinds.count("function_call_arguments.delta") == 2
    assert kinds.count("function_call_arguments.done") == 2
    assert final["model"] == "m"


@pytest.mark.parametrize(
    ("reason", "why"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_an_answer_that_was_cut_off_is_incomplete(reason: str, why: str) -> None:
    kinds, final = written([Begins("m"), Text("Hel"), Ends(reason)])

    assert kinds[-1] == "incomplete"
    assert final["incomplete_details"] == {"reason": why}
    assert final["output"][0]["status"] == "incomplete"


def test_a_refusal_is_a_part_of_its_own_kind() -> None:
    kinds, final = written([Begins("m"), Text("Well. "), Text("No.", refusal=True), Ends("stop")])

    assert [part["type"] for part in final["output"][0]["content"]] == ["output_text", "refusal"]
    assert "refusal.delta" in kinds


def test_an_empty_answer_has_no_items() -> None:
    kinds, final = written([Begins("m"), Ends("stop")])

    assert kinds == ["created", "in_progress", "completed"]
    assert final["output"] == []


def test_a_failure_ends_the_events() -> None:
    writer = ResponseWriter({"model": "m"})
    events = [event for part in (Begins("m"), Text("Hel")) for event in writer.feed(part)]
    final = check_response_events([*events, *writer.fail("it broke off")])

    assert (final["status"], final["error"]) == ("failed", {"code": "server_error", "message": "it broke off"})


def test_a_namespace_is_a_part_of_its_functions_names() -> None:
    space: Any = {"type": "namespace", "name": "team", "description": "Helpers", "tools": [TOOL]}
    called = {
        "type": "function_call",
        "call_id": "c",
        "namespace": "team",
        "name": "get_weather",
        "arguments": "{}",
    }
    there = chat_body({"model": "m", "tools": [space, TOOL], "input": [called]})
    parts = [
        Begins("m"),
        CallBegins("c1", "team__get_weather"),
        CallBegins("c2", "get_weather"),
        Ends("tool_calls"),
    ]
    _, final = written(parts, tools=[space, TOOL])

    assert [tool["function"]["name"] for tool in there["tools"]] == ["team__get_weather", "get_weather"]
    assert there["messages"][0]["tool_calls"][0]["function"]["name"] == "team__get_weather"
    assert [(item.get("namespace"), item["name"]) for item in final["output"]] == [
        ("team", "get_weather"), (None, "get_weather"),
    ]  # fmt: skip
    with pytest.raises(BadRequest) as caught:
        chat_body({"model": "m", "input": "x", "tools": [{**space, "tools": [{"type": "custom", "name": "x"}]}]})
    assert caught.value.param == "tools[0].tools[0].type"

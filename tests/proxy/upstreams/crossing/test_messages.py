"""Messages as chat completions and back: pure functions, no server."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from moosproxy.proxy.errors import BadRequest
from moosproxy.proxy.upstreams.base import UpstreamFault
from moosproxy.proxy.upstreams.crossing.messages_answer import MessageWriter
from moosproxy.proxy.upstreams.crossing.messages_request import chat_body, prompt_body
from moosproxy.proxy.upstreams.crossing.parts import (
    Begins,
    CallArguments,
    CallBegins,
    Counted,
    Ends,
    Part,
    Text,
)
from tests.proxy.upstreams.crossing.conftest import CLAUDE_TOOL, PARAMETERS
from tests.proxy.upstreams.crossing.published import check_message, check_message_events

HELLO = [{"role": "user", "content": "Hello."}]
MARK = {"type": "ephemeral"}


def written(*parts: Part) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The streamed blocks and the whole message, both checked, and the same in both."""
    writer = MessageWriter({"model": "m", "messages": HELLO})
    events = [json.loads(json.dumps(event)) for part in parts for event in writer.feed(part)]
    events += [json.loads(json.dumps(event)) for event in writer.end()]
    blocks, whole = check_message_events(events), writer.whole()
    check_message(whole)
    assert [block["type"] for block in blocks] == [block["type"] for block in whole["content"]]
    assert [block.get("text") for block in blocks] == [block.get("text") for block in whole["content"]]
    assert events[-2]["delta"] == {name: whole[name] for name in ("stop_reason", "stop_sequence")}
    assert events[-2]["usage"] == whole["usage"]
    return blocks, whole


def test_everything_that_chat_has_goes_there() -> None:
    body = {
        "model": "m", "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "top_k": 3, "stream": True,
        "stop_sequences": ["END"], "metadata": {"user_id": "u"},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "system": [
            {"type": "text", "text": "Be brief.", "cache_control": MARK}, {"type": "text", "text": "And kind."},
        ],
        "tools": [{**CLAUDE_TOOL, "cache_control": MARK, "type": "custom"}],
        "tool_choice": {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": PARAMETERS}},
        "context_management": {"edits": [{"type": "clear_thinking_20251015"}]},
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Ulm"}},
                {"type": "tool_use", "id": "t2", "name": "get_weather", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "sun"}]},
                {"type": "tool_result", "tool_use_id": "t2", "content": "no such city", "is_error": True},
                {"type": "text", "text": "So?"},
                {"type": "document", "title": "Map", "source": {
                    "type": "text", "media_type": "text/plain", "data": "D",
                }},
                {"type": "search_result", "title": "T", "source": "S", "content": [{"type": "text", "text": "R"}]},
            ]},
        ],
    }  # fmt: skip

    def called(call_id: str, arguments: str) -> dict[str, Any]:
        return {"id": call_id, "type": "function", "function": {"name": "get_weather", "arguments": arguments}}

    assert chat_body(body) == {
        "model": "m", "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "top_k": 3, "stop": ["END"],
        "stream": True, "stream_options": {"include_usage": True}, "parallel_tool_calls": False,
        "tools": [{"type": "function", "function": {
            "name": "get_weather", "description": "The weather", "parameters": PARAMETERS,
        }}],
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        "response_format": {
            "type": "json_schema", "json_schema": {"name": "answer", "schema": PARAMETERS, "strict": True},
        },
        "messages": [
            {"role": "system", "content": "Be brief.\nAnd kind."},
            {"role": "user", "content": "one\ntwo"},
            {"role": "assistant", "content": "I look.", "tool_calls": [
                called("t1", '{"city":"Ulm"}'), called("t2", "{}"),
            ]},
            {"role": "tool", "tool_call_id": "t1", "content": "sun"},
            {"role": "tool", "tool_call_id": "t2", "content": "Error: no such city"},
            {"role": "user", "content": "So?\nMap\nD\nT\nS\nR"},
        ],
    }  # fmt: skip


@pytest.mark.parametrize(("given", "there"), [("auto", "auto"), ("any", "required"), ("none", "none")])
def test_choices_have_their_names_there(given: str, there: str) -> None:
    body = {"model": "m", "messages": HELLO, "tools": [CLAUDE_TOOL], "tool_choice": {"type": given}}

    assert prompt_body(body)["tool_choice"] == there


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"mcp_servers": [{}]}, "mcp_servers"),
        ({"container": "c"}, "container"),
        ({"nonsense": 1}, "nonsense"),
        ({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}},
         "context_management.edits[0].type"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        ({"tools": [CLAUDE_TOOL], "tool_choice": {"type": "whatever"}}, "tool_choice.type"),
        ({"tools": [CLAUDE_TOOL], "tool_choice": "auto"}, "tool_choice.type"),
        ({"output_config": {"format": {"type": "grammar"}}}, "output_config.format"),
        ({"system": 1}, "system"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [*HELLO, {"role": "assistant", "content": "The answer is"}]}, "messages[1].role"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "url"}}]}]},
         "messages[0].content[0].source.type"),
        ({"messages": [{"role": "user", "content": [
            {"type": "document", "citations": {"enabled": True}, "source": {"type": "text", "data": "x"}},
        ]}]}, "messages[0].content[0].citations"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t",
         "content": "x"}]}]},
         "messages[0].content[0].tool_use_id"),
    ],
)  # fmt: skip
def test_what_cannot_be_mapped_is_named(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(BadRequest) as caught:
        chat_body({"model": "m", "max_tokens": 9, "messages": HELLO, **fields})

    assert caught.value.param == named
    assert named in caught.value.message


def test_a_text_is_told_in_the_published_order() -> None:
    blocks, whole = written(Begins("real"), Text("Hel"), Text("lo"), Ends("stop"), Counted(11, 5, 4))

    assert [block["text"] for block in blocks] == ["Hello"]
    assert (whole["model"], whole["stop_reason"]) == ("real", "end_turn")
    assert whole["usage"] == {
        "input_tokens": 7, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 4, "output_tokens": 5,
    }  # fmt: skip


def test_calls_are_blocks() -> None:
    blocks, whole = written(
        Begins(""), Text("I look."), CallBegins("t1", "a"), CallArguments('{"city"'), CallArguments(':"Ulm"}'),
        CallBegins("t2", "b"), Ends("tool_calls"),
    )  # fmt: skip

    assert [block["json"] for block in blocks] == ["", '{"city":"Ulm"}', ""]
    assert [block.get("input") for block in whole["content"]] == [None, {"city": "Ulm"}, {}]
    assert whole["stop_reason"] == "tool_use"


@pytest.mark.parametrize(
    ("ends", "reason", "sequence"),
    [
        (Ends("length"), "max_tokens", None),
        (Ends("stop", "END"), "stop_sequence", "END"),
        (Ends("content_filter"), "refusal", None),
        (Ends("something new"), "end_turn", None),
    ],
)
def test_why_it_ended(ends: Ends, reason: str, sequence: str | None) -> None:
    _, whole = written(Begins("m"), Text("x"), ends)

    assert (whole["stop_reason"], whole["stop_sequence"]) == (reason, sequence)


def test_a_call_that_was_cut_off_has_no_input_and_one_that_is_no_json_is_a_fault() -> None:
    parts: Iterable[Part] = (Begins("m"), CallBegins("t1", "a"), CallArguments('{"ci'))
    _, whole = written(*parts, Ends("length"))

    assert whole["content"][0]["input"] == {}
    with pytest.raises(UpstreamFault, match="no JSON object"):
        written(*parts, Ends("tool_calls"))

"""The official clients at both doors, in front of a server that has chat completions alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from tests.proxy import answers
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.upstreams.crossing.conftest import CLAUDE_TOOL, KEY, TOOL, opened, sent, serve, theirs
from tests.proxy.upstreams.crossing.published import (
    check_message,
    check_message_events,
    check_response,
    check_response_events,
    events_of,
)
from tests.proxy.wire import ask, fresh, long_text

QUESTION = long_text(100) + " What is the weather in Ulm?"
ROWS = long_text(120, "row")


class Weather(BaseModel):
    """What a structured answer holds."""

    city: str
    degrees: int


def test_a_response_is_shortened_before_it_crosses(
    chat_only: LiveProxy, upstream: ScriptedUpstream, model: str
) -> None:
    with opened(chat_only) as client:
        raw = client.responses.with_raw_response.create(
            model=model, input=QUESTION, instructions=long_text(90, "rule"), max_output_tokens=9, store=False
        )
    answer, body = raw.parse(), sent(upstream, model)

    check_response(json.loads(raw.text))
    assert answer.output_text == "Hello 🍀"
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.input_tokens_details.cached_tokens) == (11, 4)
    assert body["max_tokens"] == 9
    assert body["messages"][0] == {"role": "system", "content": long_text(90, "rule")}
    assert len(body["messages"][1]["content"]) < len(QUESTION)
    assert raw.headers["x-moos-skipped"] == "instructions=role"
    assert float(raw.headers["x-moos-ratio"]) > 1.2
    assert raw.headers["x-request-id"] == "req-upstream"
    assert upstream.last(model).header("authorization") == f"Bearer {KEY}"


def test_a_message_is_shortened_before_it_crosses(
    chat_only: LiveProxy, upstream: ScriptedUpstream, model: str
) -> None:
    with theirs(chat_only) as client:
        raw = client.messages.with_raw_response.create(
            model=model,
            max_tokens=9,
            system=long_text(90, "rule"),
            messages=[{"role": "user", "content": QUESTION}],
        )
    answer, body = raw.parse(), sent(upstream, model)

    check_message(json.loads(raw.text()))
    assert answer.content[0].type == "text"
    assert answer.content[0].text == "Hello 🍀"
    assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens) == (7, 4)
    assert body["messages"][0] == {"role": "system", "content": long_text(90, "rule")}
    assert len(body["messages"][1]["content"]) < len(QUESTION)
    assert raw.headers["x-moos-skipped"] == "system=role"
    assert upstream.last(model).header("authorization") == f"Bearer {KEY}"
    assert upstream.last(model).header("anthropic-version") is None


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_over_several_turns_of_responses(
    chat_only: LiveProxy, upstream: ScriptedUpstream, model: str, streamed: bool
) -> None:
    items: list[Any] = [{"role": "user", "content": [{"type": "input_text", "text": QUESTION}]}]
    with opened(chat_only) as client:
        for turn in range(3):
            if streamed:
                with client.responses.stream(model=model, input=items, tools=[TOOL]) as stream:
                    answer: Any = stream.get_final_response()
            else:
                answer = client.responses.create(model=model, input=items, tools=[TOOL])
            (item,) = answer.output
            items.append(json.loads(item.model_dump_json(exclude={"parsed_arguments"}, exclude_none=True)))
            if turn == 0:
                assert json.loads(item.arguments) == {"city": "Ulm"}
                items.append({"type": "function_call_output", "call_id": item.call_id, "output": ROWS})
            else:
                assert answer.output_text == "Hello 🍀"
                items.append({"role": "user", "content": f"And turn {turn}?"})
    messages = sent(upstream, model)["messages"]

    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant", "user"]
    assert messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"] == "call_1"
    assert messages[2]["content"] == " ".join(ROWS.split()[::2])


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_over_several_turns_of_messages(
    chat_only: LiveProxy, upstream: ScriptedUpstream, model: str, streamed: bool
) -> None:
    talk: list[Any] = [{"role": "user", "content": QUESTION}]
    asked: Any = {"model": model, "max_tokens": 99, "messages": talk, "tools": [CLAUDE_TOOL]}
    with theirs(chat_only) as client:
        for turn in range(2):
            if streamed:
                with client.messages.stream(**asked) as stream:
                    answer: Any = stream.get_final_message()
            else:
                answer = client.messages.create(**asked)
            (block,) = answer.content
            talk.append({"role": "assistant", "content": [json.loads(block.model_dump_json(exclude_none=True))]})
            if turn == 0:
                assert (answer.stop_reason, block.input) == ("tool_use", {"city": "Ulm"})
                result = {"type": "tool_result", "tool_use_id": block.id, "content": ROWS}
                talk.append({"role": "user", "content": [result]})
    messages = sent(upstream, model)["messages"]

    assert (answer.stop_reason, block.text) == ("end_turn", "Hello 🍀")
    assert answer.usage.output_tokens == 5
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert messages[2] == {"role": "tool", "tool_call_id": "call_1", "content": " ".join(ROWS.split()[::2])}


@pytest.mark.parametrize("tools", [[], [TOOL]])
async def test_every_event_of_a_response_is_what_is_published(
    chat_only: LiveProxy, upstream: ScriptedUpstream, model: str, tools: list[Any]
) -> None:
    body = {"model": model, "input": QUESTION, "tools": tools, "stream": True}
    answer = await ask(chat_only.port, body, "/v1/responses")
    final = check_response_events(events_of(answer.body))

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert final["output"][0]["type"] == ("function_call" if tools else "message")
    assert final["usage"]["total_tokens"] == 16
    assert sent(upstream, model)["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("tools", [[], [CLAUDE_TOOL]])
async def test_every_event_of_a_message_is_what_is_published(
    chat_only: LiveProxy, model: str, tools: list[Any]
) -> None:
    talk = [{"role": "user", "content": QUESTION}]
    body = {"model": model, "max_tokens": 9, "messages": talk, "tools": tools, "stream": True}
    events = events_of((await ask(chat_only.port, body, "/v1/messages")).body)
    (block,) = check_message_events(events)

    assert block["type"] == ("tool_use" if tools else "text")
    assert block["json"] == ('{"city":"Ulm"}' if tools else "")
    assert events[-2]["usage"]["output_tokens"] == 5
    assert events[1]["type"] == "ping"


def test_a_structured_answer_is_parsed(chat_only: LiveProxy, upstream: ScriptedUpstream, model: str) -> None:
    with opened(chat_only) as client:
        answer = client.responses.parse(model=model, input=QUESTION, text_format=Weather)

    assert answer.output_parsed == Weather(city="Ulm", degrees=21)
    assert sent(upstream, model)["response_format"]["json_schema"]["name"] == "Weather"


def test_a_server_that_does_not_stream_still_gives_events(
    chat_only: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("unstreaming")
    upstream.scripts[model] = lambda exchange: exchange.reply(200, answers.completion())
    with opened(chat_only) as client, client.responses.stream(model=model, input="Hello.") as stream:
        assert stream.get_final_response().output_text == "Hello 🍀"


def test_tokens_are_counted_near_enough_and_after_shortening(chat_only: LiveProxy) -> None:
    with opened(chat_only) as client, theirs(chat_only) as claude:
        counted = client.responses.input_tokens.count(model="some-model", input=ROWS)
        whole = client.responses.input_tokens.count(
            model="some-model", input=ROWS, extra_headers={"x-moos-bypass": "true"}
        )
        message = claude.messages.count_tokens(model="some-model", messages=[{"role": "user", "content": ROWS}])

    assert counted.input_tokens == message.input_tokens
    assert 120 <= counted.input_tokens <= 0.55 * whole.input_tokens


async def test_the_next_upstream_is_tried_across_doors(chat_only: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("dead-then")
    upstream.scripts[model] = serve
    answer = await ask(chat_only.port, {"model": model, "input": "x"}, "/v1/responses")

    assert check_response(answer.json()).output_text == "Hello 🍀"


async def test_a_door_that_the_upstream_has_is_relayed_as_it_is(
    chat_only: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("half")
    await ask(chat_only.port, {"model": model, "input": "x", "background": True}, "/v1/responses")
    assert upstream.last(model).target == "/v1/responses"
    upstream.scripts[model] = serve
    talk = [{"role": "user", "content": "x"}]
    await ask(chat_only.port, {"model": model, "max_tokens": 5, "messages": talk}, "/v1/messages")

    assert upstream.last(model).target == "/v1/chat/completions"


async def test_the_callers_own_key_goes_on_as_chat_servers_want_it(
    chat_only: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("passkey")
    upstream.scripts[model] = serve
    with theirs(chat_only, "sk-theirs") as claude:
        claude.messages.create(model=model, max_tokens=5, messages=[{"role": "user", "content": "x"}])

    assert upstream.last(model).header("authorization") == "Bearer sk-theirs"
    assert upstream.last(model).header("x-api-key") is None


async def test_pictures_go_there(chat_only: LiveProxy, upstream: ScriptedUpstream, model: str) -> None:
    picture = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
    talk = [{"role": "user", "content": [{"type": "text", "text": "What?", "cache_control": {}}, picture]}]
    await ask(chat_only.port, {"model": model, "max_tokens": 5, "messages": talk}, "/v1/messages")

    assert sent(upstream, model)["messages"][0]["content"] == [
        {"type": "text", "text": "What?"},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
    ]


async def test_pictures_of_tools_are_shown_behind_all_results(
    chat_only: LiveProxy, upstream: ScriptedUpstream, model: str
) -> None:
    address = "data:image/png;base64,iVBORw0KGgo="
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    seen = [{"type": "text", "text": "see"}, {"type": "image", "source": source}]
    talk = [
        {"role": "assistant", "content": [{"type": "tool_use", "id": c, "name": "f", "input": {}} for c in "ab"]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "b", "content": seen},
            {"type": "tool_result", "tool_use_id": "a", "content": "sun"},
        ]},
    ]  # fmt: skip
    calls = [{"type": "function_call", "call_id": c, "name": "f", "arguments": "{}"} for c in "ab"]
    parts = [{"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": address}]
    outputs = [
        {"type": "function_call_output", "call_id": "b", "output": parts},
        {"role": "developer", "content": "Be brief."},
        {"type": "function_call_output", "call_id": "a", "output": "sun"},
    ]
    for path, body in (
        ("messages", {"max_tokens": 9, "messages": talk}),
        ("responses", {"input": [*calls, *outputs]}),
    ):
        answer = await ask(chat_only.port, {"model": model, **body}, f"/v1/{path}")
        said = sent(upstream, model)["messages"]

        assert answer.status == 200
        assert [message["role"] for message in said][:4] == ["assistant", "tool", "tool", "user"]
        assert [message["content"] for message in said[1:3]] == ["see", "sun"]
        assert said[3]["content"] == [{"type": "image_url", "image_url": {"url": address}}]
    assert said[4] == {"role": "system", "content": "Be brief."}

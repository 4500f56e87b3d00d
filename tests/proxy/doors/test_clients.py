"""The official clients at the doors of responses and messages, unmodified but for base_url."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from tests.proxy.conftest import UPSTREAM_KEY
from tests.proxy.doors import provider
from tests.proxy.live import Exchange, LiveProxy, ScriptedUpstream
from tests.proxy.wire import fresh, long_text

QUESTION = long_text(100) + " What is the weather in Ulm?"
ROWS = long_text(120, "row")
TOOL: Any = {
    "type": "function", "name": "get_weather", "description": long_text(60, "tool"), "strict": False,
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}  # fmt: skip
CLAUDE_TOOL: Any = {
    "name": "get_weather",
    "description": long_text(60, "tool"),
    "input_schema": TOOL["parameters"],
}
MARK: Any = {"type": "ephemeral"}


class Weather(BaseModel):
    """What a structured answer holds."""

    city: str
    degrees: int


def halved(text: str) -> str:
    return " ".join(text.split()[::2])


@pytest.fixture
def model(upstream: ScriptedUpstream) -> str:
    name = fresh("answering")
    upstream.scripts[name] = provider.responses
    return name


@pytest.fixture
def claude(upstream: ScriptedUpstream) -> str:
    name = fresh("claude")
    upstream.scripts[name] = provider.messages
    return name


@pytest.fixture
def client(proxy: LiveProxy) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{proxy.url}/v1", api_key="any", max_retries=0) as opened:
        yield opened


@pytest.fixture
def their_client(proxy: LiveProxy) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=proxy.url, api_key="any", max_retries=0) as opened:
        yield opened


def sent(upstream: ScriptedUpstream, word: str) -> Any:
    return json.loads(upstream.last(word).body)


def test_the_provider_of_these_tests_streams_what_is_published() -> None:
    event: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    for item in (provider.message("Hello 🍀"), provider.call()):
        for given in provider.response_events(item):
            assert event.validate_python(given).type == given["type"]


def test_a_response_is_read_and_its_input_was_shortened(
    client: openai.OpenAI, upstream: ScriptedUpstream, model: str
) -> None:
    raw = client.responses.with_raw_response.create(
        model=model, input=QUESTION, instructions=long_text(90, "rule"), store=False, extra_body={"unknown": [1.0]}
    )
    answer, body = raw.parse(), sent(upstream, model)

    assert answer.output_text == "Hello 🍀"
    assert answer.usage is not None
    assert answer.usage.input_tokens == 11
    assert len(body["input"]) < len(QUESTION)
    assert body["instructions"] == long_text(90, "rule")
    assert (body["store"], body["unknown"]) == (False, [1.0])
    assert raw.headers["x-moos-skipped"] == "instructions=role"
    assert float(raw.headers["x-moos-ratio"]) > 1.2
    assert raw.headers["x-request-id"] == "req-upstream"


def test_events_arrive_in_order_and_end_in_the_whole_response(client: openai.OpenAI, model: str) -> None:
    plain = list(client.responses.create(model=model, input=QUESTION, stream=True))
    with client.responses.stream(model=model, input=QUESTION) as stream:
        kinds = [event.type for event in stream]
        whole = stream.get_final_response()

    assert [event.type for event in plain] == [
        event["type"] for event in provider.response_events(provider.message("Hello 🍀"))
    ]
    assert [event.sequence_number for event in plain] == list(range(len(plain)))
    assert kinds[-1] == "response.completed"
    assert whole.output_text == "Hello 🍀"


def test_a_structured_answer_is_parsed(client: openai.OpenAI, upstream: ScriptedUpstream, model: str) -> None:
    answer = client.responses.parse(model=model, input=QUESTION, text_format=Weather)

    assert answer.output_parsed == Weather(city="Ulm", degrees=21)
    assert sent(upstream, model)["text"]["format"]["type"] == "json_schema"


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_over_several_turns_keep_the_shape_of_everything_but_results(
    client: openai.OpenAI, upstream: ScriptedUpstream, model: str, streamed: bool
) -> None:
    items: list[Any] = [{"role": "user", "content": [{"type": "input_text", "text": QUESTION}]}]
    for turn in range(3):
        if streamed:
            with client.responses.stream(model=model, input=items, tools=[TOOL]) as stream:
                answer = stream.get_final_response()
        else:
            answer = client.responses.create(model=model, input=items, tools=[TOOL])
        if turn == 0:
            (call,) = answer.output
            assert call.type == "function_call"
            assert json.loads(call.arguments) == {"city": "Ulm"}
        items += [json.loads(item.model_dump_json(exclude_unset=True)) for item in answer.output]
        items.append({"type": "function_call_output", "call_id": "call_1", "output": f"{ROWS} turn{turn}"})
    client.responses.create(model=model, input=items, tools=[TOOL])
    body = sent(upstream, model)

    assert body["tools"] == [TOOL]
    for given, went in zip(items, body["input"], strict=True):
        if given.get("type") == "function_call_output":
            assert went == {**given, "output": halved(given["output"])}
        elif given.get("role") == "user":
            assert len(went["content"][0]["text"]) < len(QUESTION)
        else:
            assert went == given


def test_with_a_previous_response_the_new_items_alone_are_shortened(
    client: openai.OpenAI, upstream: ScriptedUpstream, model: str
) -> None:
    output: Any = {"type": "function_call_output", "call_id": "call_1", "output": ROWS}
    client.responses.create(model=model, input=[output], previous_response_id="resp_1")

    assert sent(upstream, model) == {
        "model": model, "previous_response_id": "resp_1", "input": [{**output, "output": halved(ROWS)}],
    }  # fmt: skip


def test_what_would_be_sent_is_counted_and_compacted(
    client: openai.OpenAI, upstream: ScriptedUpstream, model: str
) -> None:
    assert client.responses.input_tokens.count(model=model, input=ROWS).input_tokens == 60
    compacted = client.responses.compact(model=model, input=ROWS)

    assert compacted.output[0].type == "compaction"
    assert sent(upstream, model)["input"] == halved(ROWS)


def test_kept_responses_are_fetched_and_deleted(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    upstream.scripts["/responses/resp_kept"] = provider.responses
    fetched = client.responses.with_raw_response.retrieve("resp_kept")
    client.responses.delete("resp_kept")

    assert fetched.parse().output_text == "Hello 🍀"
    assert fetched.headers["x-moos-skipped"] == "endpoint"
    assert upstream.last("resp_kept").method == "DELETE"


async def cut_off(exchange: Exchange) -> None:
    """One event, and then nothing."""
    await exchange.broken_stream()


def test_a_response_that_breaks_off_is_raised(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    name = fresh("cutting")
    upstream.scripts[name] = cut_off
    with pytest.raises(openai.APIError, match="broke off"):
        list(client.responses.create(model=name, input="x", stream=True))


def test_a_message_is_read_and_what_was_sent_was_shortened(
    their_client: anthropic.Anthropic, upstream: ScriptedUpstream, claude: str
) -> None:
    raw = their_client.messages.with_raw_response.create(
        model=claude, max_tokens=9, system=long_text(90, "rule"), messages=[{"role": "user", "content": QUESTION}],
        extra_headers={"anthropic-beta": "of-tomorrow"}, extra_body={"unknown": [1.0]},
    )  # fmt: skip
    answer, body, received = raw.parse(), sent(upstream, claude), upstream.last(claude)

    assert answer.content[0].type == "text"
    assert answer.content[0].text == "Hello 🍀"
    assert len(body["messages"][0]["content"]) < len(QUESTION)
    assert (body["system"], body["max_tokens"], body["unknown"]) == (long_text(90, "rule"), 9, [1.0])
    assert raw.headers["x-moos-skipped"] == "system=role"
    assert received.target == "/v1/messages"
    assert received.header("anthropic-version") == their_client.default_headers["anthropic-version"]
    assert received.header("anthropic-beta") == "of-tomorrow"
    assert received.header("x-api-key") == UPSTREAM_KEY
    assert received.header("authorization") is None


def test_a_streamed_message_is_read(their_client: anthropic.Anthropic, claude: str) -> None:
    with their_client.messages.stream(
        model=claude, max_tokens=9, messages=[{"role": "user", "content": QUESTION}]
    ) as stream:
        text = "".join(stream.text_stream)
        whole = stream.get_final_message()

    assert text == "Hello 🍀"
    assert (whole.stop_reason, whole.usage.output_tokens) == ("end_turn", 5)


def test_tools_and_cache_marks_keep_their_shape(
    their_client: anthropic.Anthropic, upstream: ScriptedUpstream, claude: str
) -> None:
    thinking: Any = {"type": "thinking", "thinking": long_text(80, "thought"), "signature": "s" * 400}
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    first = their_client.messages.create(model=claude, max_tokens=9, messages=messages, tools=[CLAUDE_TOOL])
    (call,) = first.content
    assert call.type == "tool_use"
    used = {"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}
    result = {
        "type": "tool_result",
        "tool_use_id": call.id,
        "content": [{"type": "text", "text": ROWS}],
        "cache_control": MARK,
    }
    messages += [{"role": "assistant", "content": [thinking, used]}, {"role": "user", "content": [result]}]
    system: Any = [{"type": "text", "text": long_text(90, "rule"), "cache_control": MARK}]
    their_client.messages.create(model=claude, max_tokens=9, system=system, messages=messages, tools=[CLAUDE_TOOL])
    body = sent(upstream, claude)

    assert (body["system"], body["tools"], body["messages"][1]) == (system, [CLAUDE_TOOL], messages[1])
    assert body["messages"][2]["content"] == [{**result, "content": [{"type": "text", "text": halved(ROWS)}]}]


def test_tokens_are_counted_as_they_would_be_sent(their_client: anthropic.Anthropic, claude: str) -> None:
    counted = their_client.messages.count_tokens(model=claude, messages=[{"role": "user", "content": ROWS}])

    assert counted.input_tokens == 1 + 60  # the role is a word, too


def test_our_own_errors_are_raised_by_their_kind(
    their_client: anthropic.Anthropic, keyed_proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    messages: Any = [{"role": "user", "content": "hi"}]
    with pytest.raises(anthropic.InternalServerError, match="base_url") as unreachable:
        their_client.messages.create(model="dead", max_tokens=9, messages=messages)
    stranger = their_client.with_options(base_url=keyed_proxy.url)
    with pytest.raises(anthropic.AuthenticationError, match="not known here"):
        stranger.messages.create(model="m", max_tokens=9, messages=messages)
    assert unreachable.value.body["type"] == "error"  # type: ignore[index,call-overload]


def test_a_message_that_breaks_off_is_raised(
    their_client: anthropic.Anthropic, upstream: ScriptedUpstream
) -> None:
    name = fresh("cutting")
    upstream.scripts[name] = cut_off
    with pytest.raises(anthropic.APIStatusError, match="broke off"):
        list(their_client.messages.create(
            model=name, max_tokens=9, messages=[{"role": "user", "content": "x"}], stream=True
        ))  # fmt: skip

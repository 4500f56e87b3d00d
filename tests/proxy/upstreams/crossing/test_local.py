"""The official clients at both doors, in front of a tiny model on this machine whose answers are noise."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest

from tests.proxy import tiny_gguf
from tests.proxy.live import LiveProxy
from tests.proxy.upstreams.crossing.conftest import CLAUDE_TOOL, TOOL, opened, theirs
from tests.proxy.upstreams.crossing.published import (
    check_message,
    check_message_events,
    check_response,
    check_response_events,
    events_of,
)
from tests.proxy.wire import ask

pytestmark = tiny_gguf.needs_llama_cpp

FORCED: Any = {"type": "function", "name": "get_weather"}
HELLO: Any = [{"role": "user", "content": "Hello."}]


def test_a_response_and_its_events_say_the_same(local: LiveProxy) -> None:
    asked: Any = {"model": "tiny", "input": "Hello.", "max_output_tokens": 12, "temperature": 0}
    with opened(local) as client:
        whole = client.responses.create(**asked)
        streamed: Any = list(client.responses.create(**asked, stream=True))[-1].response

    assert whole.output_text
    assert streamed.output_text == whole.output_text
    assert (whole.status, streamed.status) == ("incomplete", "incomplete")
    assert whole.incomplete_details is not None
    assert whole.incomplete_details.reason == "max_output_tokens"
    assert streamed.usage is not None
    assert streamed.usage.output_tokens == 12
    assert streamed.usage.input_tokens_details.cached_tokens > 0


def test_a_message_and_its_events_say_the_same(local: LiveProxy) -> None:
    asked: Any = {"model": "tiny", "max_tokens": 12, "messages": HELLO, "extra_body": {"temperature": 0}}
    with theirs(local) as client:
        whole = client.messages.create(**asked)
        with client.messages.stream(**asked) as stream:
            streamed = stream.get_final_message()

    assert whole.content[0].type == "text"
    assert streamed.content[0].type == "text"
    assert whole.content[0].text == streamed.content[0].text
    assert whole.stop_reason == streamed.stop_reason == "max_tokens"
    assert streamed.usage.output_tokens == 12
    assert (streamed.usage.cache_read_input_tokens or 0) > 0


async def test_every_event_is_what_is_published(local: LiveProxy) -> None:
    fields = {"model": "tiny", "stream": True, "temperature": 0}
    body = {**fields, "input": "Hello.", "tools": [TOOL], "tool_choice": FORCED, "max_output_tokens": 90}
    answer = await ask(local.port, body, "/v1/responses")
    final = check_response_events(events_of(answer.body))
    body = {**fields, "messages": HELLO, "tools": [CLAUDE_TOOL], "tool_choice": {"type": "any"}, "max_tokens": 90}
    told = events_of((await ask(local.port, body, "/v1/messages")).body)
    blocks = check_message_events(told)

    assert final["output"][-1]["type"] == "function_call"
    assert final["output"][-1]["arguments"].startswith("{")
    assert final["usage"]["output_tokens"] > 0
    assert blocks[-1]["type"] == "tool_use"
    assert told[-2]["usage"]["output_tokens"] > 0


def test_a_tool_is_called_and_its_result_comes_back_on_either_door(local: LiveProxy) -> None:
    items: list[Any] = [{"role": "user", "content": "The weather in Ulm?"}]
    with opened(local) as client:
        first = client.responses.create(
            model="tiny", input=items, tools=[TOOL], tool_choice=FORCED, max_output_tokens=90, temperature=0
        )
        call: Any = first.output[-1]
        items += [json.loads(item.model_dump_json(exclude_none=True)) for item in first.output]
        items.append({"type": "function_call_output", "call_id": call.call_id, "output": "sun"})
        second = client.responses.create(model="tiny", input=items, tools=[TOOL], max_output_tokens=8)
    talk: list[Any] = list(HELLO)
    with theirs(local) as claude:
        asked: Any = {"model": "tiny", "max_tokens": 90, "tools": [CLAUDE_TOOL], "messages": talk}
        message = claude.messages.create(**asked, tool_choice={"type": "tool", "name": "get_weather"})
        used: Any = message.content[-1]
        talk.append({"role": "assistant", "content": [json.loads(b.model_dump_json()) for b in message.content]})
        talk.append(
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": used.id, "content": "sun"}]}
        )
        last = claude.messages.create(**{**asked, "max_tokens": 8})

    assert (call.type, call.name) == ("function_call", "get_weather")
    assert list(json.loads(call.arguments)) == ["city"]
    assert (used.name, list(used.input), message.stop_reason) == ("get_weather", ["city"], "tool_use")
    check_response(json.loads(second.model_dump_json()))
    check_message(json.loads(last.model_dump_json()))


def test_a_structured_answer_follows_its_schema(local: LiveProxy) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"],
              "additionalProperties": False}  # fmt: skip
    with opened(local) as client, theirs(local) as claude:
        form: Any = {"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True}}
        answer = client.responses.create(model="tiny", input="Hello.", text=form, max_output_tokens=60)
        config: Any = {"format": {"type": "json_schema", "schema": schema}}
        message = claude.messages.create(model="tiny", max_tokens=60, messages=HELLO, output_config=config)

    assert list(json.loads(answer.output_text)) == ["a"]
    assert message.content[0].type == "text"
    assert list(json.loads(message.content[0].text)) == ["a"]


def test_the_stop_text_that_was_met_is_told(local: LiveProxy) -> None:
    with theirs(local) as client:
        plain = client.messages.create(
            model="tiny", max_tokens=12, messages=HELLO, extra_body={"temperature": 0}
        ).content[0]
        assert plain.type == "text"
        stop = plain.text[-4:-1]
        stopped = client.messages.create(
            model="tiny", max_tokens=12, messages=HELLO, stop_sequences=["never-there", stop],
            extra_body={"temperature": 0},
        )  # fmt: skip

    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", stop)
    shown = "".join(getattr(block, "text", "") for block in stopped.content)
    assert shown == plain.text[: plain.text.index(stop)]


def test_tokens_are_the_models_own(local: LiveProxy) -> None:
    with opened(local) as client, theirs(local) as claude:
        counted = client.responses.input_tokens.count(model="tiny", input="Hello.")
        answer = client.responses.create(model="tiny", input="Hello.", max_output_tokens=1)
        theirs_counted = claude.messages.count_tokens(model="tiny", messages=HELLO, system="Be brief.")
        message = claude.messages.create(model="tiny", max_tokens=1, messages=HELLO, system="Be brief.")

    assert answer.usage is not None
    assert counted.input_tokens == answer.usage.input_tokens
    usage = message.usage
    assert theirs_counted.input_tokens == usage.input_tokens + (usage.cache_read_input_tokens or 0)


def test_faults_have_the_doors_shape_and_names(local: LiveProxy) -> None:
    with opened(local) as client, theirs(local) as claude:
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(model="tiny", input="word " * 3000)
        with pytest.raises(anthropic.BadRequestError, match="maximum context length"):
            claude.messages.create(
                model="tiny", max_tokens=5, messages=[{"role": "user", "content": "word " * 3000}]
            )
        with pytest.raises(anthropic.NotFoundError, match="it has tiny"):
            claude.messages.count_tokens(model="other", messages=HELLO)
        with pytest.raises(openai.NotFoundError, match="responses"):
            client.responses.retrieve("resp_1")

    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "input")

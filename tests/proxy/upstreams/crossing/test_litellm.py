"""The official clients at both doors, in front of the litellm SDK and a provider with Anthropic's wire format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from moosproxy.policies.files.load import load
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy.doors.provider import messages as provider
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import Exchange, LiveProxy, ScriptedUpstream
from tests.proxy.upstreams.crossing.conftest import CLAUDE_TOOL, TOOL, opened, theirs
from tests.proxy.upstreams.crossing.published import check_message_events, check_response_events, events_of
from tests.proxy.wire import ask, fresh, long_text

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # litellm's own warnings

POLICIES = """
defaults: {{min_tokens: 20}}
upstreams:
  claude: {{kind: litellm, base_url: "{url}", api_key: sk-ant, model_map: {{claude: anthropic/claude-sonnet-4-5}}}}
routes: [{{}}]
"""
MARK: Any = {"type": "ephemeral"}


@pytest.fixture(scope="module")
def live(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProxy]:
    file: Path = tmp_path_factory.mktemp("litellm") / "moos.yaml"
    file.write_text(POLICIES.format(url=upstream.url.removesuffix("/v1")))
    with LiveProxy(create_app(Settings(), load(file), FakeCompressor())) as live:
        yield live


@pytest.fixture
def word(upstream: ScriptedUpstream) -> str:
    name = fresh("bridged")
    upstream.scripts[name] = provider
    return name


def test_a_response_there_and_back(live: LiveProxy, upstream: ScriptedUpstream, word: str) -> None:
    items: list[Any] = [{"role": "user", "content": f"{word} {long_text(99)}"}]
    with opened(live) as client:
        raw = client.responses.with_raw_response.create(
            model="claude", input=items, instructions="Be brief.", tools=[TOOL], max_output_tokens=50
        )
        first = raw.parse()
        call: Any = first.output[0]
        items += [json.loads(call.model_dump_json(exclude_none=True))]
        items.append({"type": "function_call_output", "call_id": call.call_id, "output": "sun"})
        second = client.responses.create(model="claude", input=items, tools=[TOOL])
    sent = json.loads(upstream.last(word).body)

    assert json.loads(call.arguments) == {"city": "Ulm"}
    assert second.output_text == "Hello 🍀"
    assert second.usage is not None
    assert (second.usage.input_tokens, second.usage.input_tokens_details.cached_tokens) == (11, 4)
    assert len(sent["messages"][0]["content"][0]["text"].split()) == 50
    assert sent["messages"][2]["content"][0]["type"] == "tool_result"
    assert float(raw.headers["x-moos-ratio"]) > 1.5


def test_a_message_there_and_back_keeps_its_marks(live: LiveProxy, upstream: ScriptedUpstream, word: str) -> None:
    talk: list[Any] = [{"role": "user", "content": [
        {"type": "text", "text": f"{word} {long_text(99)}", "cache_control": MARK},
    ]}]  # fmt: skip
    asked: Any = {
        "model": "claude", "max_tokens": 50, "messages": talk, "tools": [{**CLAUDE_TOOL, "cache_control": MARK}],
        "system": [{"type": "text", "text": "Be brief.", "cache_control": MARK}],
    }  # fmt: skip
    with theirs(live) as client:
        first = client.messages.create(**asked)
        used: Any = first.content[0]
        talk.append({"role": "assistant", "content": [json.loads(used.model_dump_json(exclude_none=True))]})
        result = {"type": "tool_result", "tool_use_id": used.id, "content": "sun", "cache_control": MARK}
        talk.append({"role": "user", "content": [result]})
        second = client.messages.create(**asked)
    sent = json.loads(upstream.last(word).body)

    assert (first.stop_reason, used.input) == ("tool_use", {"city": "Ulm"})
    assert second.content[0].type == "text"
    assert second.content[0].text == "Hello 🍀"
    assert (second.usage.input_tokens, second.usage.cache_read_input_tokens) == (7, 4)
    assert sent["system"][0]["cache_control"] == MARK
    assert sent["tools"][0]["cache_control"] == MARK
    assert sent["messages"][0]["content"][0]["cache_control"] == MARK
    assert len(sent["messages"][0]["content"][0]["text"].split()) == 50
    assert sent["messages"][2]["content"][0]["cache_control"] == MARK


async def test_every_event_is_what_is_published(live: LiveProxy, word: str) -> None:
    response = await ask(live.port, {"model": "claude", "input": word, "stream": True}, "/v1/responses")
    body = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": word}], "stream": True}
    message = await ask(live.port, body, "/v1/messages")
    final = check_response_events(events_of(response.body))
    told = events_of(message.body)

    assert final["output"][0]["content"][0]["text"] == "Hello 🍀"
    assert final["usage"]["output_tokens"] == 5
    assert [block["text"] for block in check_message_events(told)] == ["Hello 🍀"]
    assert told[-2]["usage"]["cache_read_input_tokens"] == 4


def test_pictures_go_there(live: LiveProxy, upstream: ScriptedUpstream, word: str) -> None:
    source: Any = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    address = "data:image/png;base64,iVBORw0KGgo="
    with opened(live) as client, theirs(live) as claude:
        for ask_it in (
            lambda: claude.messages.create(model="claude", max_tokens=9, messages=[{"role": "user", "content": [
                {"type": "text", "text": word}, {"type": "image", "source": source},
            ]}]),
            lambda: client.responses.create(model="claude", input=[{"role": "user", "content": [
                {"type": "input_text", "text": word},
                {"type": "input_image", "image_url": address, "detail": "auto"},
            ]}]),
        ):  # fmt: skip
            ask_it()
            assert json.loads(upstream.last(word).body)["messages"][0]["content"][1]["source"] == source


def test_tokens_are_counted_and_fields_are_named(live: LiveProxy) -> None:
    with opened(live) as client, theirs(live) as claude:
        counted = claude.messages.count_tokens(
            model="claude", messages=[{"role": "user", "content": long_text(99)}]
        )
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(model="claude", input="x", previous_response_id="resp_1")
        with pytest.raises(anthropic.BadRequestError, match=r"^.*tools\[0\].type cannot be mapped"):
            claude.messages.create(
                model="claude", max_tokens=9, messages=[{"role": "user", "content": "x"}],
                tools=[{"type": "web_search_20250305", "name": "web_search"}],
            )  # fmt: skip

    assert 50 <= counted.input_tokens <= 200
    assert caught.value.param == "previous_response_id"


async def test_the_providers_errors_take_the_doors_shape(live: LiveProxy, upstream: ScriptedUpstream) -> None:
    word = fresh("limited")
    fault = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}

    async def limited(exchange: Exchange) -> None:
        await exchange.reply(429, json.dumps(fault).encode(), ("retry-after", "7"))

    upstream.scripts[word] = limited
    body = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": word}]}
    answer = await ask(live.port, body, "/v1/messages")

    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    assert answer.json()["error"]["type"] == "rate_limit_error"
    assert "slow down" in answer.json()["error"]["message"]

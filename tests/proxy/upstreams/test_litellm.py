"""A provider that speaks Anthropic's wire format, behind the litellm SDK, read by the openai client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest

from moosproxy.policies.files.load import load
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy.answers import TOOL, anthropic_bare_tool, anthropic_events, anthropic_message
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import Exchange, LiveProxy, ScriptedUpstream
from tests.proxy.wire import ask, chat, fresh, long_text

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # litellm's own warnings

POLICIES = """
defaults: {{min_tokens: 20}}
upstreams:
  claude: {{kind: litellm, base_url: "{url}", api_key: sk-ant, model_map: {{claude: anthropic/claude-sonnet-4-5}}}}
  nowhere: {{kind: litellm, base_url: "http://127.0.0.1:9", api_key: x, model_prefix: anthropic/}}
routes:
  - {{match: {{model: nowhere}}, upstreams: [nowhere]}}
  - {{upstreams: [claude]}}
"""


@pytest.fixture(scope="module")
def anthropic_proxy(
    upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LiveProxy]:
    file: Path = tmp_path_factory.mktemp("litellm") / "moos.yaml"
    file.write_text(POLICIES.format(url=upstream.url.removesuffix("/v1")))
    with LiveProxy(create_app(Settings(), load(file), FakeCompressor())) as live:
        yield live  # type: ignore[misc]


@pytest.fixture
async def client(anthropic_proxy: LiveProxy) -> AsyncIterator[openai.AsyncOpenAI]:
    url = f"{anthropic_proxy.url}/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as opened:
        yield opened


async def test_a_plain_answer_with_a_shortened_prompt(
    client: openai.AsyncOpenAI, upstream: ScriptedUpstream
) -> None:
    word = fresh("plain")
    upstream.scripts[word] = lambda e: e.reply(200, anthropic_message())
    text = f"{word} {long_text(99)}"
    answer = await client.chat.completions.create(
        model="claude", messages=[{"role": "user", "content": text}], extra_body={"top_k": 3, "nonsense": 1}
    )
    received = upstream.last(word)
    sent = json.loads(received.body)

    assert answer.choices[0].message.content == "Hello 🍀"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 5)
    assert len(sent["messages"][0]["content"][0]["text"].split()) == 50
    assert (sent["model"], sent["top_k"]) == ("claude-sonnet-4-5", 3)
    assert received.header("x-api-key") == "sk-ant"


async def test_a_stream_becomes_openais(client: openai.AsyncOpenAI, upstream: ScriptedUpstream) -> None:
    word = fresh("stream")
    upstream.scripts[word] = lambda e: e.stream(*anthropic_events())
    stream = await client.chat.completions.create(
        model="claude", messages=[{"role": "user", "content": word}], stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    events = [event async for event in stream]

    assert "".join(e.choices[0].delta.content or "" for e in events if e.choices) == "Hello 🍀"
    assert [e.choices[0].finish_reason for e in events if e.choices][-1] == "stop"
    assert events[-1].usage is not None
    assert events[-1].usage.prompt_tokens == 11


async def test_a_stream_ends_with_done(anthropic_proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    word = fresh("done")
    upstream.scripts[word] = lambda e: e.stream(*anthropic_events())
    answer = await ask(anthropic_proxy.port, chat("claude", word, stream=True))

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.body.endswith(b"\n\ndata: [DONE]\n\n")


async def test_tools_go_there_and_back(client: openai.AsyncOpenAI, upstream: ScriptedUpstream) -> None:
    word = fresh("tools")
    upstream.scripts[word] = lambda e: e.reply(200, anthropic_message(tool=True))
    answer = await client.chat.completions.create(
        model="claude", messages=[{"role": "user", "content": word}], tools=[TOOL]
    )
    calls = answer.choices[0].message.tool_calls

    assert calls is not None
    assert json.loads(calls[0].function.arguments) == {"city": "Ulm"}
    assert answer.choices[0].finish_reason == "tool_calls"
    assert json.loads(upstream.last(word).body)["tools"][0]["name"] == "get_weather"


@pytest.mark.parametrize(
    ("status", "kind", "raised"),
    [
        (400, "invalid_request_error", openai.BadRequestError),
        (401, "authentication_error", openai.AuthenticationError),
        (404, "not_found_error", openai.NotFoundError),
        (429, "rate_limit_error", openai.RateLimitError),
        (529, "overloaded_error", openai.InternalServerError),
    ],
)
async def test_errors_keep_their_status_in_openais_form(
    client: openai.AsyncOpenAI,
    upstream: ScriptedUpstream,
    status: int,
    kind: str,
    raised: type[openai.APIStatusError],
) -> None:
    word = fresh("error")
    body = json.dumps({"type": "error", "error": {"type": kind, "message": "so it is"}}).encode()
    upstream.scripts[word] = lambda e: e.reply(status, body, ("retry-after", "9"))
    with pytest.raises(raised, match="so it is") as caught:
        await client.chat.completions.create(model="claude", messages=[{"role": "user", "content": word}])

    assert len(upstream.all(word)) == 1
    if status == 429:
        assert caught.value.response.headers["retry-after"] == "9"


async def test_no_provider_is_502(anthropic_proxy: LiveProxy) -> None:
    answer = await ask(anthropic_proxy.port, chat("nowhere"))

    assert (answer.status, answer.json()["error"]["code"]) == (502, "upstream_unreachable")


async def test_a_caller_cannot_choose_where_litellm_goes(
    anthropic_proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    word = fresh("evil")
    upstream.scripts[word] = lambda e: e.reply(200, anthropic_message())
    fields = {"api_base": "http://127.0.0.1:9", "api_key": "sk-theirs", "mock_response": "mocked", "base_url": "x"}
    answer = await ask(
        anthropic_proxy.port, chat("claude", word, **fields, custom_llm_provider="openai", fallbacks=["x"])
    )

    assert answer.json()["choices"][0]["message"]["content"] == "Hello 🍀"
    assert upstream.last(word).header("x-api-key") == "sk-ant"


async def test_a_client_that_leaves_a_stream_ends_the_providers_work(
    client: openai.AsyncOpenAI, upstream: ScriptedUpstream
) -> None:
    word = fresh("leaves")
    noticed = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def slow(exchange: Exchange) -> None:
        await exchange.head(200, ("content-type", "text/event-stream"), ("transfer-encoding", "chunked"))
        for event in anthropic_events()[:3]:
            await exchange.send(b"%x\r\n%s\r\n" % (len(event), event))
        if await exchange.gone(within_s=5):
            loop.call_soon_threadsafe(noticed.set)

    upstream.scripts[word] = slow
    stream = await client.chat.completions.create(
        model="claude", messages=[{"role": "user", "content": word}], stream=True
    )
    await anext(aiter(stream))
    await stream.close()
    await asyncio.wait_for(noticed.wait(), 1.5)


async def test_a_model_without_a_provider_is_told_how_to_get_one(
    upstream: ScriptedUpstream, anthropic_proxy: LiveProxy
) -> None:
    answer = await ask(anthropic_proxy.port, chat("nobodys-model"))
    error = answer.json()["error"]

    assert (answer.status, error["code"]) == (404, "model_not_found")
    assert "model_prefix" in error["message"]
    assert "litellm" not in error["message"].lower().replace("upstream 'claude'", "")


async def test_a_streamed_tool_call_without_arguments_has_an_empty_object(
    client: openai.AsyncOpenAI, upstream: ScriptedUpstream
) -> None:
    whole, events = anthropic_bare_tool()
    word, streamed = fresh("bare"), fresh("bare")
    upstream.scripts[word] = lambda e: e.reply(200, whole)
    upstream.scripts[streamed] = lambda e: e.stream(*events)
    tools = [{**TOOL, "function": {**TOOL["function"], "name": name}} for name in ("bare", "full")]
    answer = await client.chat.completions.create(
        model="claude", messages=[{"role": "user", "content": word}], tools=tools
    )
    arguments: dict[int, str] = {}
    finished = []
    stream = await client.chat.completions.create(
        model="claude", messages=[{"role": "user", "content": streamed}], tools=tools, stream=True
    )
    async for event in stream:
        for choice in event.choices:
            finished.append(choice.finish_reason)
            for call in choice.delta.tool_calls or ():
                assert call.function is not None
                arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")

    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    assert [json.loads(call.function.arguments) for call in calls] == [{}, {"city": "Ulm"}]
    assert [json.loads(text) for text in arguments.values()] == [{}, {"city": "Ulm"}]
    assert finished[-1] == "tool_calls"
    assert all(reason is None for reason in finished[:-1])


async def test_an_answer_cut_off_by_the_window_says_length(
    client: openai.AsyncOpenAI, upstream: ScriptedUpstream
) -> None:
    whole, events = anthropic_bare_tool("model_context_window_exceeded")
    word, streamed = fresh("window"), fresh("window")
    upstream.scripts[word] = lambda e: e.reply(200, whole)
    upstream.scripts[streamed] = lambda e: e.stream(*events)
    answer = await client.chat.completions.create(model="claude", messages=[{"role": "user", "content": word}])
    stream = await client.chat.completions.create(
        model="claude", messages=[{"role": "user", "content": streamed}], stream=True
    )
    reasons = [choice.finish_reason async for event in stream for choice in event.choices]

    assert answer.choices[0].finish_reason == "length"
    assert reasons[-1] == "length"

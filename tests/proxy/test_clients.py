"""The clients that people use, unmodified but for base_url."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator

import openai
import pytest

from moosproxy.proxy.upstreams.litellm_sdk import close_clients
from tests.proxy.answers import TOOL, chunks, completion
from tests.proxy.live import Exchange, LiveProxy, ScriptedUpstream
from tests.proxy.wire import fresh, long_text

QUESTION = long_text(100) + " What is the weather in Ulm?"


@pytest.fixture
def model(upstream: ScriptedUpstream) -> str:
    """A model whose answers fit the request: streamed or not, with a tool call if tools were given."""
    name = fresh("client")

    async def script(exchange: Exchange) -> None:
        request = json.loads(exchange.request.body)
        if request.get("stream"):
            await exchange.stream(*chunks(tool="tools" in request))
        else:
            await exchange.reply(200, completion(tool="tools" in request), ("x-request-id", "req-upstream"))

    upstream.scripts[name] = script
    return name


@pytest.fixture
def client(proxy: LiveProxy) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{proxy.url}/v1", api_key="any") as opened:
        yield opened


@pytest.fixture
async def async_client(proxy: LiveProxy) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{proxy.url}/v1/", api_key="any") as opened:
        yield opened


def test_openai_reads_a_plain_answer_and_sent_a_shorter_prompt(
    client: openai.OpenAI, upstream: ScriptedUpstream, model: str
) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": QUESTION}], seed=7, extra_body={"unknown": {"a": 1}}
    )
    answer = raw.parse()
    sent = json.loads(upstream.last(model).body)

    assert answer.choices[0].message.content == "Hello 🍀"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 11
    assert len(sent["messages"][0]["content"]) < len(QUESTION)
    assert (sent["seed"], sent["unknown"]) == (7, {"a": 1})
    assert raw.headers["x-moos-ratio"] == "2.000"
    assert raw.headers["x-request-id"] == "req-upstream"


def test_openai_reads_a_stream_with_usage(client: openai.OpenAI, model: str) -> None:
    stream = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": QUESTION}], stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    events = list(stream)

    assert "".join(e.choices[0].delta.content or "" for e in events if e.choices) == "Hello 🍀"
    assert events[-1].usage is not None
    assert events[-1].usage.total_tokens == 16


def test_openai_calls_tools(client: openai.OpenAI, upstream: ScriptedUpstream, model: str) -> None:
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": QUESTION}], tools=[TOOL], parallel_tool_calls=False
    )
    calls = answer.choices[0].message.tool_calls
    sent = json.loads(upstream.last(model).body)

    assert calls is not None
    assert json.loads(calls[0].function.arguments) == {"city": "Ulm"}
    assert sent["tools"] == [TOOL]
    assert sent["parallel_tool_calls"] is False


def test_a_conversation_with_tool_results_and_pictures_keeps_its_shape(
    client: openai.OpenAI, upstream: ScriptedUpstream, model: str
) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{ "city":1.0}'}}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 5000, "detail": "low"}}
    messages = [
        {"role": "system", "content": long_text(100, "rule")},
        {"role": "user", "content": [{"type": "text", "text": QUESTION}, picture]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": long_text(100, "row")},
    ]
    client.chat.completions.create(model=model, messages=messages)
    sent = json.loads(upstream.last(model).body)["messages"]

    assert (sent[0], sent[2]) == (messages[0], messages[2])
    assert sent[1]["content"][1] == picture
    assert len(sent[1]["content"][0]["text"]) < len(QUESTION)
    assert sent[3] == {**messages[3], "content": " ".join(messages[3]["content"].split()[::2])}


async def test_the_async_client_reads_plain_and_streamed_answers(
    async_client: openai.AsyncOpenAI, model: str
) -> None:
    plain = await async_client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
    stream = await async_client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "hi"}], tools=[TOOL], stream=True
    )
    arguments = ""
    async for event in stream:
        for choice in event.choices:
            for call in choice.delta.tool_calls or ():
                assert call.function is not None
                arguments += call.function.arguments or ""

    assert plain.choices[0].message.content == "Hello 🍀"
    assert json.loads(arguments) == {"city": "Ulm"}


def test_openai_raises_the_error_that_the_upstream_sent(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    name = fresh("limit")
    error = {"message": "Too long", "type": "x", "param": None, "code": "context_length_exceeded"}
    upstream.scripts[name] = lambda e: e.reply(400, json.dumps({"error": error}).encode())
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=name, messages=[{"role": "user", "content": "hi"}])

    assert raised.value.code == "context_length_exceeded"


def test_openai_raises_our_own_errors_by_their_kind(client: openai.OpenAI, keyed_proxy: LiveProxy) -> None:
    quiet = client.with_options(max_retries=0)
    with pytest.raises(openai.InternalServerError, match="base_url"):
        quiet.chat.completions.create(model="dead", messages=[{"role": "user", "content": "hi"}])
    stranger = quiet.with_options(base_url=f"{keyed_proxy.url}/v1")
    with pytest.raises(openai.AuthenticationError, match="not known here"):
        stranger.models.list()


def test_openai_raises_when_a_stream_breaks_off(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    name = fresh("broken")

    async def cut(exchange: Exchange) -> None:
        await exchange.head(200, ("content-type", "text/event-stream"), ("transfer-encoding", "chunked"))
        event = chunks()[1]
        await exchange.send(b"%x\r\n%s\r\n" % (len(event), event))
        exchange.writer.close()

    upstream.scripts[name] = cut
    with pytest.raises(openai.APIError, match="broke off"):
        list(client.chat.completions.create(model=name, messages=[{"role": "user", "content": "x"}], stream=True))


def test_openai_lists_models_and_embeds(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    listed = b'{"object":"list","data":[{"id":"m","object":"model","created":1,"owned_by":"x"}]}'
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    data = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
    vector = json.dumps({"object": "list", "data": data, "model": "m", "usage": usage}).encode()
    upstream.scripts["/v1/models"] = lambda e: e.reply(200, listed)
    upstream.scripts["/v1/embeddings"] = lambda e: e.reply(200, vector)
    try:
        assert [model.id for model in client.models.list()] == ["m"]
        assert client.embeddings.create(model="m", input="x", encoding_format="float").data[0].embedding == [0.5]
    finally:
        del upstream.scripts["/v1/models"], upstream.scripts["/v1/embeddings"]


async def test_langchain_invokes_streams_and_binds_tools(proxy: LiveProxy, model: str) -> None:
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(model=model, base_url=f"{proxy.url}/v1", api_key="any", max_retries=0)  # type: ignore[arg-type]
    plain = await chat.ainvoke(QUESTION)
    streamed = "".join([str(chunk.content) async for chunk in chat.astream("hi")])
    called = await chat.bind_tools([TOOL]).ainvoke("weather?")

    assert plain.content == streamed == "Hello 🍀"
    assert called.tool_calls[0]["args"] == {"city": "Ulm"}
    await chat.root_async_client.close()
    chat.root_client.close()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
async def test_litellm_as_client_completes_and_streams(
    proxy: LiveProxy, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    where = {"model": f"openai/{model}", "api_base": f"{proxy.url}/v1", "api_key": "any"}
    messages = [{"role": "user", "content": QUESTION}]
    plain = await litellm.acompletion(messages=messages, **where)
    stream = await litellm.acompletion(messages=messages, stream=True, **where)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert plain.choices[0].message.content == text == "Hello 🍀"
    await close_clients()

"""Against the types that the openai package generates from OpenAI's published API schema."""

from __future__ import annotations

import json

from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParamsBase

from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.wire import ask, chat, fresh, long_text


async def test_every_field_of_a_request_arrives(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("fields")
    fields = sorted(set(CompletionCreateParamsBase.__annotations__) - {"messages", "model"})
    body = chat(model, long_text(50), **{name: {"value": [name, 1.5, None]} for name in fields}, stream=False)
    await ask(proxy.port, body)
    sent = json.loads(upstream.last(model).body)

    assert len(fields) > 30
    assert sent.pop("messages")[0]["content"] == " ".join(long_text(50).split()[::2])
    assert sent == {name: value for name, value in body.items() if name != "messages"}


async def test_answers_of_echo_are_chat_completions(proxy: LiveProxy) -> None:
    answer = await ask(proxy.port, chat("echo", "hi"))
    listed = await ask(proxy.port, b"", "/v1/models/echo", "GET")

    ChatCompletion.model_validate_json(answer.body, strict=False)
    Model.model_validate_json(listed.body)


async def test_streams_of_echo_are_chat_completion_chunks(proxy: LiveProxy) -> None:
    body = chat("echo", long_text(60), stream=True, stream_options={"include_usage": True})
    events = (await ask(proxy.port, body)).body.decode().split("\n\n")
    parsed = [ChatCompletionChunk.model_validate_json(event.removeprefix("data: ")) for event in events[:-2]]

    assert events[-2:] == ["data: [DONE]", ""]
    assert [chunk.choices == [] for chunk in parsed] == [False] * (len(parsed) - 1) + [True]
    assert len({chunk.id for chunk in parsed}) == 1

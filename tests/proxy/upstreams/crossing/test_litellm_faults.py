"""What goes wrong between the doors and a provider with chat completions, behind the litellm SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moosproxy.policies.files.load import load
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy import answers
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import Exchange, LiveProxy, ScriptedUpstream
from tests.proxy.upstreams.crossing.published import events_of
from tests.proxy.wire import Response, ask, fresh

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # litellm's own warnings

POLICIES = """
defaults: {{min_tokens: 20}}
upstreams:
  open: {{kind: litellm, base_url: "{url}", api_key: sk-x, model_map: {{m: openai/some-model}}}}
  claude: {{kind: litellm, base_url: "{at}", api_key: sk-x, model_map: {{claude: anthropic/claude-sonnet-4-5}}}}
routes:
  - {{match: {{model: claude}}, upstreams: [claude]}}
  - {{upstreams: [open]}}
"""


@pytest.fixture(scope="module")
def live(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProxy]:
    file: Path = tmp_path_factory.mktemp("litellm") / "moos.yaml"
    file.write_text(POLICIES.format(url=upstream.url, at=upstream.url.removesuffix("/v1")))
    with LiveProxy(create_app(Settings(), load(file), FakeCompressor())) as live:
        yield live


async def said(live: LiveProxy, door: str, text: str, model: str = "m", **fields: Any) -> Response:
    """The answer of a door: chat/completions, responses or messages."""
    talk: dict[str, Any] = {"messages": [{"role": "user", "content": text}], "max_tokens": 9}
    body = {"input": text} if door == "responses" else talk
    return await ask(live.port, {"model": model, **body, **fields}, f"/v1/{door}")


async def cut_off(exchange: Exchange) -> None:
    """Two chunks, and the connection is gone inside of the third."""
    await exchange.head(200, ("content-type", "text/event-stream"), ("transfer-encoding", "chunked"))
    for chunk in (*answers.chunks()[:2], answers.chunks()[2][:20]):
        await exchange.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
    exchange.writer.close()


async def ended_early(exchange: Exchange) -> None:
    """Two chunks, and the end of the stream."""
    await exchange.stream(*answers.chunks()[:2])


async def ended_inside(exchange: Exchange) -> None:
    """Two chunks, a part of the third, and the end of the stream."""
    await exchange.stream(*answers.chunks()[:2], answers.chunks()[2][:20])


async def claude_ended_early(exchange: Exchange) -> None:
    """A text that begins."""
    await exchange.stream(*answers.anthropic_events()[:3])


@pytest.mark.parametrize("script", [cut_off, ended_early, ended_inside, claude_ended_early])
async def test_a_stream_that_is_cut_off_is_never_told_as_whole(
    live: LiveProxy, upstream: ScriptedUpstream, script: Any
) -> None:
    word = fresh("cut")
    upstream.scripts[word] = script
    model = "claude" if script is claude_ended_early else "m"
    asked = [
        await said(live, door, word, model, stream=True) for door in ("responses", "messages", "chat/completions")
    ]
    response, message = (events_of(answer.body) for answer in asked[:2])

    assert [event["type"] for event in response[-2:]] == ["response.failed", "error"]
    assert message[-1]["type"] == "error"
    assert not {"message_delta", "message_stop"} & {event["type"] for event in message}
    assert b'"error"' in asked[2].body
    assert b'"finish_reason":"stop"' not in asked[2].body
    assert b"[DONE]" not in asked[2].body.rpartition(b'"error"')[0]


@pytest.mark.parametrize("door", ["responses", "messages", "chat/completions"])
async def test_numbers_that_cannot_be_sent_are_named(live: LiveProxy, door: str) -> None:
    schema = '{"type":"object","properties":{"a":{"type":"number","maximum":1e400}}}'
    tools = {
        "responses": f'{{"type":"function","name":"f","parameters":{schema}}}',
        "messages": f'{{"name":"f","input_schema":{schema}}}',
        "chat/completions": f'{{"type":"function","function":{{"name":"f","parameters":{schema}}}}}',
    }
    said = '"input":"x"' if door == "responses" else '"max_tokens":9,"messages":[{"role":"user","content":"x"}]'
    answer = await ask(live.port, f'{{"model":"m",{said},"tools":[{tools[door]}]}}'.encode(), f"/v1/{door}")

    assert answer.status == 400
    message = answer.json()["error"]["message"]
    assert message == "tools[0].function.parameters holds a number that is too large for this model's upstream"


async def test_large_whole_numbers_go_there_as_they_came(live: LiveProxy, upstream: ScriptedUpstream) -> None:
    word, digits = fresh("digits"), "9" * 30
    upstream.scripts[word] = lambda exchange: exchange.reply(200, answers.completion())
    tool = f'{{"type":"function","name":"f","parameters":{{"type":"object","maximum":{digits}}}}}'
    answer = await ask(live.port, f'{{"model":"m","input":"{word}","tools":[{tool}]}}'.encode(), "/v1/responses")

    assert answer.status == 200
    assert f'"maximum":{digits}}}'.encode() in upstream.last(word).body.replace(b" ", b"")


@pytest.mark.parametrize("door", ["responses", "messages", "chat/completions"])
async def test_a_lone_surrogate_is_told_or_escaped(live: LiveProxy, upstream: ScriptedUpstream, door: str) -> None:
    word = fresh("lone")
    whole = answers.completion("a\ud800b")
    chunks = [chunk.replace(b'"Hello "', b'"a\\ud800b"') for chunk in answers.chunks()]

    async def script(exchange: Exchange) -> None:
        streams = json.loads(exchange.request.body).get("stream")
        await (exchange.stream(*chunks) if streams else exchange.reply(200, whole))

    upstream.scripts[word] = script
    refused = await said(live, door, "a\ud800b")
    answer, streamed = await said(live, door, word), await said(live, door, word, stream=True)

    assert refused.status == 400
    assert refused.json()["error"]["message"].startswith("messages[0].content holds a lone surrogate")
    assert answer.status == 200
    assert b"a\\ud800b" in answer.body
    assert b"a\\ud800b" in streamed.body
    assert b'"error":{' not in streamed.body


NONE_AT_ALL = [
    *(b'{"choices":[{}]}', b"null", b"{}", b"<html>", b'{"choices":[{"message":{"content":"x'),
    b'{"choices":[{"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":"no"}',
]


@pytest.mark.parametrize("body", NONE_AT_ALL)
async def test_an_answer_that_is_none_is_502_without_a_stack(
    live: LiveProxy, upstream: ScriptedUpstream, body: bytes
) -> None:
    word = fresh("nonsense")
    upstream.scripts[word] = lambda exchange: exchange.reply(200, body)
    answer = await said(live, "chat/completions", word)

    assert answer.status == 502, answer.body
    assert answer.json()["error"]["message"] == "upstream 'open': its answer is no chat completion"


@pytest.mark.parametrize("model", ["m", "claude"])
async def test_a_providers_own_500_keeps_its_words(
    live: LiveProxy, upstream: ScriptedUpstream, model: str
) -> None:
    word = fresh("broken")
    fault = {"type": "error", "error": {"type": "api_error", "message": "out of order"}}
    upstream.scripts[word] = lambda exchange: exchange.reply(500, json.dumps(fault).encode())
    answer = await said(live, "chat/completions", word, model)

    assert answer.status == 500
    assert "out of order" in answer.json()["error"]["message"]


async def test_a_refusal_is_kept(live: LiveProxy, upstream: ScriptedUpstream) -> None:
    word = fresh("refused")
    whole = json.loads(answers.completion(None))
    whole["choices"][0]["message"]["refusal"] = "I will not."
    upstream.scripts[word] = lambda exchange: exchange.reply(200, json.dumps(whole).encode())
    answer, chat = await said(live, "responses", word), await said(live, "chat/completions", word)

    assert chat.json()["choices"][0]["message"]["refusal"] == "I will not."
    assert answer.json()["output"][0]["content"] == [{"type": "refusal", "refusal": "I will not."}]

"""A server that has chat completions alone, and a tiny model on this machine; the official clients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from moosproxy.policies.files.load import load
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy import answers, tiny_gguf
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import Exchange, LiveProxy, ScriptedUpstream
from tests.proxy.wire import fresh

KEY = "sk-of-the-chat-server"
POLICIES = """
defaults: {{min_tokens: 20}}
upstreams:
  chat: {{kind: openai, base_url: "{url}", api_key: {key}, endpoints: [chat]}}
  half: {{kind: openai, base_url: "{url}", api_key: {key}, endpoints: [chat, responses]}}
  brief: {{kind: openai, base_url: "{url}", endpoints: [chat], timeouts: {{read_s: 0.3}}}}
  dead: {{kind: openai, base_url: "http://127.0.0.1:9/v1", endpoints: [chat]}}
routes:
  - {{match: {{model: "half*"}}, upstreams: [half]}}
  - {{match: {{model: "brief*"}}, upstreams: [brief]}}
  - {{match: {{model: "passkey*"}}, upstreams: [chat], overrides: {{forward_caller_key: true}}}}
  - {{match: {{model: "dead*"}}, upstreams: [dead, chat]}}
  - {{upstreams: [chat]}}
"""
PARAMETERS: Any = {
    "type": "object", "properties": {"city": {"type": "string", "maxLength": 6}}, "required": ["city"],
}  # fmt: skip
TOOL: Any = {
    "type": "function", "name": "get_weather", "description": "The weather", "strict": False,
    "parameters": PARAMETERS,
}  # fmt: skip
CLAUDE_TOOL: Any = {"name": "get_weather", "description": "The weather", "input_schema": PARAMETERS}


async def serve(exchange: Exchange) -> None:
    """Answers chat completions and nothing else: with a call while there are tools and no result of one."""
    if not exchange.request.target.startswith("/v1/chat/completions"):
        await exchange.reply(404, b'{"error":{"message":"no such endpoint"}}')
        return
    body = json.loads(exchange.request.body)
    answered = any(message["role"] == "tool" for message in body["messages"])
    tool = bool(body.get("tools")) and not answered
    if body.get("stream"):
        await exchange.stream(*answers.chunks(tool=tool))
        return
    text = '{"city":"Ulm","degrees":21}' if "response_format" in body else "Hello 🍀"
    await exchange.reply(200, answers.completion(text, tool=tool), ("x-request-id", "req-upstream"))


@pytest.fixture(scope="session")
def chat_only(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProxy]:
    """In front of the server of these tests."""
    file = tmp_path_factory.mktemp("chat_only") / "moos.yaml"
    file.write_text(POLICIES.format(url=upstream.url, key=KEY))
    with LiveProxy(create_app(Settings(), load(file), FakeCompressor())) as live:
        yield live


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProxy]:
    """In front of a tiny model with random weights."""
    folder = tmp_path_factory.mktemp("crossing")
    tiny_gguf.write(folder / "tiny.gguf")
    models = {"tiny": {"path": str(folder / "tiny.gguf"), "context": 1024}}
    with tiny_gguf.local_proxy(folder, models) as live:
        yield live


def opened(live: LiveProxy, key: str = "any") -> openai.OpenAI:
    """Without retries."""
    return openai.OpenAI(base_url=f"{live.url}/v1", api_key=key, max_retries=0, timeout=60)


def theirs(live: LiveProxy, key: str = "any") -> anthropic.Anthropic:
    """Without retries."""
    return anthropic.Anthropic(base_url=live.url, api_key=key, max_retries=0, timeout=60)


@pytest.fixture
def model(upstream: ScriptedUpstream) -> str:
    """A name that the server answers to."""
    name = fresh("crossing")
    upstream.scripts[name] = serve
    return name


def sent(upstream: ScriptedUpstream, word: str) -> Any:
    """The latest body with this word, which must have come to chat."""
    received = upstream.last(word)
    assert received.target == "/v1/chat/completions"
    return json.loads(received.body)

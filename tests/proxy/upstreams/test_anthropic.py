"""Kind `anthropic`: Anthropic's wire format passes as it is, the key goes where Anthropic looks for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from moosproxy.policies.files.load import load
from moosproxy.policies.model import Upstream
from moosproxy.proxy.app import create_app
from moosproxy.proxy.routes.relay import _marks_its_end
from moosproxy.proxy.settings import Settings
from tests.proxy.answers import anthropic_events, anthropic_message
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.wire import ask, fresh

FILE = """
upstreams:
  claude: {{kind: anthropic, base_url: "{url}", api_key: sk-ant-ours, headers: {{x-own: "1"}}}}
routes:
  - {{match: {{model: "theirs*"}}, overrides: {{forward_caller_key: true}}}}
  - {{}}
"""


def body(model: str, **fields: object) -> dict[str, object]:
    return {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **fields}


@pytest.fixture
def live(upstream: ScriptedUpstream, tmp_path: Path) -> Iterator[LiveProxy]:
    file = tmp_path / "moos.yaml"
    file.write_text(FILE.format(url=upstream.url))
    with LiveProxy(create_app(Settings(), load(file), FakeCompressor())) as opened:
        yield opened


async def test_our_key_goes_out_as_x_api_key_alone(live: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("keyed")
    versions = {"anthropic_version": "2023-06-01", "anthropic_beta": "a,b"}
    await ask(
        live.port, body(model), "/v1/messages?beta=true", authorization="Bearer any", x_api_key="k", **versions
    )
    received = upstream.last(model)

    assert received.target == "/v1/messages?beta=true"
    assert {name: value for name, value in received.headers if name.lower() not in ("host", "content-length")} == {
        "anthropic-version": "2023-06-01", "anthropic-beta": "a,b", "content-type": "application/json",
        "x-api-key": "sk-ant-ours", "x-own": "1",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["x-api-key", "authorization"])
async def test_the_callers_own_key_goes_out_alone_where_the_policy_says_so(
    live: LiveProxy, upstream: ScriptedUpstream, name: str
) -> None:
    model = fresh("theirs")
    await ask(live.port, body(model), "/v1/messages", **{name: "Bearer mine"})
    received = upstream.last(model)

    assert received.header(name) == "Bearer mine"
    assert received.header("authorization" if name == "x-api-key" else "x-api-key") is None


async def test_answers_streams_and_errors_come_back_whole(live: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("answers")
    error = b'{"type":"error", "error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}'
    upstream.scripts[model] = lambda e: e.reply(200, anthropic_message())
    plain = await ask(live.port, body(model), "/v1/messages")
    upstream.scripts[model] = lambda e: e.stream(*anthropic_events())
    streamed = await ask(live.port, body(model, stream=True), "/v1/messages")
    upstream.scripts[model] = lambda e: e.reply(529, error, ("retry-after", "3"))
    failed = await ask(live.port, body(model), "/v1/messages")

    assert plain.body == anthropic_message()
    assert streamed.body == b"".join(anthropic_events())
    assert (failed.status, failed.body, failed.headers["retry-after"]) == (529, error, "3")


async def test_what_it_read_and_wrote_is_counted(live: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("counted")
    upstream.scripts[model] = lambda e: e.stream(*anthropic_events())
    await ask(live.port, body(model, stream=True), "/v1/messages")
    told = (await ask(live.port, b"", "/metrics", "GET")).body.decode()

    counts = re.findall(r'moos_provider_tokens_total{kind="(\w+)",[^}]*upstream="claude"} ([0-9.]+)', told)
    assert dict(counts) == {
        "prompt": "11.0",
        "cached": "4.0",
        "completion": "5.0",
    }  # with what it had cached


@pytest.mark.parametrize("rest", [{}, {"messages": []}, {"messages": ["hello"]}, {"messages": "hello"}])
def test_a_body_of_any_form_can_be_asked_whether_its_end_is_cached(rest: dict[str, object]) -> None:
    assert not _marks_its_end({"model": "m", **rest})


def test_it_needs_an_address() -> None:
    with pytest.raises(ValidationError, match=r"kind anthropic needs a base_url, such as https://api\.anthropic"):
        Upstream(name="claude", kind="anthropic")

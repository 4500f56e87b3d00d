"""What every door does with odd requests and with the proxy's own headers, errors and policies."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from anthropic.types.shared.error_response import ErrorResponse

from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import BOOM, FakeCompressor
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.wire import Response, ask, fresh, long_text

TEXT = long_text(200)
HALF = " ".join(TEXT.split()[::2])
PATHS = {
    "chat": "/v1/chat/completions",
    "completions": "/v1/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
}
by_door = pytest.mark.parametrize("door", PATHS)


def body_for(door: str, model: str, text: str = TEXT, **fields: Any) -> dict[str, Any]:
    """The same text as each door takes it."""
    message = [{"role": "user", "content": text}]
    inside = {
        "chat": {"messages": message},
        "completions": {"prompt": text},
        "responses": {"input": message},
        "messages": {"messages": message, "max_tokens": 9},
    }
    return {"model": model, **inside[door], **fields}


def fault(door: str, answer: Response) -> tuple[str, str]:
    """Type and message of an error, checked for the door's shape."""
    body = answer.json()
    if door == "messages":
        ErrorResponse.model_validate(body)
        assert body["request_id"] == answer.headers["x-moos-request-id"]
    else:
        assert set(body) == {"error"}
        assert set(body["error"]) == {"message", "type", "param", "code"}
    return body["error"]["type"], body["error"]["message"]


@by_door
async def test_a_long_text_is_shortened_and_every_other_byte_stays(
    proxy: LiveProxy, upstream: ScriptedUpstream, door: str
) -> None:
    model = fresh("splice")
    odd = b'{ "seed":12345678901234567890123,"x":1,\r\n"x":2.0,"u":"caf\\u00e9 \xf0\x9f\x8d\x80",'
    body = odd + json.dumps(body_for(door, model)).encode()[1:]
    answer = await ask(proxy.port, body, PATHS[door])

    assert upstream.last(model).body == body.replace(TEXT.encode(), HALF.encode())
    assert answer.headers["x-moos-tokens-before"] == "200"
    assert answer.headers["x-moos-tokens-after"] == "100"
    assert "x-moos-skipped" not in answer.headers


@by_door
async def test_headers_change_a_request_at_every_door(
    proxy: LiveProxy, upstream: ScriptedUpstream, door: str
) -> None:
    model = fresh("wishes")
    harder = await ask(proxy.port, body_for(door, model), PATHS[door], x_moos_ratio="4")
    whole = await ask(proxy.port, body_for(door, model), PATHS[door], x_moos_bypass="true")
    shadow = await ask(proxy.port, body_for(door, fresh("shadow")), PATHS[door])
    wrong = await ask(proxy.port, body_for(door, model), PATHS[door], x_moos_ratio="0")

    assert harder.headers["x-moos-tokens-after"] == "50"
    assert TEXT.encode() in upstream.last(model).body
    assert whole.headers["x-moos-skipped"] == "0=bypass"
    assert shadow.headers["x-moos-shadow"] == "tokens-after=100"
    assert fault(door, wrong)[0] == "invalid_request_error"


@by_door
async def test_failures_go_out_whole_or_are_refused_in_the_doors_shape(
    proxy: LiveProxy, upstream: ScriptedUpstream, door: str
) -> None:
    model, text = fresh("boom"), f"{fresh(BOOM)} {TEXT}"
    whole = await ask(proxy.port, body_for(door, model, text), PATHS[door])
    strict = await ask(proxy.port, body_for(door, fresh("strict"), f"{text} more"), PATHS[door])

    assert text.encode() in upstream.last(model).body
    assert whole.headers["x-moos-skipped"] == "0=failed"
    assert strict.status == 503
    assert "reject" in fault(door, strict)[1]


@by_door
@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"{", 400), (b"[1]", 400), (b'{"a":NaN}', 400), (b"[" * 100_000, 400), (b'{"a":' * 100_000, 400),
     (b"[" * 5_000 + b"]" * 5_000, 400), (b'{"model":7,"messages":[],"input":[]}', 400), (b"x" * 2_000_001, 413)],
    ids=["empty", "cut", "array", "nan", "deep", "deep objects", "closed", "model", "large"],
)  # fmt: skip
async def test_what_cannot_be_read_is_refused_in_the_doors_shape(
    proxy: LiveProxy, door: str, body: bytes, status: int
) -> None:
    answer = await ask(proxy.port, body, PATHS[door])

    assert answer.status == status
    assert fault(door, answer)[0] == "invalid_request_error"


@pytest.mark.parametrize(
    "item",
    [
        {"type": "function_call_output", "call_id": "nobodys", "output": 7},
        {"type": "function_call_output"},
        {"type": 7, "content": TEXT},
        {"type": "of_tomorrow", "text": TEXT, "content": [{"type": "text", "text": TEXT}]},
        {"role": ["user"], "content": {"type": "text", "text": TEXT}},
        {"role": "user", "content": [{"type": "text", "text": 7}, None, [TEXT]]},
        {"role": "user", "content": [{"type": "x", "cache_control": {"type": "of_tomorrow"}}]},
        {"type": "tool_result", "content": [[[]]]},
    ],
)  # fmt: skip
@pytest.mark.parametrize("door", ["chat", "responses", "messages"])
async def test_items_that_we_do_not_know_are_the_providers_to_judge(
    proxy: LiveProxy, upstream: ScriptedUpstream, door: str, item: Any
) -> None:
    model = fresh("odd")
    body = json.dumps({"model": model, "messages": [item], "input": [item]}).encode()
    answer = await ask(proxy.port, body, PATHS[door])

    assert answer.status == 200
    assert upstream.last(model).body == body


async def test_an_invalid_mark_and_an_output_without_its_call_go_on_with_a_shorter_text(
    proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    marked, lone = fresh("marked"), fresh("lone")
    block = {"type": "text", "text": TEXT, "cache_control": {"type": 7, "ttl": [None]}}
    body = json.dumps(
        {"model": marked, "messages": [{"role": "user", "content": [block]}], "max_tokens": 9}
    ).encode()
    await ask(proxy.port, body, "/v1/messages")
    output = json.dumps(
        {"model": lone, "input": [{"type": "function_call_output", "call_id": "none", "output": TEXT}]}
    ).encode()
    await ask(proxy.port, output, "/v1/responses")

    assert upstream.last(marked).body == body.replace(TEXT.encode(), HALF.encode())
    assert upstream.last(lone).body == output.replace(TEXT.encode(), HALF.encode())


@pytest.mark.parametrize("door", PATHS)
@pytest.mark.parametrize("other", PATHS)
async def test_a_body_for_another_door_loses_nothing(
    proxy: LiveProxy, upstream: ScriptedUpstream, door: str, other: str
) -> None:
    model = fresh("wrong")
    body = json.dumps(body_for(other, model)).encode()
    answer = await ask(proxy.port, body, PATHS[door])

    if answer.status == 400:
        assert fault(door, answer)[1].startswith("messages must be")
    else:
        assert answer.status == 200
        assert upstream.last(model).body in (body, body.replace(TEXT.encode(), HALF.encode()))


@pytest.mark.parametrize("door", ["chat", "responses", "messages"])
async def test_a_hundred_thousand_items_are_served(upstream: ScriptedUpstream, door: str) -> None:
    model = fresh("many")
    items = [{"role": "user", "content": "hi"}] * 100_000 + [{"role": "user", "content": TEXT}]
    body = json.dumps({"model": model, "messages": items, "input": items}).encode()
    with LiveProxy(create_app(Settings(), _open(upstream), FakeCompressor())) as live:
        with anyio.fail_after(30):
            answer = await ask(live.port, body, PATHS[door])

    assert answer.status == 200
    went = json.loads(upstream.last(model).body)["input" if door == "responses" else "messages"]
    assert (len(went), went[0], went[-1]["content"]) == (100_001, items[0], HALF)


def _open(upstream: ScriptedUpstream) -> Any:
    from moosproxy.policies.model import Policy, Upstream
    from moosproxy.policies.resolve import Decision, Matcher, PolicySet, Rule

    main = Upstream(name="main", kind="openai", base_url=upstream.url)
    return PolicySet({None: (Rule(Matcher(), Decision(Policy(min_tokens=20), "all", (main,))),)}, {"main": main})

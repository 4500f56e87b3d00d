"""What can be seen of a request from outside: headers, one log line, metrics. Never its text, never a key."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from moosproxy.proxy.log import JsonFormatter, RequestLines
from moosproxy.proxy.observing.metrics import Metrics
from moosproxy.proxy.upstreams.usage import Usage, UsageReader
from tests.proxy.answers import USAGE, chunks, completion
from tests.proxy.conftest import TEAM_KEYS, UPSTREAM_KEY
from tests.proxy.fakes import BOOM
from tests.proxy.ledger.ledgers import record
from tests.proxy.live import Exchange, LiveProxy, ScriptedUpstream
from tests.proxy.wire import ask, chat, connected, fresh, long_text, raw_request

CANARY = "canary7531"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that any logger writes at any level, in the form that `moos serve` writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root, moos = logging.getLogger(), logging.getLogger("moos")
    levels = root.level, moos.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    moos.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(levels[0])
    moos.setLevel(levels[1])


def lines(log: io.StringIO, **fields: Any) -> list[dict[str, Any]]:
    """The request lines that have these values."""
    parsed = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in parsed if line["event"] == "request" and fields.items() <= line.items()]


async def settled(log: io.StringIO, request_id: str) -> dict[str, Any]:
    """The one line of a request, once it is there: it is written after the answer went out."""
    for _ in range(100):
        if found := lines(log, request_id=request_id):
            assert len(found) == 1
            return found[0]
        await asyncio.sleep(0.02)
    raise AssertionError("no log line")


async def metric(port: int, name: str, **labels: str) -> float:
    """The sum of a metric's samples with these labels."""
    text = (await ask(port, b"", "/metrics", "GET")).body.decode()
    total = 0.0
    for line in text.splitlines():
        if line.startswith((name + "{", name + " ")) and all(f'{k}="{v}"' in line for k, v in labels.items()):
            total += float(line.rpartition(" ")[2])
    return total


async def test_one_line_tells_what_happened(
    proxy: LiveProxy, upstream: ScriptedUpstream, log: io.StringIO
) -> None:
    model, name = fresh("line"), fresh("id")
    upstream.scripts[model] = lambda e: e.reply(200, completion())
    await ask(proxy.port, chat(model, long_text(100), "short"), x_request_id=name)
    line = await settled(log, name)

    assert (line["status"], line["upstream"], line["policy"], line["method"]) == (200, "main", "default", "POST")
    assert (line["tokens_before"], line["parts"]) == (line["tokens_after"] + 50, {"compressed": 1, "too_short": 1})
    assert (line["prompt_tokens"], line["cached_tokens"], line["completion_tokens"]) == (11, 4, 5)
    assert line["duration_ms"] >= line["upstream_ms"] > 0


async def test_the_second_time_a_text_comes_from_the_cache(proxy: LiveProxy) -> None:
    body = chat("echo", long_text(100, fresh("again")))
    first, second = await ask(proxy.port, body), await ask(proxy.port, body)

    assert (first.headers["x-moos-cache-hits"], second.headers["x-moos-cache-hits"]) == ("0", "1")
    assert first.body[60:200] == second.body[60:200]


async def test_headers_name_the_reason_for_each_part_left_alone(proxy: LiveProxy) -> None:
    body = chat("echo", long_text(100), "short")
    body["messages"][:0] = [{"role": "system", "content": long_text()}]
    body["messages"].append({"role": "user", "content": [{"type": "text", "text": f"{BOOM} {long_text(50)}"}]})
    answer = await ask(proxy.port, body)
    bypassed = await ask(proxy.port, chat("echo", long_text(90)), x_moos_bypass="1")

    assert answer.headers["x-moos-skipped"] == "0=role,2=too_short,3.0=failed"
    assert bypassed.headers["x-moos-skipped"] == "0=bypass"
    assert bypassed.headers["x-moos-ratio"] == "1.000"


async def test_a_policy_that_rejects_answers_503_when_compression_fails(
    proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("strict")
    answer = await ask(proxy.port, chat(model, f"{BOOM} {long_text()}"))

    assert (answer.status, answer.json()["error"]["code"]) == (503, "compression_failed")
    assert not upstream.all(model)


async def test_shadow_measures_and_forwards_the_original(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("shadow")
    body = json.dumps(chat(model, long_text(100))).encode()
    answer = await ask(proxy.port, body)

    assert upstream.last(model).body == body
    sent = {
        name: answer.headers[f"x-moos-{name}"] for name in ("tokens-before", "tokens-after", "ratio", "shadow")
    }
    assert sent == {
        "tokens-before": "100",
        "tokens-after": "100",
        "ratio": "1.000",
        "shadow": "tokens-after=50",
    }


async def test_tokens_that_nobody_counted_are_said_to_be_estimates(proxy: LiveProxy) -> None:
    messages = [
        {"role": "system", "content": "abcd" * 10},
        {"role": "user", "content": long_text(100, fresh("w"))},
    ]
    answer = await ask(proxy.port, {"model": fresh("main"), "messages": messages})

    assert answer.headers["x-moos-tokens-estimated"] == "10"
    assert answer.headers["x-moos-tokens-before"] == "110"


async def test_metrics_count_requests_parts_tokens_and_what_the_provider_reports(
    proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("metrics")
    upstream.scripts[model] = lambda e: e.stream(*chunks())
    names = {
        "moos_requests_total": {"endpoint": "/chat/completions", "status": "200"},
        "moos_parts_total": {"outcome": "compressed"},
        "moos_tokens_total": {"when": "before"},
        "moos_provider_tokens_total": {"kind": "cached", "upstream": "main"},
        "moos_upstream_attempts_total": {"upstream": "main", "outcome": "2xx"},
        "moos_upstream_first_byte_seconds_count": {"upstream": "main"},
        "moos_compression_seconds_count": {},
        "moos_proxy_seconds_count": {},
    }
    before = {name: await metric(proxy.port, name, **labels) for name, labels in names.items()}
    await ask(proxy.port, chat(model, long_text(100, fresh("w")), stream=True))
    await asyncio.sleep(0.05)
    grown = {name: await metric(proxy.port, name, **labels) - before[name] for name, labels in names.items()}

    assert grown["moos_provider_tokens_total"] == USAGE["prompt_tokens_details"]["cached_tokens"]  # type: ignore[index]
    assert grown["moos_tokens_total"] == 100
    assert all(value > 0 for value in grown.values())
    assert await metric(proxy.port, "moos_requests_in_flight") == 0


def test_tokens_are_counted_of_what_an_upstream_took_alone() -> None:
    metrics = Metrics()
    for given in ({}, {"status": 429}, {"status": 404, "upstream": None}, {"upstream": None}):
        metrics.finished(record(**given))
    told = metrics.exposition().decode().splitlines()

    (before,) = [line for line in told if line.startswith("moos_tokens_total{") and 'when="before"' in line]
    assert before.endswith(" 2000.0")


async def test_what_a_caller_writes_never_becomes_a_label(proxy: LiveProxy) -> None:
    await ask(proxy.port, chat(f"{CANARY}-model"), f"/v1/{CANARY}", x_request_id=CANARY)

    assert CANARY.encode() not in (await ask(proxy.port, b"", "/metrics", "GET")).body


async def test_no_text_and_no_key_reaches_the_log(
    proxy: LiveProxy, keyed_proxy: LiveProxy, upstream: ScriptedUpstream, log: io.StringIO
) -> None:
    text, model = f"{CANARY} {BOOM} {long_text(30, CANARY)}", fresh("quiet")
    leaky = f"sk-{CANARY}"

    async def garbage(exchange: Exchange) -> None:
        await exchange.send(f"HTTP/1.1 {CANARY}\r\n\r\n".encode())
        exchange.writer.close()

    answers = {
        "good": lambda e: e.reply(200, completion(CANARY), ("x-secret", CANARY)),
        "bad": lambda e: e.reply(500, b'{"error":{"message":"%s"}}' % CANARY.encode()),
        "brief": lambda e: e.stream(b"data: " + CANARY.encode() + b"\n\n", b"x", pause_s=0.5),
        "garbage": garbage,
    }
    for name, script in answers.items():
        word = fresh(f"{name}-{model}")
        upstream.scripts[word] = script  # type: ignore[assignment]
        await ask(proxy.port, chat(word, text), authorization=f"Bearer {leaky}")
    for body in (f'{{"model": "{CANARY}', f'{{"messages": "{CANARY}"}}', f'{{"messages":[{{"{CANARY}":1}}]}}'):
        await ask(proxy.port, body.encode())
    await ask(proxy.port, {"text": text, "role": CANARY}, "/v1/compress")
    await ask(proxy.port, chat("dead", text), f"/v1/chat/completions?key={CANARY}", x_moos_ratio=CANARY)
    await ask(keyed_proxy.port, chat("x", text), authorization=f"Bearer {leaky}")
    await ask(keyed_proxy.port, chat("x", text), authorization=f"Bearer {TEAM_KEYS['hard']}")
    async with connected(proxy.port) as (_, writer):
        writer.write(raw_request("/v1/chat/completions", json.dumps(chat(model, text)).encode())[:-9])
    await asyncio.sleep(0.2)
    written = log.getvalue()

    assert len(lines(log)) >= 11
    for secret in (CANARY, UPSTREAM_KEY, *TEAM_KEYS.values()):
        assert secret not in written


def test_an_exception_is_logged_by_its_type_and_place_alone(log: io.StringIO) -> None:
    try:
        int(CANARY)
    except ValueError:
        logging.getLogger("moos").exception("broken")
    line = json.loads(log.getvalue())

    assert line["exception"] == "ValueError"
    assert line["trace"][0].endswith("test_an_exception_is_logged_by_its_type_and_place_alone")
    assert CANARY not in log.getvalue()


def test_the_quick_way_writes_the_line_that_the_formatter_writes(log: io.StringIO) -> None:
    fields = {"request_id": "r", "status": 200, "parts": {"role": 2}}
    written: list[bytes] = []
    RequestLines(written.append).put(fields)
    logging.getLogger("moos.request").info("request", extra={"fields": fields})
    quick, usual = json.loads(written[0]), json.loads(log.getvalue())

    assert written[0].endswith(b"}\n")
    assert quick.keys() == usual.keys()
    assert len(quick["ts"]) == len(usual["ts"]) and quick["ts"][-6:] == "+00:00"
    assert {**quick, "ts": ""} == {**usual, "ts": ""}


@pytest.mark.parametrize("chunk", [700, 300_000])
def test_usage_is_read_off_the_end_of_a_long_answer(chunk: int) -> None:
    vectors = [{"index": number, "embedding": [0.123] * 1000} for number in range(500)]
    document = json.dumps({"object": "list", "data": vectors, "usage": {"prompt_tokens": 7, "total_tokens": 7}})
    reader = UsageReader([(b"content-type", b"application/json")])
    for at in range(0, len(document), chunk):
        reader.feed(document[at : at + chunk].encode())

    assert len(document) > 2_000_000
    assert reader.usage() == Usage(prompt=7, completion=0, cached=0)


@pytest.mark.parametrize("filler", [0, 100_000])
def test_usage_of_streamed_responses_and_messages_is_found_however_long_they_are(filler: int) -> None:
    text = "x" * filler
    usage = {"input_tokens": 7, "input_tokens_details": {"cached_tokens": 3}, "output_tokens": 5}
    whole = json.dumps({"type": "response.completed", "response": {"text": text, "usage": usage, "metadata": {}}})
    events = [b'event: x\ndata: {"type":"response.created","response":{"usage":null}}\n\n',
              b"data: " + whole.encode() + b"\n\n"]  # fmt: skip
    begun = {"input_tokens": 2, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 4, "output_tokens": 1}
    theirs = [b"data: " + json.dumps({"type": "message_start", "message": {"usage": begun}}).encode() + b"\n\n",
              *[b'data: {"type":"content_block_delta","delta":{"text":"xxxxxxxxxx"}}\n\n'] * (filler // 20),
              b'data: {"type":"message_delta","delta":{},"usage":{"output_tokens":5}}\n\n',
              b'data: {"type":"message_stop"}\n\n']  # fmt: skip
    found = []
    for stream in (events, theirs):
        reader = UsageReader([(b"content-type", b"text/event-stream")])
        for event in stream:
            reader.feed(event)
        found.append(reader.usage())

    assert found == [Usage(7, 5, 3), Usage(9, 5, 3, 4)]

"""From a request to its row, through a real proxy: control group, cost awareness, labels, readiness."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from moosproxy.policies.files.load import load
from moosproxy.policies.keys import hash_key
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy.answers import completion
from tests.proxy.fakes import FakeCompressor
from tests.proxy.ledger.ledgers import rows
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.wire import ask, chat, fresh, long_text

KEY = "sk-moos-of-the-red-team"
POLICIES = """
defaults: {{min_tokens: 20}}
upstreams:
  main: {{kind: openai, base_url: "{url}", prices: {{"*": {{input: 2, output: 8, cached: 0.2}}}}}}
routes:
  - {{name: half, match: {{model: "half*"}}, overrides: {{holdout: 0.5}}}}
  - {{name: aware, match: {{model: "aware*"}}, overrides: {{cost_aware: true}}}}
  - {{name: rest}}
teams:
  red: {{keys: ["{digest}"]}}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def proxy(upstream: ScriptedUpstream, tmp_path: Path, place: Path) -> Iterator[LiveProxy]:
    file = tmp_path / "moos.yaml"
    file.write_text(POLICIES.format(url=upstream.url, digest=hash_key(KEY)))
    with LiveProxy(create_app(Settings(ledger=str(place)), load(file), FakeCompressor())) as live:
        yield live


async def sent(
    proxy: LiveProxy, place: Path, *bodies: dict[str, Any], path: str = "/v1/chat/completions", **headers: str
) -> list[dict[str, Any]]:
    """The rows of some requests, once they are there."""
    before = len(rows(place))
    for body in bodies:
        await ask(proxy.port, body, path, authorization=f"Bearer {KEY}", **headers)
    for _ in range(200):
        found = rows(place)
        if len(found) >= before + len(bodies):
            return found[before:]
        await asyncio.sleep(0.05)
    raise AssertionError("no rows")


async def test_a_request_becomes_a_row_without_its_text(
    proxy: LiveProxy, upstream: ScriptedUpstream, place: Path
) -> None:
    model, word = fresh("row"), "canary8642"
    upstream.scripts[model] = lambda e: e.reply(200, completion(word))
    body = chat(model, long_text(400, word))
    (row,) = await sent(proxy, place, body, x_stainless_retry_count="2")

    assert (row["team"], row["key_id"], row["route"], row["door"]) == ("red", hash_key(KEY)[:12], "rest", "chat")
    assert (row["model"], row["answered"], row["upstream"], row["arm"]) == (model, "m", "main", "compressed")
    assert (row["tokens_before"], row["tokens_sent"], row["retries"]) == (400, 200, 2)
    assert (row["input_tokens"], row["cached_tokens"], row["output_tokens"]) == (11, 4, 5)
    assert row["billed_nano"] == 7 * 2000 + 4 * 200 + 5 * 8000
    assert row["total_us"] > row["proxy_us"] > 0
    raw = b"".join(file.read_bytes() for file in place.parent.glob("ledger*"))
    assert word.encode() not in raw
    assert KEY.encode() not in raw


async def test_who_may_not_come_in_writes_no_row_and_is_counted(proxy: LiveProxy, place: Path) -> None:
    answer = await ask(proxy.port, chat("any"), authorization="Bearer sk-wrong")
    (row, *more) = await sent(proxy, place, chat(fresh("after")))
    text = proxy.app._services().metrics.exposition().decode()

    assert answer.status == 401
    assert (row["team"], more) == ("red", [])
    refused = [line for line in text.splitlines() if line.startswith("moos_requests_total{") and '"401"' in line]
    assert len(refused) == 1


async def test_a_held_out_conversation_goes_as_it_came_in_every_turn_and_others_are_shortened(
    proxy: LiveProxy, upstream: ScriptedUpstream, place: Path
) -> None:
    model = fresh("half")
    upstream.scripts[model] = lambda e: e.reply(200, completion())
    conversations = [[long_text(60, f"talk{number}x"), long_text(80, "more")] for number in range(20)]
    bodies = [chat(model, *texts[:turn]) for texts in conversations for turn in (1, 2)]
    found = await sent(proxy, place, *bodies)

    sides = [(row["arm"], row["conversation"]) for row in found]
    assert sides[::2] == sides[1::2]
    assert {arm for arm, _ in sides} == {"compressed", "holdout"}
    assert len({number for _, number in sides}) == 20
    for body, row, got in zip(bodies, found, upstream.all(model), strict=True):
        whole = json.loads(got.body)["messages"] == body["messages"]
        assert whole == (row["arm"] == "holdout") == (row["tokens_before"] == row["tokens_sent"])
        assert ("holdout" in json.loads(row["skips"] or "{}")) == whole


async def test_what_carries_on_a_kept_response_goes_as_it_came_and_counts_on_neither_side(
    proxy: LiveProxy, upstream: ScriptedUpstream, place: Path
) -> None:
    model = fresh("half")
    upstream.scripts[model] = lambda e: e.reply(200, completion())
    first = [{"model": model, "input": long_text(60, f"kept{number}x")} for number in range(20)]
    then = [{**body, "previous_response_id": f"resp_{number}"} for number, body in enumerate(first)]
    found = await sent(proxy, place, *first, *then, path="/v1/responses")

    assert {row["arm"] for row in found[:20]} == {"compressed", "holdout"}
    assert {(row["arm"], row["conversation"]) for row in found[20:]} == {("off", None)}
    assert [json.loads(got.body)["input"] for got in upstream.all(model)[20:]] == [body["input"] for body in then]


async def test_before_anybody_has_spoken_a_conversation_is_on_no_side_and_stays_there(
    proxy: LiveProxy, upstream: ScriptedUpstream, place: Path
) -> None:
    model = fresh("half")
    upstream.scripts[model] = lambda e: e.reply(200, completion())
    rules = {"role": "system", "content": long_text(60)}
    spoken = [{"role": "assistant", "content": "hm"}, {"role": "user", "content": "go on"}]
    bodies = [{"model": model, "messages": [rules, *spoken[:turn]]} for turn in (0, 2)]
    found = await sent(proxy, place, *bodies)

    assert [(row["arm"], row["conversation"]) for row in found] == [("off", None), ("off", None)]
    one, two = (json.loads(got.body)["messages"][0] for got in upstream.all(model))
    assert one == two


async def test_cost_aware_leaves_alone_what_would_fall_below_the_least_that_is_cached_in_every_turn_alike(
    proxy: LiveProxy, upstream: ScriptedUpstream, place: Path
) -> None:
    model = fresh("aware")
    texts = [long_text(300, "one"), long_text(300, "two"), long_text(300, "three"), long_text(900, "four")]
    await sent(proxy, place, *(chat(model, *texts[: turn + 1]) for turn in range(4)))
    bodies = [json.loads(got.body)["messages"] for got in upstream.all(model)]

    for earlier, later in pairwise(bodies):
        assert later[: len(earlier)] == earlier
    whole = [message["content"] == text for message, text in zip(bodies[-1], texts, strict=True)]
    assert whole == [True, True, False, False]


async def test_metrics_name_model_door_and_route_and_are_bounded(
    proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    base = fresh("label")
    upstream.scripts[base] = lambda e: e.reply(200, completion())
    for number in range(120):
        await ask(proxy.port, chat(f"{base}-{number}", "hello"), authorization=f"Bearer {KEY}")
    text = (await ask(proxy.port, b"", "/metrics", "GET", authorization=f"Bearer {KEY}")).body.decode()
    lines = [
        line for line in text.splitlines() if line.startswith("moos_requests_total{") and 'door="chat"' in line
    ]

    assert any(f'model="{base}-3"' in line and 'route="rest"' in line for line in lines)
    assert len(lines) == 101
    assert any('model="other"' in line and line.endswith(" 20.0") for line in lines)


async def test_the_proxy_serves_on_without_a_ledger_and_says_why(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    place = tmp_path / "ledger.sqlite"
    place.write_bytes(b"not a database, " * 400)
    with LiveProxy(create_app(Settings(ledger=str(place)), None, FakeCompressor())) as live:
        answers = [await ask(live.port, chat("echo", "hello")) for _ in range(20)]
        ready = (await ask(live.port, b"", "/readyz", "GET")).json()["checks"]["ledger"]

    assert {answer.status for answer in answers} == {200}
    assert ready["state"] == "degraded"
    assert "is no ledger: move it away" in ready["detail"]


async def test_requests_while_the_database_is_locked_all_succeed_and_their_rows_come(tmp_path: Path) -> None:
    place = tmp_path / "ledger.sqlite"
    with LiveProxy(create_app(Settings(ledger=str(place), compressor="off"), None)) as live:
        with sqlite3.connect(place, isolation_level=None, check_same_thread=False) as other:
            other.execute("BEGIN EXCLUSIVE")
            statuses: list[int] = []

            async def some() -> None:
                statuses.extend([(await ask(live.port, chat("echo", "hello"))).status for _ in range(125)])

            await asyncio.gather(*(some() for _ in range(8)))
            other.execute("ROLLBACK")
        other.close()
        services = live.app._services()
        lost = services.ledger_writer.lost

    assert statuses == [200] * 1000
    assert len(rows(place)) + lost == 1000
    assert lost == 0

"""Local models at work: cancelled, queued, crashed, and gone when the proxy ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from moosproxy.policies.keys import hash_key
from tests.proxy import tiny_gguf
from tests.proxy.fakes import prose
from tests.proxy.live import LiveProxy
from tests.proxy.upstreams.llama_cpp.conftest import HELLO, LONG, made, pids

pytestmark = tiny_gguf.needs_llama_cpp

FREED_S = 0.2


@pytest.fixture(scope="module")
def slow(folder: Path) -> Iterator[LiveProxy]:
    """The slow model alone, loaded."""
    (own := folder / "own").mkdir()
    models = {"slow": {"path": str(folder / "slow.gguf"), "context": 8192}}
    with tiny_gguf.local_proxy(own, models, limits={"max_waiting": 2}) as live:
        with made(live) as client:
            client.chat.completions.create(model="slow", messages=HELLO, max_tokens=1)
        yield live


def _leave(live: LiveProxy, body: dict[str, Any], after_s: float) -> None:
    """Asks, and hangs up before the answer is there."""
    # The likeliest token each time: by chance the model might end its answer early.
    request = {"model": "slow", "temperature": 0, **body}
    with suppress(httpx.TimeoutException):
        httpx.post(f"{live.url}/v1/chat/completions", json=request, timeout=after_s)
        pytest.fail("the answer was there before the client left")


@pytest.mark.parametrize("body", [{"messages": LONG, "max_tokens": 4}, {"messages": HELLO, "max_tokens": 4000}])
@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_frees_the_model_at_once(slow: LiveProxy, body: dict[str, Any], stream: bool) -> None:
    """In the middle of a long prompt, and in the middle of a long answer."""
    with made(slow) as client:
        alone = time.perf_counter()
        client.chat.completions.create(model="slow", messages=HELLO, max_tokens=1)
        alone = time.perf_counter() - alone
        if stream:
            with httpx.stream(
                "POST",
                f"{slow.url}/v1/chat/completions",
                json={"model": "slow", "stream": True, **body},
                timeout=60,
            ) as answer:
                next(answer.iter_raw())
                time.sleep(0.5)
        else:
            _leave(slow, body, 0.7)
        began = time.perf_counter()
        client.chat.completions.create(model="slow", messages=HELLO, max_tokens=1)
        took = time.perf_counter() - began

    assert took - alone < FREED_S


def test_a_full_queue_is_told_with_the_time_to_come_back(slow: LiveProxy) -> None:
    body = {"messages": HELLO, "max_tokens": 4000}
    leaving = [threading.Thread(target=_leave, args=(slow, body, 1.5)) for _ in range(3)]
    for thread in leaving:
        thread.start()
        time.sleep(0.1)
    with made(slow) as client, pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="slow", messages=HELLO, max_tokens=1)
    for thread in leaving:
        thread.join()

    assert "queue_full" == caught.value.code
    assert 1 <= int(caught.value.response.headers["retry-after"])


@pytest.mark.slow
def test_a_team_with_many_requests_does_not_hold_up_another(folder: Path, tmp_path: Path) -> None:
    keys = {"many": "sk-moos-many", "one": "sk-moos-one"}
    teams = {team: {"keys": [hash_key(key)]} for team, key in keys.items()}
    models = {"a": {"path": str(folder / "slow.gguf")}}
    order: list[str] = []

    def ask(live: LiveProxy, team: str) -> None:
        with made(live, keys[team]) as client:
            client.chat.completions.create(model="a", messages=HELLO, max_tokens=120)
        order.append(team)

    with tiny_gguf.local_proxy(tmp_path, models, teams=teams) as live:
        ask(live, "many")
        threads = [threading.Thread(target=ask, args=(live, team)) for team in ("many",) * 4 + ("one",)]
        for thread in threads:
            thread.start()
            time.sleep(0.05)
        for thread in threads:
            thread.join()

    assert order.index("one") <= 3  # the first, the one at work then, and one more of the other team


@pytest.mark.slow
def test_a_model_that_is_killed_costs_its_request_and_no_other(folder: Path, tmp_path: Path) -> None:
    models = {"slow": {"path": str(folder / "slow.gguf")}}
    with tiny_gguf.local_proxy(tmp_path, models) as live, made(live) as client:
        client.chat.completions.create(model="slow", messages=HELLO, max_tokens=1)
        killer = threading.Timer(0.5, lambda: os.kill(pids(live)["slow"], signal.SIGKILL))
        killer.start()
        with pytest.raises(openai.InternalServerError, match="want of memory") as caught:
            client.chat.completions.create(model="slow", messages=HELLO, max_tokens=4000)
        assert "model_crashed" == caught.value.code
        assert client.chat.completions.create(model="slow", messages=HELLO, max_tokens=1).choices


def test_no_process_is_left_when_the_proxy_ends(folder: Path, tmp_path: Path) -> None:
    models = {"a": {"path": str(folder / "a.gguf")}}
    with tiny_gguf.local_proxy(tmp_path, models) as live, made(live) as client:
        client.chat.completions.create(model="a", messages=HELLO, max_tokens=1)
        pid = pids(live)["a"]
        os.kill(pid, 0)  # it runs
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the model's process is still there")


def test_each_of_the_kept_conversations_goes_on_where_it_was(folder: Path, tmp_path: Path) -> None:
    """With two kept, a third one takes the place of the one that was not used for longest."""
    models = {"a": {"path": str(folder / "a.gguf"), "context": 1024, "conversations": 2}}
    talks: list[list[Any]] = [
        [{"role": "system", "content": f"{word} " * 60}, {"role": "user", "content": f"{word} " * 90}]
        for word in ("red", "green", "blue")
    ]

    def known(client: openai.OpenAI, talk: list[Any]) -> int:
        answer = client.chat.completions.create(model="a", messages=talk, max_tokens=1)
        assert answer.usage and answer.usage.prompt_tokens_details
        return answer.usage.prompt_tokens_details.cached_tokens or 0

    with tiny_gguf.local_proxy(tmp_path, models) as live, made(live) as client:
        for talk in talks[:2]:
            known(client, talk)
        for talk in talks[:2]:
            assert known(client, talk) > 100
        assert known(client, talks[2]) < 100
        assert known(client, talks[1]) > 100
        assert known(client, talks[0]) < 100


def test_a_turn_after_a_compressed_one_pays_only_for_what_is_new(folder: Path, tmp_path: Path) -> None:
    """The compressed form of the first message is the same in the second turn, so the model knows it already."""
    models = {"a": {"path": str(folder / "a.gguf")}}
    defaults = {"min_tokens": 50, "ratio": 2, "break_even": False}
    talk: list[Any] = [{"role": "user", "content": prose(500)}]
    with tiny_gguf.local_proxy(tmp_path, models, defaults=defaults) as live, made(live) as client:
        raw = client.chat.completions.with_raw_response.create(model="a", messages=talk, max_tokens=4)
        first: Any = raw.parse()
        assert "500" == raw.headers["x-moos-tokens-before"]
        assert "250" == raw.headers["x-moos-tokens-after"]
        talk += [{"role": "assistant", "content": "So it is."}, {"role": "user", "content": "And then?"}]
        second: Any = client.chat.completions.create(model="a", messages=talk, max_tokens=4)

    assert first.usage.prompt_tokens <= second.usage.prompt_tokens_details.cached_tokens
    assert second.timings["prompt_n"] < 40 < first.timings["prompt_n"]


def test_a_prompt_is_measured_while_the_model_is_at_work(folder: Path, tmp_path: Path) -> None:
    """Otherwise fit_context would wait for other people's answers."""
    models = {"slow": {"path": str(folder / "slow.gguf"), "context": 8192}}
    defaults = {"fit_context": True, "ratio": 1, "max_ratio": 1}
    with tiny_gguf.local_proxy(tmp_path, models, defaults=defaults) as live, made(live) as client:
        client.chat.completions.create(model="slow", messages=HELLO, max_tokens=1)
        leaving = threading.Thread(target=_leave, args=(live, {"messages": HELLO, "max_tokens": 6000}, 3.0))
        leaving.start()
        time.sleep(0.5)
        began = time.perf_counter()
        with pytest.raises(openai.BadRequestError, match="shortened by 1"):
            client.chat.completions.create(model="slow", messages=[*LONG, *LONG], max_tokens=8)
        took = time.perf_counter() - began
        assert leaving.is_alive()
        leaving.join()

    assert took < 2


def test_a_proxy_that_ends_while_a_model_is_loading_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    """The figures of break-even are being measured then. What is left open would fail the run as a warning."""
    models = {name: {"path": str(folder / f"{name}.gguf")} for name in ("a", "b", "slow")}
    before = _workers()
    for after_s in (0.0, 0.3, 1.0):
        with tiny_gguf.local_proxy(tmp_path, models):
            time.sleep(after_s)
    gone = time.monotonic() + 10
    while (left := _workers() - before) and time.monotonic() < gone:
        time.sleep(0.1)
    assert not left


def _workers() -> set[str]:
    """Process ids of this process's children that serve a model."""
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    pids = [pid for file in children for pid in file.read_text().split()]
    lines = {pid: Path(f"/proc/{pid}/cmdline") for pid in pids}
    return {pid for pid, line in lines.items() if line.exists() and "llama_cpp.process.worker" in line.read_text()}

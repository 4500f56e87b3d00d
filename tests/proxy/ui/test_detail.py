"""What /v1/compress tells of a text when it is asked for details, and which policies it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from moosproxy.compressor import Compressor
from moosproxy.policies.files.load import load
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy.conftest import TEAM_KEYS
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy
from tests.proxy.wire import ask, fresh, long_text

LOG = "\n".join(f"2024-11-12 02:{n:02d}:00 INFO import of collector {n} finished" for n in range(60))


async def compress(live: LiveProxy, body: Any, **headers: str) -> Any:
    return (await ask(live.port, body, "/v1/compress", **headers)).json()


async def test_details_come_only_when_asked_for(proxy: LiveProxy) -> None:
    assert "detail" not in await compress(proxy, {"text": long_text(100, fresh("plain"))})


async def test_details_tell_what_was_kept_and_the_score_of_every_word(proxy: LiveProxy) -> None:
    text = "!first " + long_text(99, fresh("told"))
    answer = await compress(proxy, {"text": text, "ratio": 4, "detail": True})
    (told,) = answer["detail"]

    assert " ".join(text[start:end] for start, end in told["kept"]) == answer["text"]
    assert [text[start:end] for start, end, _ in told["words"]] == text.split()
    assert told["words"][0] == [0, 6, 6.0]
    assert told["protected"] == [[0, 6]]
    assert (told["tokenizer"], told["asked_ratio"], told["message"]) == ("words", 4.0, 0)


async def test_what_nobody_read_has_no_details(proxy: LiveProxy) -> None:
    messages = [{"role": "system", "content": long_text(100)}, {"role": "user", "content": "short"}]

    assert (await compress(proxy, {"messages": messages, "detail": True}))["detail"] == []


async def test_details_of_a_busy_compressor_are_left_out_and_the_text_is_not() -> None:
    with LiveProxy(create_app(Settings(max_queued_tokens=1), compressor=FakeCompressor())) as live:
        answer = await compress(live, {"text": long_text(1000, fresh("busy")), "detail": True})

    assert (answer["detail"], answer["parts"][0]["reason"]) == ([], "overloaded")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"text": "x", "detail": "yes"}, "detail"),
        ({"text": "x " * 100_001, "detail": True}, "detail"),
        ({"text": "x", "policy": "nobody's"}, "policy"),
        ({"text": "x", "policy": 7}, "policy"),
    ],
)
async def test_a_wrong_wish_is_named(proxy: LiveProxy, body: Any, param: str) -> None:
    answer = await ask(proxy.port, body, "/v1/compress")

    assert (answer.status, answer.json()["error"]["param"]) == (400, param)


async def test_a_policy_can_be_chosen_among_ones_own(keyed_proxy: LiveProxy) -> None:
    key = {"authorization": f"Bearer {TEAM_KEYS['gentle']}"}
    text = long_text(100, fresh("chosen"))
    own = await compress(keyed_proxy, {"text": text, "policy": "gentle", "ratio": 4}, **key)
    other = await ask(keyed_proxy.port, {"text": text, "policy": "hard"}, "/v1/compress", **key)

    assert (own["policy"], own["ratio"]) == ("gentle", 2.0)
    assert (other.status, other.json()["error"]["param"]) == (400, "policy")
    assert "gentle" in other.json()["error"]["message"]


async def test_the_real_compressor_tells_marks_and_protected_words_where_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "moos.yaml"
    file.write_text("defaults: {deadline_ms: 60000}\nupstreams: {e: {kind: echo}}\n")  # a busy machine, too
    with Compressor.load() as compressor, LiveProxy(create_app(Settings(), load(file), compressor)) as live:
        text = f"{LOG}\n2024-11-12 03:00:00 ERROR disk full 🙂 at /var/log/x\n{LOG}"
        answer = await compress(
            live, {"text": text, "role": "tool", "ratio": 3, "model": "gpt-4o", "detail": True}
        )
    (told,) = answer["detail"]

    assert told["tokenizer"] == "o200k_base"
    assert all(mark in answer["text"] for _, mark in told["marks"])
    assert len(told["marks"]) == answer["text"].count("[…") > 0
    assert "🙂" in "".join(text[start:end] for start, end in told["kept"])
    assert all(text[start:end].strip() for start, end in told["protected"])
    assert sum(end - start for start, end in told["kept"]) < len(text)

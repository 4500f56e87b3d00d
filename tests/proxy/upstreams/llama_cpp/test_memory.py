"""Which local models are in memory, and how much of it they take."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import openai
import pytest

from moosproxy.proxy.upstreams.llama_cpp.gguf_file import read_gguf
from tests.proxy import tiny_gguf
from tests.proxy.upstreams.llama_cpp.conftest import HELLO, made, pids

pytestmark = tiny_gguf.needs_llama_cpp


@pytest.mark.slow
def test_two_models_do_not_fit_together_so_they_take_turns_in_memory(folder: Path, tmp_path: Path) -> None:
    models = {name: {"path": str(folder / f"{name}.gguf"), "context": 512} for name in ("a", "b")}
    with tiny_gguf.local_proxy(tmp_path, models, limits={"max_memory_mb": 200}) as live, made(live) as client:
        for name in ("a", "b", "a"):
            assert client.chat.completions.create(model=name, messages=HELLO, max_tokens=2).choices
            # Which one it is may have changed since: the box measures each model's speed once it is up.
            assert 1 >= len(pids(live))


def test_two_models_serve_at_the_same_time_where_there_is_room(folder: Path, tmp_path: Path) -> None:
    models = {name: {"path": str(folder / f"{name}.gguf"), "context": 512} for name in ("a", "b")}
    with tiny_gguf.local_proxy(tmp_path, models) as live:

        async def both() -> list[Any]:
            async with openai.AsyncOpenAI(base_url=f"{live.url}/v1", api_key="any") as client:
                asked = (
                    client.chat.completions.create(model=name, messages=HELLO, max_tokens=5) for name in ("a", "b")
                )
                return await asyncio.gather(*asked)

        assert ["a", "b"] == [answer.model for answer in asyncio.run(both())]
        assert {"a", "b"} == set(pids(live))


def test_a_model_that_is_too_large_for_the_configured_memory_is_refused_with_the_numbers(
    folder: Path, tmp_path: Path
) -> None:
    models = {"slow": {"path": str(folder / "slow.gguf"), "context": 8192, "conversations": 4}}
    with (
        tiny_gguf.local_proxy(tmp_path, models, limits={"max_memory_mb": 190}) as live,
        made(live) as client,
        pytest.raises(openai.InternalServerError, match=r"about \d+ MB .*8192 tokens.*allows 190 MB") as caught,
    ):
        client.chat.completions.create(model="slow", messages=HELLO)

    assert ("out_of_memory", 503) == (caught.value.code, caught.value.status_code)


def test_an_idle_model_is_unloaded_and_comes_back_when_asked(folder: Path, tmp_path: Path) -> None:
    models = {"a": {"path": str(folder / "a.gguf")}}
    with tiny_gguf.local_proxy(tmp_path, models, limits={"idle_s": 0.3}) as live, made(live) as client:
        # The only model of an upstream need not be named.
        client.post("/chat/completions", body={"messages": HELLO, "max_tokens": 1}, cast_to=object)
        first = pids(live)["a"]
        until = time.monotonic() + 10
        while pids(live) and time.monotonic() < until:
            time.sleep(0.05)
        assert {} == pids(live)
        assert client.chat.completions.create(model="a", messages=HELLO, max_tokens=1).choices
        assert first != pids(live)["a"]


def test_a_model_of_a_changed_configuration_is_unloaded(folder: Path, tmp_path: Path) -> None:
    models = {"a": {"path": str(folder / "a.gguf"), "context": 512}}
    with tiny_gguf.local_proxy(tmp_path, models, watched=True) as live, made(live) as client:
        client.chat.completions.create(model="a", messages=HELLO, max_tokens=1)
        first = pids(live)["a"]
        tiny_gguf.configure(tmp_path, {"a": {**models["a"], "context": 1024}})
        until = time.monotonic() + 20
        while time.monotonic() < until and Path(f"/proc/{first}").exists():
            client.chat.completions.create(model="a", messages=HELLO, max_tokens=1)
            time.sleep(0.1)
        assert not Path(f"/proc/{first}").exists()
        assert first != pids(live)["a"]


def test_a_model_takes_no_more_memory_than_was_counted_for_it(folder: Path, tmp_path: Path) -> None:
    models = {"slow": {"path": str(folder / "slow.gguf"), "context": 8192, "conversations": 2}}
    with tiny_gguf.local_proxy(tmp_path, models, limits={"max_memory_mb": 400}) as live, made(live) as client:
        client.chat.completions.create(model="slow", messages=HELLO, max_tokens=2)
        status = Path(f"/proc/{pids(live)['slow']}/status").read_text()
        taken_mb = int(status.partition("VmHWM:")[2].split()[0]) // 1024
    file = read_gguf(folder / "slow.gguf")
    counted_mb = sum(file.memory(8192, 2)) // 1024**2

    assert counted_mb // 2 < taken_mb < counted_mb

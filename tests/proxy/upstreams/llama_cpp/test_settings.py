"""How a model is run: its file, its policy and the request, in this order of weakness."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from moosproxy.policies.fields.local import GgufModel, SamplingDefaults
from moosproxy.proxy.upstreams.llama_cpp.child import Child
from moosproxy.proxy.upstreams.llama_cpp.gguf_file import read_gguf
from moosproxy.proxy.upstreams.llama_cpp.process.sampling import recommended
from moosproxy.proxy.upstreams.llama_cpp.spec import spec_of
from tests.proxy import tiny_gguf
from tests.proxy.upstreams.llama_cpp.conftest import HELLO, made

pytestmark = tiny_gguf.needs_llama_cpp

GREEDY_FILE = {"temp": 0.0}


def test_the_policy_goes_before_the_file_and_the_file_before_the_usual() -> None:
    said = {"general.sampling.temp": "0.7", "general.sampling.top_k": "20.0", "general.sampling.top_p": "none"}
    found = recommended(said.get, {"top_k": 5})

    usual = {"top_p": 0.95, "min_p": 0.05, "repetition_penalty": 1.0}
    assert {"temperature": 0.7, "top_k": 5, **usual} == found


def test_a_model_draws_as_its_file_its_policy_or_the_request_says(tmp_path: Path) -> None:
    path = str(tiny_gguf.write(tmp_path / "greedy.gguf", sampling=GREEDY_FILE))
    models: dict[str, Any] = {"file": {"path": path}, "policy": {"path": path, "sampling": {"temperature": 1.5}}}
    with tiny_gguf.local_proxy(tmp_path, models) as live, made(live) as client:

        def texts(model: str, **more: Any) -> set[str | None]:
            asked = (
                client.chat.completions.create(model=model, messages=HELLO, max_tokens=8, seed=seed, **more)
                for seed in (1, 2, 3)
            )
            return {answer.choices[0].message.content for answer in asked}

        assert 1 == len(texts("file"))
        assert 1 < len(texts("policy"))
        assert 1 < len(texts("file", temperature=1.5))
        assert texts("file") == texts("policy", temperature=0)


@pytest.mark.parametrize(
    "fields",
    [
        {"batch": 32, "ubatch": 16},
        {"batch": 512},
        {"kv": "q8_0"},
        {"flash_attention": "on"},
        {"flash_attention": "off"},
        {"mlock": True},
        {"threads": 2, "batch_threads": 2},
    ],
)
async def test_every_way_to_run_a_model_answers_alike(tmp_path: Path, fields: dict[str, Any]) -> None:
    path = tiny_gguf.write(tmp_path / "tiny.gguf", replace(tiny_gguf.TINY, width=128))
    message = {
        "op": "generate",
        "prompt": list(range(5, 145)),
        "max_tokens": 4,
        "sampling": {"temperature": 0},
        "logprobs": 0,
    }

    async def logprobs(**more: Any) -> list[float]:
        child = await Child.start(spec_of(GgufModel(path=path, **more), str(path)))
        try:
            events = [event async for event in child.events(message)]
        finally:
            await child.close()
        return [entry["logprob"] for event in events for entry in event.get("logprobs", ())]

    assert await logprobs() == pytest.approx(await logprobs(**fields), abs=0.05)


def test_a_smaller_window_memory_is_counted(tmp_path: Path) -> None:
    file = read_gguf(tiny_gguf.write(tmp_path / "tiny.gguf"))

    assert file.memory(1024, 2)[1] * 34 == file.memory(1024, 2, "q8_0")[1] * 64


@pytest.mark.parametrize(("flags", "batch"), [("avx2 amx_tile amx_int8", 512), ("avx2 avx512f", 128)])
def test_processors_with_amx_get_larger_batches(monkeypatch: pytest.MonkeyPatch, flags: str, batch: int) -> None:
    from moosproxy.proxy.upstreams.llama_cpp import spec

    monkeypatch.setattr(spec.Path, "read_text", lambda *_, **__: f"flags : {flags}")
    spec._has_amx.cache_clear()
    try:
        found = spec_of(GgufModel(path=Path("x"), sampling=SamplingDefaults(temperature=0.5)), "x")
    finally:
        spec._has_amx.cache_clear()

    assert (batch, batch, {"temperature": 0.5}) == (found.batch, found.ubatch, found.sampling)

"""Models that are loaded at start, and what readiness says of them meanwhile."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx

from tests.proxy import tiny_gguf
from tests.proxy.live import LiveProxy
from tests.proxy.upstreams.llama_cpp.conftest import HELLO, made, pids

pytestmark = tiny_gguf.needs_llama_cpp


def ready(live: LiveProxy) -> tuple[int, dict[str, Any]]:
    """Status and report."""
    answer = httpx.get(f"{live.url}/readyz")
    return answer.status_code, answer.json()


def settled(live: LiveProxy) -> dict[str, Any]:
    """The report once nothing is being loaded any more."""
    deadline = time.monotonic() + 60
    while (found := ready(live))[0] == 503:
        assert found[1]["checks"]["preload"]["state"] == "missing"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found[1]


def test_the_proxy_is_ready_once_its_model_is_loaded_and_not_before(tmp_path: Path) -> None:
    tiny_gguf.write(tmp_path / "a.gguf")
    models = {
        "a": {"path": str(tmp_path / "a.gguf"), "preload": True},
        "later": {"path": str(tmp_path / "a.gguf")},
    }
    with tiny_gguf.local_proxy(tmp_path, models, limits={"idle_s": 0.2}) as live:
        status, first = ready(live)
        assert 503 == status
        assert "being loaded: a" == first["checks"]["preload"]["detail"]
        assert "ok" == settled(live)["checks"]["preload"]["state"]
        loaded = pids(live)
        assert {"a"} == set(loaded)
        with made(live) as client:
            client.chat.completions.create(model="a", messages=HELLO, max_tokens=1)
        time.sleep(0.6)
        assert loaded == pids(live)  # it stays


def test_a_model_that_cannot_be_loaded_at_start_is_told_and_the_others_serve(tmp_path: Path) -> None:
    good = tiny_gguf.write(tmp_path / "good.gguf")
    (tmp_path / "cut.gguf").write_bytes(good.read_bytes()[:-9000])
    models = {
        name: {"path": str(tmp_path / f"{name}.gguf"), "preload": True} for name in ("cut", "missing", "good")
    }
    with tiny_gguf.local_proxy(tmp_path, models) as live, made(live) as client:
        report = settled(live)
        assert "degraded" == report["status"]
        told = report["checks"]["local_models"]["detail"]
        assert "model cut: llama.cpp cannot load" in told and "model missing: there is no model file" in told
        assert {"good", "cut"} == {model.id for model in client.models.list()}
        assert client.chat.completions.create(model="good", messages=HELLO, max_tokens=1).choices


def test_a_model_that_new_policies_want_is_loaded_too(tmp_path: Path) -> None:
    path = str(tiny_gguf.write(tmp_path / "a.gguf"))
    with tiny_gguf.local_proxy(tmp_path, {"a": {"path": path}}, watched=True) as live:
        assert {} == pids(live)
        tiny_gguf.configure(tmp_path, {"a": {"path": path, "preload": True}})
        deadline = time.monotonic() + 30
        while set(pids(live)) != {"a"}:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_the_first_request_after_a_start_is_as_quick_as_the_second(tmp_path: Path) -> None:
    """Not so without preload: the model is loaded, and for a schema its vocabulary read, a second or more."""
    path = str(tiny_gguf.write(tmp_path / "a.gguf"))
    schema = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}
    asked: dict[str, Any] = {
        "model": "a",
        "max_tokens": 20,
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    }
    with tiny_gguf.local_proxy(tmp_path, {"a": {"path": path, "preload": True}}) as live, made(live) as client:
        settled(live)

        def seconds(text: str) -> float:
            began = time.perf_counter()
            client.chat.completions.create(messages=[{"role": "user", "content": text}], **asked)
            return time.perf_counter() - began

        first, *others = (seconds(text) for text in ("One.", "Two.", "Three.", "Four."))
        assert first < 3 * max(others) + 0.1

"""The pages around the API, and /v1/compress."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest

from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.wire import ask, fresh, long_text


async def test_health_is_a_word(proxy: LiveProxy) -> None:
    assert (await ask(proxy.port, b"", "/healthz", "GET")).json() == {"status": "ok"}


async def test_requests_wait_until_the_compressor_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(FakeCompressor):
        engine = SimpleNamespace(name="slow", kernels="none", calls=1, windows=16)

        @classmethod
        def load(
            cls, directory: Path | None, *, engine: str, threads: int | None, calibration: Path | None
        ) -> Slow:
            time.sleep(0.5)
            return cls()

        def compress(self, text: str) -> None:
            """The warm-up."""

        def close(self) -> None:
            """Nothing is open."""

    monkeypatch.setattr("moosproxy.compressor.Compressor", Slow, raising=False)
    with LiveProxy(create_app(Settings())) as live:  # listens once all is loaded, as under `moos serve`
        answer = await ask(live.port, {"model": "m", "messages": [{"role": "user", "content": long_text(600)}]})

    assert int(answer.headers["x-moos-tokens-after"]) < int(answer.headers["x-moos-tokens-before"])


@pytest.mark.parametrize(("chosen", "used"), [("auto", "onnxruntime"), ("openvino", "openvino")])
async def test_the_engine_is_a_setting_and_readiness_names_it(
    chosen: Literal["auto", "openvino"], used: str
) -> None:
    with LiveProxy(create_app(Settings(engine=chosen))) as live:
        answer = await ask(live.port, b"", "/readyz", "GET")

    assert answer.json()["checks"]["checkpoint"]["detail"].split(", ")[1] == f"engine {used}"


async def test_readiness_of_the_defaults_names_what_is_degraded() -> None:
    with LiveProxy(create_app(Settings(), compressor=FakeCompressor())) as live:
        answer = await ask(live.port, b"", "/readyz", "GET")

    assert answer.status == 200
    assert answer.json()["status"] == "degraded"
    states = {name: check["state"] for name, check in answer.json()["checks"].items()}
    assert states == {
        "checkpoint": "ok",
        "ledger": "off",
        "limits": "off",
        "local_models": "off",
        "policies": "ok",
        "preload": "off",
        "serving": "ok",
        "shared_cache": "off",
        "state": "off",
        "soft": "off",
        "upstreams": "degraded",
    }
    assert "nothing goes to a model" in answer.json()["checks"]["upstreams"]["detail"]


@pytest.mark.parametrize(("required", "status"), [(False, 200), (True, 503)])
async def test_a_missing_checkpoint_is_named_and_requests_pass_whole(
    tmp_path: Path, required: bool, status: int
) -> None:
    settings = Settings(checkpoint=tmp_path / "nowhere", require_compressor=required)
    with LiveProxy(create_app(settings)) as live:
        ready = await ask(live.port, b"", "/readyz", "GET")
        text = long_text(400)
        answer = await ask(live.port, {"model": "echo", "messages": [{"role": "user", "content": text}]})

    assert ready.status == status
    assert ready.json()["checks"]["checkpoint"]["state"] == "missing"
    assert "nowhere" in ready.json()["checks"]["checkpoint"]["detail"]
    assert answer.json()["choices"][0]["message"]["content"] == text
    assert answer.headers["x-moos-skipped"] == "0=failed"


async def test_a_lost_cache_file_is_named_and_counted_and_requests_are_shortened(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    with LiveProxy(create_app(Settings(cache_dir=folder), compressor=FakeCompressor())) as live:
        before = (await ask(live.port, b"", "/readyz", "GET")).json()["checks"]["shared_cache"]
        shutil.rmtree(folder)
        for _ in range(4):
            body = {"model": "m", "messages": [{"role": "user", "content": long_text(600, fresh("lost"))}]}
            answer = await ask(live.port, body)
            assert int(answer.headers["x-moos-tokens-after"]) < int(answer.headers["x-moos-tokens-before"])
        after = (await ask(live.port, b"", "/readyz", "GET")).json()["checks"]["shared_cache"]
        metrics = (await ask(live.port, b"", "/metrics", "GET")).body.decode()

    assert before == {"state": "ok", "detail": "file"}
    assert after["state"] == "degraded"
    assert str(folder) in after["detail"]
    # Two or three: while the file is known to be gone, nobody asks it for a second.
    assert re.search(r'moos_shared_cache_faults_total{kind="down",layer="file"} [1-4]\.0', metrics)


async def test_a_broken_edit_keeps_the_last_good_policies_and_is_named(tmp_path: Path) -> None:
    file = tmp_path / "moos.yaml"
    file.write_text("upstreams: {e: {kind: echo}}\n")
    app = create_app(Settings(policies=file), compressor=FakeCompressor())
    with LiveProxy(app) as live:
        file.write_text("upstreams: {e: {kind: echoo}}\n")
        for _ in range(100):
            ready = (await ask(live.port, b"", "/readyz", "GET")).json()
            if ready["checks"]["policies"]["state"] == "degraded":
                break
            await asyncio.sleep(0.05)
        answer = await ask(live.port, {"model": "m", "messages": [{"role": "user", "content": "hi"}]})

    assert "echoo" in ready["checks"]["policies"]["detail"] or "kind" in ready["checks"]["policies"]["detail"]
    assert answer.status == 200


async def test_the_documentation_describes_the_api(proxy: LiveProxy) -> None:
    schema = (await ask(proxy.port, b"", "/openapi.json", "GET")).json()
    page = await ask(proxy.port, b"", "/docs", "GET")

    assert {"/v1/chat/completions", "/v1/compress", "/readyz"} <= set(schema["paths"])
    assert page.status == 200
    text = page.body.decode()
    assert all(f"POST {path}" in text for path in ("/v1/chat/completions", "/v1/compress"))
    assert "GET /readyz" in text


async def test_the_documentation_loads_nothing_and_no_browser_would_let_it(proxy: LiveProxy) -> None:
    page = await ask(proxy.port, b"", "/docs", "GET")
    text, allowed = page.body.decode(), page.headers["content-security-policy"]
    style = re.search(r"<style>(.*?)</style>", text)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()

    assert not re.search(r"<script|<link|<img|<iframe|src=|https?://|url\(|@import", text)
    assert allowed.startswith("default-src 'none';")
    assert f"style-src 'sha256-{digest}'" in allowed


async def test_compress_shortens_a_text_and_sends_nothing_on(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    text = long_text(100, fresh("text"))
    before = len(upstream.received)
    answer = (await ask(proxy.port, {"text": text, "ratio": 4}, "/v1/compress")).json()

    assert answer["text"] == " ".join(text.split()[::4])
    assert (answer["tokens_before"], answer["tokens_after"], answer["tokens_saved"]) == (100, 25, 75)
    assert (answer["ratio"], answer["policy"]) == (4.0, "default")
    assert answer["parts"][0]["outcome"] == "compressed"
    assert len(upstream.received) == before


async def test_compress_treats_a_text_as_a_message_of_the_same_model(proxy: LiveProxy) -> None:
    text, model = long_text(100, fresh("text")), fresh("shadow")
    alone = await ask(proxy.port, {"text": text, "model": model}, "/v1/compress")
    messages = [{"role": "user", "content": text}]
    within = await ask(proxy.port, {"messages": messages, "model": model}, "/v1/compress")

    assert (alone.json()["text"], within.json()["messages"]) == (text, messages)
    assert alone.headers["x-moos-shadow"] == within.headers["x-moos-shadow"] == "tokens-after=50"


async def test_compress_shortens_messages_and_gives_reasons(proxy: LiveProxy) -> None:
    messages = [{"role": "system", "content": "x"}, {"role": "user", "content": long_text(80), "name": "kept"}]
    answer = (await ask(proxy.port, {"messages": messages}, "/compress")).json()

    assert answer["messages"][0] == messages[0]
    assert answer["messages"][1] == {**messages[1], "content": " ".join(long_text(80).split()[::2])}
    assert [part["reason"] for part in answer["parts"]] == ["role", None]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"text": 3},
        {"text": "x", "role": "poet"},
        {"messages": "x"},
        {"messages": [1]},
        {"text": "x", "ratio": "0"},
        {"text": "x", "ratio": True},
        {"text": "x", "alpha": 2},
        {"text": "x", "model": 1},
    ],
)
async def test_compress_refuses_what_it_cannot_read(proxy: LiveProxy, body: object) -> None:
    answer = await ask(proxy.port, body, "/v1/compress")

    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")

"""IC-Former's memory before a real vLLM: MOOS_TEST_VLLM names the python of an environment that has it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import openai
import pytest
import yaml

from moosproxy.policies.files.load import load
from moosproxy.proxy.app import create_app
from moosproxy.proxy.bench.sides import free_port
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy

tiny_hf = pytest.importorskip("tests.proxy.tiny_hf", exc_type=ImportError)

PYTHON = os.environ.get("MOOS_TEST_VLLM")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not PYTHON, reason="MOOS_TEST_VLLM is not set")]
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
# One processor's kernels: float32 as on this side, little memory, nothing asked of the network.
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}
STARTS_IN = 300


@pytest.fixture(scope="module", params=[True, False], ids=["takes embeddings", "does not"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """vLLM with the model, a proxy before it. takes: whether it was started with --enable-prompt-embeds."""
    folder = tmp_path_factory.mktemp("vllm")
    # The smallest heads that its kernels for processors know are 32 wide.
    model = tiny_hf.write_model(folder / "model", width=128)
    tiny_hf.write_compressor(folder / "icformer", model, "icformer", (5,))
    port = free_port()
    command = [str(PYTHON), "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--served-model-name", "big/model", "--dtype", "float32", "--max-model-len", "2048"]
    command += ["--enforce-eager", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--enable-prompt-embeds"] if request.param else []
    url = f"http://127.0.0.1:{port}"
    with (folder / "vllm.log").open("wb") as log:
        server = subprocess.Popen(command, env={**os.environ, **QUIET}, stdout=log, stderr=log)
    try:
        _started(server, url, folder / "vllm.log")
        own = {"path": str(model), "compressors": [str(folder / "icformer")], "context": 2048}
        there = {"kind": "transformers", "soft_wire": "prompt_embeds", "base_url": f"{url}/v1"}
        policies = {
            "defaults": {"min_tokens": 20, "soft": {"method": "icformer", "ratio": 5, "min_tokens": 40}},
            "upstreams": {
                "there": {**there, "hf_models": {"far": {**own, "served_as": "big/model"}}},
                "here": {"kind": "transformers", "hf_models": {"near": own}},
            },
            "routes": [{"match": {"model": "far"}, "upstreams": "there"}, {"upstreams": "here"}],
        }
        (folder / "moos.yaml").write_text(yaml.safe_dump(policies))
        app = create_app(Settings(state_dir=folder / "state"), load(folder / "moos.yaml"), FakeCompressor())
        with (
            LiveProxy(app) as proxy,
            openai.OpenAI(base_url=f"{proxy.url}/v1", api_key="x", max_retries=0) as client,
        ):
            yield SimpleNamespace(takes=request.param, client=client)
    finally:
        server.terminate()
        server.wait(60)


def _started(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    ends = time.monotonic() + STARTS_IN
    while time.monotonic() < ends and server.poll() is None:
        try:
            if httpx.get(f"{url}/health", timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(1)
    raise AssertionError(f"vLLM did not start: {log.read_text(errors='replace')[-2000:]}")


def ask(served: SimpleNamespace, model: str, text: str, **more: Any) -> Any:
    messages: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
    fields = {"max_tokens": 12, "temperature": 0, "logit_bias": {"1": -100}, **more}
    return served.client.chat.completions.create(model=model, messages=messages, **fields)


def test_it_answers_from_the_memory_as_the_model_here_does(served: SimpleNamespace) -> None:
    if not served.takes:
        with pytest.raises(openai.BadRequestError, match="--enable-prompt-embeds"):
            ask(served, "far", " ".join(WORDS * 12))
        assert ask(served, "far", "a few words").choices[0].message.content  # what stays text still goes
        return
    for turn in range(4):
        text = " ".join(WORDS[turn:] * 12)
        far, near = (ask(served, model, text) for model in ("far", "near"))
        stream = ask(served, "far", text, stream=True)

        assert far.choices[0].message.content == near.choices[0].message.content != ""
        assert far.usage.prompt_tokens == near.usage.prompt_tokens
        assert far.usage.prompt_tokens_details.model_dump()["soft_tokens"] > 20
        shown = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
        assert shown == far.choices[0].message.content

"""Tiny models with random weights, and proxies that serve them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from moosproxy.proxy.upstreams.llama_cpp.client import LlamaCppClient
from tests.proxy import tiny_gguf
from tests.proxy.live import LiveProxy

HELLO: Any = [{"role": "user", "content": "Hello."}]
LONG: Any = [{"role": "user", "content": "a long story about nothing at all " * 900}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 6}},
            "required": ["city"],
        },
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With two tiny models, and one that takes its time."""
    folder = tmp_path_factory.mktemp("life")
    tiny_gguf.write(folder / "a.gguf")
    tiny_gguf.write(folder / "b.gguf", seed=2)
    tiny_gguf.write(folder / "slow.gguf", tiny_gguf.SLOW, quantisation="Q8_0")
    return folder


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProxy]:
    """Two chat models, one with embeddings, and files that are not what they should be."""
    folder = tmp_path_factory.mktemp("local")
    tiny_gguf.write(folder / "one.gguf")
    tiny_gguf.write(folder / "two.gguf", seed=2)
    tiny_gguf.write(folder / "vectors.gguf", pooling=3)
    tiny_gguf.write(folder / "toolless.gguf", template="{% for m in messages %}{{ m.content }}{% endfor %}")
    whole = (folder / "one.gguf").read_bytes()
    (folder / "cut.gguf").write_bytes(whole[: len(whole) // 2])
    (folder / "text.gguf").write_text("not a model")
    names = ("one", "two", "vectors", "toolless", "cut", "text", "missing")
    models = {name: {"path": str(folder / f"{name}.gguf"), "context": 1024} for name in names}
    with tiny_gguf.local_proxy(folder, models) as proxy:
        yield proxy


@pytest.fixture
def client(live: LiveProxy) -> Iterator[openai.OpenAI]:
    """Without retries: a test wants to see the first answer."""
    with openai.OpenAI(base_url=f"{live.url}/v1", api_key="any", max_retries=0) as made:
        yield made


def made(live: LiveProxy, key: str = "any") -> openai.OpenAI:
    """A client without retries."""
    return openai.OpenAI(base_url=f"{live.url}/v1", api_key=key, max_retries=0, timeout=60)


def pids(live: LiveProxy) -> dict[str, int]:
    """Of the models that are loaded."""
    services = live.app._services()
    client = services.pool.client(services.policies.current.upstreams["local"])
    assert isinstance(client, LlamaCppClient)
    return client.models.loaded

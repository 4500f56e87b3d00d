"""Models of Qwen2's architecture, small enough to be made by the tests, and a proxy in front of them."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import pytest
import yaml

from moosproxy.policies.files.load import load
from moosproxy.proxy.app import create_app
from moosproxy.proxy.bench.edge.gguf import Shape, train_tokenizer, write_gguf
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy

TINY = Shape(width=64, layers=2, heads=4, kv_heads=2, inner=128, context=4096, vocabulary=None)
SLOW = Shape(width=512, layers=8, heads=8, kv_heads=2, inner=2048, context=8192, vocabulary=None)
"""Takes some seconds to read a few thousand tokens."""

REQUIRED = "local" in os.environ.get("MOOS_TEST_REQUIRE", "").split(",")
INSTALLED = all(importlib.util.find_spec(name) for name in ("llama_cpp", "gguf"))

needs_llama_cpp = pytest.mark.skipif(
    not INSTALLED and not REQUIRED, reason="llama-cpp-python or gguf is not installed: pip install '.[local,dev]'"
)


@lru_cache(maxsize=1)
def tokenizer() -> Any:
    """Byte-level BPE, trained on Python's own documentation."""
    return train_tokenizer(topics.values(), 4000)


def write(path: Path, shape: Shape = TINY, **options: Any) -> Path:
    """A model file in single precision."""
    write_gguf(path, shape, tokenizer(), options.pop("quantisation", "F32"), **options)
    return path


def configure(folder: Path, models: dict[str, Any], **more: Any) -> Path:
    """Writes the policies: one upstream of kind llama_cpp. more: defaults, limits, teams, routes."""
    upstream = {"kind": "llama_cpp", "models": models, "limits": more.get("limits", {})}
    document = {"upstreams": {"local": upstream}, "defaults": more.get("defaults", {"enabled": False})}
    document |= {name: more[name] for name in ("teams", "routes") if name in more}
    file = folder / "moos.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


@contextmanager
def local_proxy(folder: Path, models: dict[str, Any], **more: Any) -> Iterator[LiveProxy]:
    """A proxy with these models. more: as for configure, and compressor; watched: follow changes of the file."""
    file = configure(folder, models, **more)
    watched = more.get("watched", False)
    settings = Settings(state_dir=folder / "state", policies=file if watched else None)
    policies = None if watched else load(file)
    with LiveProxy(create_app(settings, policies, more.get("compressor", FakeCompressor()))) as live:
        yield live

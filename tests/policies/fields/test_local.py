from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from moosproxy.policies.fields.local import GgufModel, LocalLimits
from moosproxy.policies.model import Upstream

GGUF = {"path": "/models/qwen.gguf"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"repo": "some/repo"},
        {"file": "x.gguf"},
        {"path": "x.gguf", "repo": "some/repo", "file": "x.gguf"},
        {"path": "x.gguf", "file": "x.gguf"},
    ],
)
def test_a_model_is_either_a_path_or_a_file_of_a_repository(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="either a path, or a repo and a file"):
        GgufModel.model_validate(fields)

    assert GgufModel.model_validate(GGUF).path == Path("/models/qwen.gguf")
    assert GgufModel.model_validate({"repo": "some/repo", "file": "x.gguf"}).path is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"kind": "llama_cpp"}, "needs models"),
        ({"kind": "echo", "models": {"m": GGUF}}, "no other kind takes them"),
        ({"kind": "llama_cpp", "models": {"m": GGUF}, "base_url": "http://127.0.0.1/v1"}, "leave out base_url"),
        ({"kind": "llama_cpp", "models": {"": GGUF}}, "at least 1 character"),
        ({"kind": "llama_cpp", "models": {"m": {**GGUF, "context": 10}}}, "greater than or equal to 256"),
        (
            {"kind": "llama_cpp", "models": {"m": {**GGUF, "batch": 64, "ubatch": 128}}},
            "ubatch must be at most batch",
        ),
        (
            {"kind": "llama_cpp", "models": {"m": {**GGUF, "kv": "q8_0", "flash_attention": "off"}}},
            "needs flash attention",
        ),
        ({"kind": "llama_cpp", "models": {"m": {**GGUF, "sampling": {"top_p": 2}}}}, "less than or equal to 1"),
    ],
)
def test_an_upstream_of_local_models_that_cannot_work_is_refused(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Upstream.model_validate({"name": "local", **fields})


def test_an_upstream_of_local_models_has_limits_without_being_told() -> None:
    upstream = Upstream.model_validate({"name": "local", "kind": "llama_cpp", "models": {"m": GGUF}})

    assert LocalLimits() == upstream.limits
    assert (8192, 1) == (upstream.models["m"].context, upstream.models["m"].conversations)

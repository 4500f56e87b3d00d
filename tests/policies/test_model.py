from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from moosproxy.policies.model import Policy, Upstream

URL = "https://api.example.com/v1"


def test_defaults_leave_system_developer_and_assistant_alone() -> None:
    policy = Policy()
    assert policy.compress_roles == {"user", "tool", "function"}
    assert policy.protected_roles == {"system", "developer", "assistant"}
    assert policy.ratio == 2
    assert policy.on_error == "forward"


def test_a_role_cannot_be_compressed_and_protected() -> None:
    with pytest.raises(ValidationError, match="assistant is in compress_roles and in protected_roles"):
        Policy(compress_roles=frozenset({"user", "assistant"}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ratio", 0.5),
        ("ratio", float("nan")),
        ("ratio", float("inf")),
        ("ratio", True),
        ("alpha", 1.5),
        ("min_savings", -0.1),
        ("min_tokens", -1),
        ("deadline_ms", 0),
        ("deadline_ms", True),
        ("tokenizer", ""),
        ("patterns", ("(",)),
        ("patterns", ("",)),
    ],
)
def test_values_out_of_range_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate({field: value})


def test_a_policy_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Policy().ratio = 3  # type: ignore[misc]


def test_an_upstreams_secrets_appear_in_no_repr_and_no_dump() -> None:
    upstream = Upstream(
        name="a",
        kind="litellm",
        api_key=SecretStr("sesame-1"),
        headers={"X-Key": SecretStr("sesame-2")},
        params={"aws_secret_access_key": "sesame-3"},
    )
    assert "sesame" not in repr(upstream)
    assert "sesame" not in upstream.model_dump_json()
    assert upstream.api_key is not None
    assert upstream.api_key.get_secret_value() == "sesame-1"
    assert upstream.headers["x-key"].get_secret_value() == "sesame-2"


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "openai"},
        {"kind": "openai", "base_url": "ftp://host/v1"},
        {"kind": "openai", "base_url": "https://user:sesame@host/v1"},
        {"kind": "openai", "base_url": "https://host/v1?key=sesame"},
        {"kind": "openai", "base_url": URL, "params": {"a": 1}},
        {"kind": "openai", "base_url": URL, "headers": {"a b": "c"}},
        {"kind": "openai", "base_url": URL, "headers": {"a": "sesame\r\nx: y"}},
        {"kind": "openai", "base_url": URL, "api_key": "sesame\n"},
        {"kind": "echo", "base_url": URL},
        {"kind": "telepathy"},
    ],
)
def test_upstreams_that_cannot_work_are_refused_without_quoting_secrets(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        Upstream.model_validate({"name": "a", **fields})
    assert "sesame" not in str(caught.value)


def test_an_empty_api_key_is_none() -> None:
    assert Upstream.model_validate({"name": "a", "kind": "openai", "base_url": URL, "api_key": ""}).api_key is None


def test_a_trailing_slash_of_the_base_url_is_dropped() -> None:
    assert Upstream(name="a", kind="openai", base_url=URL + "/").base_url == URL


@pytest.mark.parametrize(
    ("model", "expected"),
    [("gpt-4o", "big"), ("gpt-4o-mini", "small"), ("o3", "other/o3"), ("GPT-4o", "other/GPT-4o")],
)
def test_a_model_is_mapped_by_exact_name_then_by_the_first_glob_then_by_prefix(model: str, expected: str) -> None:
    mapping = {"gpt-*": "small", "gpt-4*": "never", "gpt-4o": "big"}
    upstream = Upstream(name="a", kind="litellm", model_map=mapping, model_prefix="other/")
    assert upstream.model_for(model) == expected


@pytest.mark.parametrize(
    ("model", "expected"), [("gpt-4o", "qwen"), ("qwen", "qwen"), ("small", "small"), ("old", "small")]
)
@pytest.mark.parametrize(
    ("kind", "field", "one"), [("llama_cpp", "models", "m.gguf"), ("transformers", "hf_models", "folder")]
)
def test_a_model_of_its_own_goes_before_a_glob_and_an_exact_name_before_both(
    model: str, expected: str, kind: str, field: str, one: str
) -> None:
    own = {name: {"path": one} for name in ("qwen", "small", "old")}
    fields = {"name": "a", "kind": kind, field: own, "model_map": {"*": "qwen", "old": "small"}}
    assert Upstream.model_validate(fields).model_for(model) == expected


def test_importing_the_room_imports_no_other_room_and_nothing_heavy() -> None:
    code = (
        "import sys, moosproxy.policies.files.load, moosproxy.policies.resolve, moosproxy.policies.builtin\n"
        "heavy = {'moosproxy.compressor', 'moosproxy.proxy', 'torch', 'aiohttp', 'watchfiles', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("fields", [
    {"kind": "openai", "base_url": URL, "endpoints": ["responses"]},
    {"kind": "anthropic", "base_url": URL, "endpoints": ["chat"]},
    {"kind": "litellm", "endpoints": ["chat"]},
])  # fmt: skip
def test_endpoints_are_for_servers_that_have_chat(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="endpoints are for kind openai, and chat must be among them"):
        Upstream(name="a", **fields)


def test_an_upstream_has_every_endpoint_unless_it_says_which() -> None:
    assert Upstream(name="a", kind="openai", base_url=URL).endpoints is None
    assert Upstream.model_validate(
        {"name": "a", "kind": "openai", "base_url": URL, "endpoints": ["chat"]}
    ).endpoints == {"chat"}

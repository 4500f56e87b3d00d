"""How well-known clients are pointed at this proxy: `moos wrap` sets it, `moos doctor --client` tells it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import NamedTuple


def _nothing(root: str) -> Mapping[str, str]:
    return {}


def _no_arguments(root: str) -> list[str]:
    return []


class Client(NamedTuple):
    """One client. root: where the proxy listens, such as http://127.0.0.1:8686, without a slash at its end.

    door: which of the proxy's endpoints it speaks to. steps: what a user sets by hand, {root} for the proxy.
    program, environment, arguments: what `moos wrap` starts, with what in front of the user's own arguments; no
    program where it is a library or has a window of its own.
    """

    door: str
    steps: str
    program: str | None = None
    environment: Callable[[str], Mapping[str, str]] = _nothing
    arguments: Callable[[str], list[str]] = _no_arguments


def _openai(root: str) -> Mapping[str, str]:
    return {"OPENAI_BASE_URL": f"{root}/v1", "OPENAI_API_BASE": f"{root}/v1"}


def _anthropic(root: str) -> Mapping[str, str]:
    return {"ANTHROPIC_BASE_URL": root, "ANTHROPIC_API_BASE": root}


def _both(root: str) -> Mapping[str, str]:
    return {**_openai(root), **_anthropic(root)}


def _codex(root: str) -> list[str]:
    # Its own provider has no setting for the address that a key in the environment goes with.
    provider = f'{{name="moosproxy",base_url="{root}/v1",env_key="OPENAI_API_KEY",wire_api="responses"}}'
    return ["-c", 'model_provider="moosproxy"', "-c", f"model_providers.moosproxy={provider}"]


def _opencode(root: str) -> Mapping[str, str]:
    options = {"options": {"baseURL": f"{root}/v1"}}
    return {"OPENCODE_CONFIG_CONTENT": json.dumps({"provider": {"openai": options, "anthropic": options}})}


CLIENTS: Mapping[str, Client] = {
    "openai": Client(
        "chat completions, responses",
        'OpenAI(base_url="{root}/v1"), or OPENAI_BASE_URL={root}/v1 in the environment',
    ),
    "anthropic": Client(
        "messages", 'Anthropic(base_url="{root}"), or ANTHROPIC_BASE_URL={root} in the environment; no /v1'
    ),
    "openai-agents": Client("responses", "OPENAI_BASE_URL={root}/v1 in the environment"),
    "langchain": Client(
        "chat completions", 'ChatOpenAI(base_url="{root}/v1"); ChatAnthropic(base_url="{root}") without /v1'
    ),
    "litellm": Client("chat completions", 'completion(model="openai/NAME", api_base="{root}/v1")'),
    "codex": Client(
        "responses",
        'in ~/.codex/config.toml: model_provider = "moosproxy", and [model_providers.moosproxy] with '
        'name = "moosproxy", base_url = "{root}/v1", env_key = "OPENAI_API_KEY", wire_api = "responses"',
        "codex",
        arguments=_codex,
    ),
    "claude": Client(
        "messages",
        "ANTHROPIC_BASE_URL={root} in the environment, with ANTHROPIC_API_KEY; no /v1",
        "claude",
        _anthropic,
    ),
    "aider": Client(
        "chat completions, messages",
        "OPENAI_API_BASE={root}/v1 in the environment; for Claude models ANTHROPIC_API_BASE={root}",
        "aider",
        _both,
    ),
    "opencode": Client(
        "responses, messages",
        'in opencode.json: {{"provider": {{"openai": {{"options": {{"baseURL": "{root}/v1"}}}}}}}}, and the same '
        "for anthropic",
        "opencode",
        _opencode,
    ),
    "continue": Client("chat completions", "in config.yaml, at the model: provider: openai, apiBase: {root}/v1"),
    "cline": Client("chat completions", "API provider OpenAI Compatible, base URL {root}/v1"),
    "open-webui": Client("chat completions", "OPENAI_API_BASE_URL={root}/v1 in its environment"),
}

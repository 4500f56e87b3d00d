"""Real agents of the command line in front of a server that has chat completions alone; see MOOS_TEST_CLIENTS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.proxy.answers import USAGE
from tests.proxy.doors.test_agents import DONE, FILES, pytestmark, run
from tests.proxy.live import Exchange, ScriptedUpstream

__all__ = ["pytestmark"]

POLICIES = """
defaults: {{ratio: 3, max_ratio: 3, deadline_ms: 120000}}
upstreams: {{chat: {{kind: openai, base_url: '{url}', api_key: sk-far, endpoints: [chat]}}}}
"""
CALLS = {
    "exec_command": lambda command: {"cmd": command, "max_output_tokens": 20_000},
    "shell_command": lambda command: {"command": command},
    "Bash": lambda command: {"command": command, "description": "Read a file"},
}


def _chunks(body: dict[str, Any]) -> list[bytes]:
    """The next file as a call of the agent's tool, or the end."""
    number = sum(message["role"] == "tool" for message in body["messages"])
    names = [tool["function"]["name"] for tool in body.get("tools", ())]
    name = next((name for name in CALLS if name in names), None)
    if number >= len(FILES) or name is None:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": DONE}]
    else:
        function = {"name": name, "arguments": json.dumps(CALLS[name](f"cat {FILES[number]}"))}
        deltas = [{"tool_calls": [{"index": 0, "id": f"call_{number}", "type": "function", "function": function}]}]
    reason = "tool_calls" if "tool_calls" in deltas[0] else "stop"
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": reason})
    events = [{**head, "choices": [choice]} for choice in choices]
    events.append({**head, "choices": [], "usage": USAGE})
    return [*(f"data: {json.dumps(event)}\n\n".encode() for event in events), b"data: [DONE]\n\n"]


async def _answer(exchange: Exchange) -> None:
    await exchange.stream(*_chunks(json.loads(exchange.request.body)))


@pytest.fixture
def server() -> Iterator[ScriptedUpstream]:
    """Answers chat completions."""
    with ScriptedUpstream() as upstream:
        upstream.scripts = {"/chat/completions": _answer}
        yield upstream


def results(server: ScriptedUpstream) -> dict[str, str]:
    """What tools answered, the same in every turn."""
    found: dict[str, str] = {}
    for received in server.all("/chat/completions"):
        for message in json.loads(received.body)["messages"]:
            if message["role"] == "tool":
                assert found.setdefault(message["tool_call_id"], message["content"]) == message["content"]
    return found


def test_codex(server: ScriptedUpstream, tmp_path: Path) -> None:
    run(
        server, tmp_path, "codex", "--", "-m", "gpt-5.1-codex", "-c", 'web_search="disabled"', "exec",
        "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "Read all six files.",
        policies_text=POLICIES,
    )  # fmt: skip
    found = results(server)

    assert len(found) == len(FILES)
    assert any("request 40 failed" in text for text in found.values())


def test_claude_code(server: ScriptedUpstream, tmp_path: Path) -> None:
    run(
        server, tmp_path, "claude", "--", "-p", "Read all six files.", "--allowedTools", "Bash(cat:*)",
        policies_text=POLICIES,
    )  # fmt: skip
    found = results(server)

    assert len(found) == len(FILES)
    assert any("request 40 failed" in text for text in found.values())

"""Real agents of the command line through `moos wrap`, with a provider that lets them read long files.

MOOS_TEST_CLIENTS names a folder with their programs: `npm install @openai/codex @anthropic-ai/claude-code` makes
node_modules/.bin.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.proxy.doors.provider import message, response, response_events, wire
from tests.proxy.live import Exchange, ScriptedUpstream

CLIENTS = os.environ.get("MOOS_TEST_CLIENTS")
FILES = ("notes.txt", "service.log", "module.py", "table.csv", "story.txt", "second.log")
DONE = "All six files have been read."

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CLIENTS is None, reason="needs agents of the command line: MOOS_TEST_CLIENTS"),
]


def _written(folder: Path) -> None:
    """Files of several kinds, a few thousand tokens each."""
    days = ("Monday", "Tuesday", "Wednesday", "Thursday")
    lines = [
        f"On {days[n % 4]} the group talked about topic {n} at some length. Nobody was in a hurry, and most of "
        f"what was said had been said before. The caretaker opened window {n % 7}."
        for n in range(90)
    ]
    logs = [
        f"2026-03-01T10:{n // 60:02}:{n % 60:02}Z INFO worker-{n % 5} handled request {n} in {n % 90} ms"
        for n in range(300)
    ]
    logs[40] = "2026-03-01T10:00:40Z ERROR worker-2 disk /dev/sdb1 is full, request 40 failed"
    code = [f"def step_{n}(value: int) -> int:\n    total = value + {n}\n    return total\n" for n in range(120)]
    rows = ["id,name,amount", *(f"{n},customer {n},{n * 37 % 1000}" for n in range(300))]
    texts = [
        "\n".join(lines),
        "\n".join(logs),
        "\n\n".join(code),
        "\n".join(rows),
        "\n\n".join(lines[::-1]),
        "\n".join(logs[::-1]),
    ]
    for name, text in zip(FILES, texts, strict=True):
        (folder / name).write_text(text + "\n")


def _response(body: dict[str, Any]) -> list[bytes]:
    """The next file as a call of codex's tool, or the end."""
    outputs = [item for item in body["input"] if item.get("type") == "function_call_output"]
    if len(outputs) >= len(FILES):
        return [wire(event) for event in response_events(message(DONE))]
    number = len(outputs)
    item = {
        "id": f"fc_{number}",
        "type": "function_call",
        "call_id": f"call_{number}",
        "name": "exec_command",
        "arguments": json.dumps({"cmd": f"cat {FILES[number]}", "max_output_tokens": 20_000}),
        "status": "completed",
    }
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response([], "in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "arguments": ""}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response([item])},
    ]
    return [wire({**event, "sequence_number": at}) for at, event in enumerate(events)]


def _message(body: dict[str, Any]) -> list[bytes]:
    """The same for Claude Code."""
    results = [block for block in _blocks(body) if block.get("type") == "tool_result"]
    ends = len(results) >= len(FILES) or not body.get("tools")
    if ends:
        block: dict[str, Any] = {"type": "text", "text": ""}
        delta = {"type": "text_delta", "text": DONE}
    else:
        number = len(results)
        block = {"type": "tool_use", "id": f"toolu_{number}", "name": "Bash", "input": {}}
        given = {"command": f"cat {FILES[number]}", "description": "Read a file"}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(given)}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": []}
    events = [
        {
            "type": "message_start",
            "message": {**head, "stop_reason": None, "usage": {"input_tokens": 9, "output_tokens": 1}},
        },
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn" if ends else "tool_use"},
            "usage": {"output_tokens": 5},
        },
        {"type": "message_stop"},
    ]
    return [wire(event) for event in events]


def _blocks(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        block for entry in body["messages"] if isinstance(entry["content"], list) for block in entry["content"]
    ]


@pytest.fixture
def provider() -> Iterator[ScriptedUpstream]:
    """Answers at both doors."""

    def answering(events: Callable[[dict[str, Any]], list[bytes]]) -> Callable[[Exchange], Any]:
        async def answer(exchange: Exchange) -> None:
            if exchange.request.method == "POST" and "count_tokens" not in exchange.request.target:
                await exchange.stream(*events(json.loads(exchange.request.body)))
            else:
                await exchange.reply(200, b'{"object":"list","data":[],"input_tokens":9}')

        return answer

    with ScriptedUpstream() as upstream:
        upstream.scripts = {"/responses": answering(_response), "/messages": answering(_message)}
        yield upstream


POLICIES = (
    "defaults: {{ratio: 3, max_ratio: 3, deadline_ms: 120000}}\n"
    "upstreams:\n  openai: {{kind: openai, base_url: '{url}', api_key: sk-far}}\n"
    "  anthropic: {{kind: anthropic, base_url: '{url}', api_key: sk-far}}\n"
    "routes:\n  - {{match: {{endpoint: '/messages*'}}, upstreams: anthropic}}\n  - {{upstreams: openai}}\n"
)


def run(provider: ScriptedUpstream, tmp_path: Path, *command: str, policies_text: str = POLICIES) -> str:
    """Runs an agent in a folder of its own; what moos says at the end."""
    folder, home = tmp_path / "work", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    _written(folder)
    policies = tmp_path / "moos.yaml"
    policies.write_text(policies_text.format(url=provider.url))
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MOOS_", "OPENAI_", "ANTHROPIC_"))
    }
    environment = {
        **kept,
        "PATH": f"{CLIENTS}{os.pathsep}{kept['PATH']}",
        "HOME": str(home),
        "OPENAI_API_KEY": "sk-any",
        "ANTHROPIC_API_KEY": "sk-ant-any",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    wrap = [sys.executable, "-m", "moosproxy.proxy.commands.cli", "wrap", "--config", str(policies), *command]
    done = subprocess.run(
        wrap, cwd=folder, env={**environment, "PYTHONPATH": os.getcwd()}, capture_output=True, text=True,
        timeout=400, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert DONE in done.stdout
    return done.stderr


def _saved(told: str) -> int:
    return int(told.rpartition("sent on: ")[2].partition("%")[0])


def test_codex_reads_six_files_and_no_byte_that_was_sent_changes(
    provider: ScriptedUpstream, tmp_path: Path
) -> None:
    told = run(
        provider, tmp_path, "codex", "--", "-m", "gpt-5.1-codex", "exec", "--skip-git-repo-check",
        "--dangerously-bypass-approvals-and-sandbox", "Read all six files.",
    )  # fmt: skip

    bodies = [received.body for received in provider.all("function_call_output")]
    assert len(bodies) == len(FILES)
    inputs = [body[body.index(b'"input":[') :].partition(b'],"tools"')[0] for body in bodies]
    for earlier, later in pairwise(inputs):
        assert later.startswith(earlier)
    items = json.loads(bodies[-1])["input"]
    outputs = [item["output"] for item in items if item["type"] == "function_call_output"]
    assert any("request 40 failed" in str(output) for output in outputs)
    assert _saved(told) > 40, told


def test_claude_code_reads_six_files_and_no_result_that_was_sent_changes(
    provider: ScriptedUpstream, tmp_path: Path
) -> None:
    told = run(provider, tmp_path, "claude", "--", "-p", "Read all six files.", "--allowedTools", "Bash(cat:*)")

    bodies = [json.loads(received.body) for received in provider.all("tool_result")]
    results: dict[str, Any] = {}
    for body in bodies:
        for block in _blocks(body):
            if block.get("type") == "tool_result":
                content = json.dumps(block["content"])
                assert results.setdefault(block["tool_use_id"], content) == content
    assert len(results) == len(FILES)
    assert any("request 40 failed" in content for content in results.values())
    assert _saved(told) > 40, told

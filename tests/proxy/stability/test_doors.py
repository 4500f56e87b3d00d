"""The stability rule at every door: an agent's conversation, turn by turn, over two proxies and a restart.

Each turn sends everything said so far. What went upstream must come again byte for byte, marks where they were.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.proxy.fakes import prose
from tests.proxy.live import ScriptedUpstream
from tests.proxy.stability.proxy_process import ProxyProcess
from tests.proxy.stability.test_proxies import POLICIES

TURNS = 30
Entries = list[dict[str, Any]]


def words(number: int) -> tuple[str, str, str]:
    """Of a turn: what the user wants, what the model looks for, what a tool finds."""
    return f"Why does part {number} fail?", f"find part{number}", prose(600 + number, f"row{number}_")


def chat(number: int) -> Entries:
    wish, look, rows = words(number)
    call = {
        "id": f"c{number}",
        "type": "function",
        "function": {"name": "grep", "arguments": json.dumps({"q": look})},
    }
    return [
        {
            "role": "user",
            "content": wish if number % 2 else [{"type": "text", "text": prose(400, f"doc{number}_")}],
        },
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"c{number}", "content": rows},
    ]


def responses(number: int) -> Entries:
    wish, look, rows = words(number)
    ids = {"call_id": f"c{number}"}
    shell = [{"stdout": rows, "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]
    asked = {"type": "input_text", "text": prose(400, f"doc{number}_")}
    calls: list[Entries] = [
        [{"type": "function_call", **ids, "name": "grep", "arguments": json.dumps({"q": look})},
         {"type": "function_call_output", **ids, "output": rows}],
        [{"type": "shell_call", **ids, "action": {"commands": [look]}},
         {"type": "shell_call_output", **ids, "output": shell}],
        [{"type": "custom_tool_call", **ids, "name": "grep", "input": look},
         {"type": "custom_tool_call_output", **ids, "output": [{"type": "input_text", "text": rows}]}],
    ]  # fmt: skip
    thought = {
        "type": "reasoning",
        "id": f"rs{number}",
        "summary": [],
        "encrypted_content": prose(50, f"gA{number}"),
    }
    return [{"role": "user", "content": wish if number % 2 else [asked]}, thought, *calls[number % 3]]


def messages(number: int) -> Entries:
    wish, look, rows = words(number)
    mark = {"cache_control": {"type": "ephemeral"}} if number in (0, 7) else {}
    asked: Any = {"type": "text", "text": prose(400, f"doc{number}_"), **mark}
    thought = {"type": "thinking", "thinking": prose(50, f"hm{number}"), "signature": "s" * 40}
    use = {"type": "tool_use", "id": f"t{number}", "name": "grep", "input": {"q": look}}
    found: Any = rows if number % 3 else [{"type": "text", "text": rows, **mark}]
    results = [{"type": "tool_result", "tool_use_id": f"t{number}", "content": found}]
    return [
        {"role": "user", "content": wish if number % 2 else [asked]},
        {"role": "assistant", "content": [thought, use]},
        {"role": "user", "content": results},
    ]


MARKED = [{"type": "text", "text": prose(300, "rule"), "cache_control": {"type": "ephemeral"}}]
DOORS: dict[str, tuple[str, dict[str, Any], Callable[[int], Entries]]] = {
    "/v1/chat/completions": ("messages", {}, chat),
    "/v1/responses": ("input", {"instructions": prose(300, "rule")}, responses),
    "/v1/messages": ("messages", {"max_tokens": 9, "system": MARKED}, messages),
}


def ask(port: int, path: str, body: dict[str, Any]) -> str:
    """Sends one turn, and gives what was skipped of it."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200
        return str(answer.headers.get("x-moos-skipped", ""))


@pytest.mark.slow
@pytest.mark.parametrize("path", DOORS)
def test_bytes_sent_stay_sent_at_every_door(upstream: ScriptedUpstream, tmp_path: Path, path: str) -> None:
    field, head, turn_of = DOORS[path]
    policies, stall, shared, model = (
        tmp_path / "moos.yaml",
        tmp_path / "stall",
        tmp_path / "shared",
        f"door-talk{path}",
    )
    policies.write_text(POLICIES.format(url=upstream.url))
    shared.mkdir()
    options = {"policies": str(policies), "stall_file": str(stall), "cache_dir": str(shared)}
    said: Entries = []
    prefix = b""
    with ProxyProcess(**options) as one, ProxyProcess(**options) as two:
        for number in range(TURNS):
            said += turn_of(number)
            proxy = (one, two)[number % 2]
            if number in (12, 13):
                proxy.kill()
            if number == 6:
                stall.touch()
            skipped = ask(proxy.port, path, {"model": model, **head, field: said})
            stall.unlink(missing_ok=True)
            assert ("=deadline" in skipped) == (number >= 6)
            received = upstream.last(model).body
            assert received.startswith(prefix), f"turn {number} rewrote history"
            assert received.endswith(b"]}")
            prefix = received.removesuffix(b"]}")
    sent = json.loads(received)
    whole = json.dumps({"model": model, **head, field: said}).encode()
    assert len(received) < 0.62 * len(whole)  # what nobody may touch is the rest
    assert {name: value for name, value in sent.items() if name not in ("model", field)} == head
    for given, went in zip(said, sent[field], strict=True):
        assert shape(given) == shape(went)
        if "thinking" in json.dumps(given) or given.get("type") == "reasoning":
            assert given == went


def shape(value: Any) -> Any:
    """Everything but long texts."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return "text" if isinstance(value, str) and len(value) > 500 else value

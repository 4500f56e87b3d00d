"""How many plain requests become the right tool call on a real model. Minutes: slow, and skipped without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest
import yaml

from tests.proxy import tiny_gguf
from tests.proxy.upstreams.llama_cpp.real.files import real_model

pytestmark = [tiny_gguf.needs_llama_cpp, pytest.mark.slow, pytest.mark.timeout(1500)]

ENTRIES: Any = yaml.safe_load(Path(__file__).with_name("tool_requests.yaml").read_text())
REQUESTS = [(tool, text) for tool, texts in ENTRIES["requests"].items() for text in texts]
SHARE = 0.95


def tool(name: str, described: str, parameters: dict[str, str]) -> dict[str, Any]:
    """As OpenAI has it."""
    properties = {parameter: {"type": kind} for parameter, kind in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(parameters)}
    return {"type": "function", "function": {"name": name, "description": described, "parameters": schema}}


TOOLS: Any = [tool(name, *entry) for name, entry in ENTRIES["tools"].items()]


def wrong(client: openai.OpenAI, expected: str, text: str) -> str | None:
    """What is wrong with the answer."""
    answer = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": text}], tools=TOOLS, temperature=0, max_tokens=200
    )
    choice = answer.choices[0]
    calls: list[Any] = list(choice.message.tool_calls or [])
    if choice.finish_reason != "tool_calls" or not calls:
        return f"{choice.finish_reason}: {choice.message.content or calls}"
    needed = set(ENTRIES["tools"][expected][1])
    if calls[0].function.name == expected and needed == set(json.loads(calls[0].function.arguments)):
        return None
    return f"{calls[0].function.name}({calls[0].function.arguments})"


@pytest.mark.parametrize("size", ["0.5b", "1.5b"])
def test_plain_requests_become_calls_of_the_right_tool(size: str, tmp_path: Path) -> None:
    models = {"m": {"path": str(real_model("qwen2.5", size)), "context": 4096}}
    with (
        tiny_gguf.local_proxy(tmp_path, models) as live,
        openai.OpenAI(base_url=f"{live.url}/v1", api_key="any", max_retries=0, timeout=600) as client,
    ):
        found = {text: wrong(client, expected, text) for expected, text in REQUESTS}
    faults = {text: fault for text, fault in found.items() if fault}

    told = "\n".join(f"  {text} -> {fault}" for text, fault in faults.items())
    right = len(REQUESTS) - len(faults)
    assert 60 == len(REQUESTS)
    assert right >= SHARE * len(REQUESTS), f"{right} of {len(REQUESTS)} right\n{told}"

"""A tool task of two steps at the doors of responses and messages, on a real model: call, result, answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.proxy import tiny_gguf
from tests.proxy.live import LiveProxy
from tests.proxy.upstreams.llama_cpp.real.files import real_model
from tests.proxy.upstreams.llama_cpp.real.test_two_steps import ASKED, SCHEMA, TOLD, Asked, done

pytestmark = [tiny_gguf.needs_llama_cpp, pytest.mark.slow, pytest.mark.timeout(600)]

FUNCTION: Any = SCHEMA["function"]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProxy]:
    """With one real model."""
    models = {"m": {"path": str(real_model("qwen2.5", "1.5b")), "context": 2048}}
    with tiny_gguf.local_proxy(tmp_path_factory.mktemp("doors"), models) as proxy:
        yield proxy


def test_responses(live: LiveProxy) -> None:
    tool = Asked()
    tools: Any = [{"type": "function", "strict": False, **FUNCTION}]
    asked: Any = {"model": "m", "instructions": TOLD, "tools": tools, "temperature": 0, "max_output_tokens": 200}
    given: list[Any] = [{"role": "user", "content": ASKED}]
    with openai.OpenAI(base_url=f"{live.url}/v1", api_key="any", max_retries=0, timeout=300) as client:
        with client.responses.stream(input=given, **asked) as stream:
            first = stream.get_final_response()
        calls = [item for item in first.output if item.type == "function_call"]
        left_out: Any = {"parsed_arguments"}
        given += [json.loads(item.model_dump_json(exclude_none=True, exclude=left_out)) for item in first.output]
        for call in calls:
            result = tool.get_weather(**json.loads(call.arguments))
            given.append({"type": "function_call_output", "call_id": call.call_id, "output": result})
        final = client.responses.create(input=given, **asked)
    done(tool, final.output_text)


def test_messages(live: LiveProxy) -> None:
    tool = Asked()
    tools: Any = [{**FUNCTION, "input_schema": FUNCTION["parameters"]}]
    del tools[0]["parameters"]
    asked: Any = {
        "model": "m",
        "system": TOLD,
        "tools": tools,
        "max_tokens": 200,
        "extra_body": {"temperature": 0},
    }
    given: list[Any] = [{"role": "user", "content": ASKED}]
    with anthropic.Anthropic(base_url=live.url, api_key="any", max_retries=0, timeout=300) as client:
        with client.messages.stream(messages=given, **asked) as stream:
            first = stream.get_final_message()
        assert first.stop_reason == "tool_use"
        given.append({"role": "assistant", "content": [json.loads(b.model_dump_json()) for b in first.content]})
        used: list[Any] = [block for block in first.content if block.type == "tool_use"]
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": tool.get_weather(**block.input)}
            for block in used
        ]
        given.append({"role": "user", "content": results})
        final = client.messages.create(messages=given, **asked)
    done(tool, "".join(block.text for block in final.content if block.type == "text"))


async def test_the_agents_sdk(live: LiveProxy) -> None:
    agents = pytest.importorskip("agents")
    agents.set_tracing_disabled(True)
    tool = Asked()
    async with openai.AsyncOpenAI(base_url=f"{live.url}/v1", api_key="any", timeout=300) as client:
        agent = agents.Agent(
            name="a",
            instructions=TOLD,
            model=agents.OpenAIResponsesModel("m", openai_client=client),
            tools=[agents.function_tool(tool.get_weather)],
            model_settings=agents.ModelSettings(temperature=0),
        )
        streamed = agents.Runner.run_streamed(agent, ASKED)
        async for _ in streamed.stream_events():
            pass
    done(tool, streamed.final_output)

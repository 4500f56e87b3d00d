"""A tool task of two steps, by the clients that people use, on a real model: call, result, answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.proxy import tiny_gguf
from tests.proxy.live import LiveProxy
from tests.proxy.upstreams.llama_cpp.real.files import real_model

pytestmark = [tiny_gguf.needs_llama_cpp, pytest.mark.slow, pytest.mark.timeout(600)]

# A model of this size calls the same tool for ever where it is not told when to stop.
TOLD = """You are a helpful assistant. Call a tool where it is needed.
Once there is a tool response, answer in a sentence."""
ASKED = "How many degrees are there in Oslo? Ask the tool once, then answer in one sentence."
DEGREES = "7"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProxy]:
    """With one real model."""
    models = {"m": {"path": str(real_model("qwen2.5", "1.5b")), "context": 2048}}
    with tiny_gguf.local_proxy(tmp_path_factory.mktemp("steps"), models) as proxy:
        yield proxy


class Asked:
    """The tool, and the cities that it was asked for."""

    def __init__(self) -> None:
        self.cities: list[str] = []

    def get_weather(self, city: str) -> str:
        """Get the weather of a city."""
        self.cities.append(city)
        return f"{DEGREES} degrees and rain"


def done(tool: Asked, answer: str | None) -> None:
    """The tool was asked, and the answer says what it said."""
    assert tool.cities and all("oslo" in city.lower() for city in tool.cities)
    assert DEGREES in (answer or "")


SCHEMA: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.mark.parametrize("choice", ["auto", "required"])
def test_the_openai_client(live: LiveProxy, choice: Any) -> None:
    tool = Asked()
    messages: list[Any] = [{"role": "system", "content": TOLD}, {"role": "user", "content": ASKED}]
    with openai.OpenAI(base_url=f"{live.url}/v1", api_key="any", max_retries=0, timeout=300) as client:
        asked: Any = {"model": "m", "tools": [SCHEMA], "temperature": 0, "max_tokens": 200}
        # Where several calls are allowed and one is required, a model of this size repeats the one.
        first: Any = {**asked, "tool_choice": choice, "parallel_tool_calls": choice == "auto"}
        with client.chat.completions.stream(messages=messages, **first) as stream:
            said = stream.get_final_completion().choices[0].message
        assert said.tool_calls
        messages.append(said.model_dump(exclude_none=True, include={"role", "content", "tool_calls"}))
        for call in said.tool_calls:
            result = tool.get_weather(**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
        final = client.chat.completions.create(messages=messages, **asked)
    done(tool, final.choices[0].message.content)


def test_langchain(live: LiveProxy) -> None:
    openai_chat = pytest.importorskip("langchain_openai")
    messages = pytest.importorskip("langchain_core.messages")
    tool = Asked()
    model = openai_chat.ChatOpenAI(model="m", base_url=f"{live.url}/v1", api_key="any", temperature=0, timeout=300)
    bound = model.bind_tools([tool.get_weather])
    talk: list[Any] = [messages.SystemMessage(TOLD), messages.HumanMessage(ASKED)]
    talk.append(bound.invoke(talk))
    calls = talk[-1].tool_calls
    talk += [messages.ToolMessage(tool.get_weather(**call["args"]), tool_call_id=call["id"]) for call in calls]
    done(tool, bound.invoke(talk).content)


def test_pydantic_ai(live: LiveProxy) -> None:
    pydantic_ai = pytest.importorskip("pydantic_ai")
    models = pytest.importorskip("pydantic_ai.models.openai")
    providers = pytest.importorskip("pydantic_ai.providers.openai")
    tool = Asked()
    provider = providers.OpenAIProvider(base_url=f"{live.url}/v1", api_key="any")
    agent = pydantic_ai.Agent(
        models.OpenAIChatModel("m", provider=provider),
        instructions=TOLD,
        model_settings={"temperature": 0},
        tools=[tool.get_weather],
    )
    done(tool, agent.run_sync(ASKED).output)


async def test_the_agents_sdk(live: LiveProxy) -> None:
    agents = pytest.importorskip("agents")
    agents.set_tracing_disabled(True)
    tool = Asked()
    async with openai.AsyncOpenAI(base_url=f"{live.url}/v1", api_key="any", timeout=300) as client:
        model = agents.OpenAIChatCompletionsModel("m", openai_client=client)
        agent = agents.Agent(
            name="a",
            instructions=TOLD,
            model=model,
            tools=[agents.function_tool(tool.get_weather)],
            model_settings=agents.ModelSettings(temperature=0),
        )
        streamed = agents.Runner.run_streamed(agent, ASKED)
        async for _ in streamed.stream_events():
            pass
    done(tool, streamed.final_output)

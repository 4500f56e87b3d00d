"""Generated text becomes what OpenAI's clients expect, wherever the pieces break."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any, Literal

from hypothesis import given
from hypothesis import strategies as st

from moosproxy.proxy.upstreams.local.answers import Ending, Form, Piece, events, whole
from moosproxy.proxy.upstreams.local.stop_text import StopText
from moosproxy.proxy.upstreams.local.tool_calls.events import Tool

WEATHER = (Tool("weather"),)
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>'


def pieces(text: str, cuts: list[int]) -> list[str]:
    """The text in pieces."""
    ends = sorted({cut % (len(text) + 1) for cut in cuts} | {len(text)})
    return [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]


async def generated(
    *texts: str, reason: Literal["stop", "length"] = "stop"
) -> AsyncGenerator[Piece | Ending, None]:
    """Pieces and an ending."""
    for text in texts:
        yield Piece(text)
    yield Ending(reason, 10, len(texts), 4)


@given(
    st.text("ab<>", max_size=30), st.lists(st.integers(0, 30)), st.lists(st.text("ab<>", min_size=1, max_size=4))
)
def test_a_stop_string_is_found_wherever_the_pieces_break(text: str, cuts: list[int], stops: list[str]) -> None:
    stop = StopText(stops)
    shown, reached = "", False
    for piece in pieces(text, cuts):
        out, reached = stop.feed(piece)
        shown += out
        if reached:
            break
    else:
        shown += stop.rest()
    hits = [at for one in stops if (at := text.find(one)) >= 0]

    assert bool(hits) == reached
    if not hits:
        assert text == shown
    else:
        # A longer stop string may begin earlier than a shorter one that was complete first.
        assert text.startswith(shown) and not any(one in shown for one in stops)


async def test_an_answer_has_text_and_usage() -> None:
    answer: Any = json.loads(await whole(generated("Hello", " you"), Form("m")))

    assert "Hello you" == answer["choices"][0]["message"]["content"]
    assert "stop" == answer["choices"][0]["finish_reason"]
    assert {"cached_tokens": 4} == answer["usage"]["prompt_tokens_details"]
    assert 12 == answer["usage"]["total_tokens"]


async def test_a_completion_has_its_own_form() -> None:
    answer: Any = json.loads(await whole(generated("Hello"), Form("m", chat=False)))

    assert ("text_completion", "Hello") == (answer["object"], answer["choices"][0]["text"])


async def test_a_stream_ends_with_usage_only_where_it_was_asked_for() -> None:
    for usage in (False, True):
        raw = [event async for event in events(generated("Hello"), Form("m", usage=usage))]
        chunks: list[Any] = [json.loads(event[6:]) for event in raw[:-1]]

        assert b"data: [DONE]\n\n" == raw[-1]
        assert usage == any("usage" in chunk for chunk in chunks)
        assert "Hello" == "".join(c["delta"].get("content", "") for chunk in chunks for c in chunk["choices"])


async def test_tool_calls_are_looked_for_only_where_there_are_tools() -> None:
    with_tools: Any = json.loads(await whole(generated(CALL), Form("m", tools=WEATHER)))
    without: Any = json.loads(await whole(generated(CALL), Form("m")))

    assert "tool_calls" == with_tools["choices"][0]["finish_reason"]
    assert with_tools["choices"][0]["message"]["content"] is None
    assert CALL == without["choices"][0]["message"]["content"]


async def test_the_arguments_of_a_call_are_streamed_as_they_come() -> None:
    written = ["Well.\n", CALL[:45], CALL[45:55], CALL[55:]]
    raw = [event async for event in events(generated(*written), Form("m", tools=WEATHER))]
    choices: list[Any] = [json.loads(event[6:])["choices"][0] for event in raw[:-1]]
    deltas = [choice["delta"] for choice in choices]
    calls = [call for delta in deltas for call in delta.get("tool_calls", [])]

    assert "Well.\n" == "".join(delta.get("content", "") for delta in deltas)
    assert ("weather", "function") == (calls[0]["function"]["name"], calls[0]["type"])
    assert ['{"city": "', 'Oslo"}'] == [call["function"]["arguments"] for call in calls[1:]]
    assert {0} == {call["index"] for call in calls}
    assert "tool_calls" == choices[-1]["finish_reason"]


async def test_a_call_that_is_cut_off_says_length() -> None:
    cut = CALL[: CALL.index("Oslo")]
    answer: Any = json.loads(await whole(generated(cut, reason="length"), Form("m", tools=WEATHER)))
    raw = [event async for event in events(generated(cut, reason="length"), Form("m", tools=WEATHER))]

    assert "length" == answer["choices"][0]["finish_reason"]
    assert '{"city": "' == answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert "length" == json.loads(raw[-2][6:])["choices"][0]["finish_reason"]

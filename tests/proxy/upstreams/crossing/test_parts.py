"""Chat completions of many servers, read piece by piece."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moosproxy.proxy.upstreams.base import BodyAnswer, UpstreamFault
from moosproxy.proxy.upstreams.crossing.chat_stream import chunks
from moosproxy.proxy.upstreams.crossing.parts import (
    Begins,
    CallArguments,
    CallBegins,
    ChatReader,
    Counted,
    Ends,
    Part,
    Text,
)
from tests.proxy import answers


def read(*deltas: dict[str, Any], reason: str = "stop", **more: Any) -> list[Part]:
    reader = ChatReader()
    chunks = [{"model": "m", "choices": [{"delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"delta": {}, "finish_reason": reason, **more}]})
    return [part for chunk in chunks for part in reader.chunk(chunk)]


def call(index: int | None, call_id: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"tool_calls": [{"index": index, "id": call_id, "function": function}]}


async def test_whole_and_streamed_answers_say_the_same() -> None:
    for tool in (False, True):
        streamed = ChatReader()
        answer = BodyAnswer(200, [], b"".join(answers.chunks(tool=tool)))
        parts = [part async for chunk in chunks(answer) for part in streamed.chunk(chunk)]
        whole = list(ChatReader().whole(json.loads(answers.completion(tool=tool))))

        assert whole == [
            Begins("m"),
            *(
                [CallBegins("call_1", "get_weather"), CallArguments('{"city":"Ulm"}')]
                if tool
                else [Text("Hello 🍀")]
            ),
            Ends("tool_calls" if tool else "stop"),
            Counted(11, 5, 4),
        ]
        assert "".join(getattr(part, "text", "") for part in parts) == "".join(
            getattr(part, "text", "") for part in whole
        )
        assert parts[-2:] == whole[-2:]


def test_space_before_a_call_is_no_text_and_space_alone_is() -> None:
    assert read({"content": "\n"}, {"content": "\n"}, call(0, "c", "f", "{}"), reason="tool_calls") == [
        Begins("m"), CallBegins("c", "f"), CallArguments("{}"), Ends("tool_calls"),
    ]  # fmt: skip
    assert read({"content": "\n"}) == [Begins("m"), Text("\n"), Ends("stop")]
    assert read({"content": "\n"}, {"content": "x"}, {"content": " "}) == [
        Begins("m"), Text("\nx"), Text(" "), Ends("stop"),
    ]  # fmt: skip


def test_servers_that_do_not_count_or_repeat_themselves() -> None:
    uncounted = read(call(None, "c1", "f", "{}"), call(None, "c2", "g", "{}"), reason="tool_calls")
    repeated = read(call(0, "c1", "f", "{"), call(0, "c1", "f", "}"), reason="function_call")

    assert [part.id for part in uncounted if isinstance(part, CallBegins)] == ["c1", "c2"]
    assert repeated == [
        Begins("m"), CallBegins("c1", "f"), CallArguments("{"), CallArguments("}"), Ends("tool_calls"),
    ]  # fmt: skip
    (unnamed,) = (part for part in read(call(0, None, "f", "{}")) if isinstance(part, CallBegins))
    assert unnamed.id.startswith("call_")


def test_the_stop_text_that_was_met_is_told_where_the_server_tells() -> None:
    assert read(stop_reason="END")[-1] == Ends("stop", "END")
    assert read(stop_reason=151643)[-1] == Ends("stop")


@pytest.mark.parametrize("answer", [{}, {"choices": []}, {"choices": [1]}, {"choices": [{"message": {}}]}])
def test_what_is_no_chat_completion_is_a_fault(answer: dict[str, Any]) -> None:
    with pytest.raises(UpstreamFault, match="no chat completion"):
        list(ChatReader().whole(answer))


@pytest.mark.parametrize("error", [{"message": "out of memory"}, "out of memory"])
def test_an_error_inside_a_stream_is_told_to_the_client_and_not_to_the_log(error: Any) -> None:
    with pytest.raises(UpstreamFault) as caught:
        list(ChatReader().chunk({"error": error}))

    assert caught.value.message == "out of memory"
    assert caught.value.detail == "it failed while it answered"


def test_arguments_of_a_call_that_has_not_begun_are_a_fault() -> None:
    with pytest.raises(UpstreamFault, match="had not begun"):
        read(call(0, "c", "f", "{"), call(1, None, None, "}"))


@pytest.mark.parametrize("document", [b"data: nonsense\n\n", b"data: [1]\n\n", b"data: {"])
async def test_events_that_are_no_objects_are_a_fault(document: bytes) -> None:
    with pytest.raises(UpstreamFault, match="no JSON object"):
        _ = [chunk async for chunk in chunks(BodyAnswer(200, [], document))]


async def test_comments_names_and_line_ends_do_not_matter() -> None:
    document = (
        b': hello\r\nevent: x\r\ndata:{"a":1}\r\n\r\nretry: 5\ndata: {"b":2}\n\ndata: [DONE]\n\ndata: {"c":3}\n\n'
    )

    assert [chunk async for chunk in chunks(BodyAnswer(200, [], document))] == [{"a": 1}, {"b": 2}]


def test_parts_of_text_and_arguments_that_are_an_object_are_kept() -> None:
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    function = {"name": "f", "arguments": {"a": 1}}
    message = {"content": texts, "tool_calls": [{"id": "c", "function": function}]}
    whole = ChatReader().whole({"model": "m", "choices": [{"message": message, "finish_reason": "tool_calls"}]})

    assert list(whole) == [
        Begins("m"), Text("ab"), CallBegins("c", "f"), CallArguments('{"a":1}'), Ends("tool_calls"),
    ]  # fmt: skip
    assert read({"content": texts}) == [Begins("m"), Text("ab"), Ends("stop")]
    with pytest.raises(UpstreamFault, match="a part that is no text"):
        read({"content": [{"type": "image_url", "image_url": {"url": "x"}}]})


def test_arguments_behind_a_text_that_ended_their_call_are_a_fault_and_not_lost() -> None:
    begun = call(0, "c0", "look", "")
    with pytest.raises(UpstreamFault, match="had not begun"):
        read(begun, {"content": "mid"}, call(0, None, None, '{"a":1}'), reason="tool_calls")

    blank = read(begun, {"content": ""}, {"content": None}, call(0, None, None, '{"a":1}'), reason="tool_calls")
    assert CallArguments('{"a":1}') in blank

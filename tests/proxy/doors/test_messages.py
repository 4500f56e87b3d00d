"""Where the texts of Anthropic's messages lie, what is never touched, and what each was asked for."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from anthropic.types.shared.error_response import ErrorResponse

from moosproxy.proxy.doors.messages import DOOR
from moosproxy.proxy.errors import BadRequest, Told
from moosproxy.proxy.rewriting.conversation import asked_before

LONG = "The mill was built by the river. " * 60


def found(*blocks: Any, role: str = "user", system: Any = None) -> list[tuple[Any, ...]]:
    parts = DOOR.find({"messages": [{"role": role, "content": list(blocks)}], "system": system})
    return [(part.path, part.part, part.role, part.text, part.answers) for part in parts]


def text(words: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **fields}


def test_the_system_prompt_is_the_systems_as_a_string_or_as_blocks() -> None:
    assert found(system="rules") == [(("system",), None, "system", "rules", None)]
    assert found(system=[text("a"), text("b", cache_control={"type": "ephemeral"})]) == [
        (("system", 0, "text"), 0, "system", "a", None),
        (("system", 1, "text"), 1, "system", "b", None),
    ]


def test_contents_are_a_string_or_blocks() -> None:
    (part,) = DOOR.find({"messages": [{"role": "user", "content": "a"}]})
    assert (part.path, part.message, part.role) == (("messages", 0, "content"), 0, "user")
    assert found(text("a"), {"type": "image", "source": {}}, text("b"), role="assistant") == [
        (("messages", 0, "content", 0, "text"), 0, "assistant", "a", None),
        (("messages", 0, "content", 2, "text"), 2, "assistant", "b", None),
    ]


def test_what_a_tool_answered_is_the_tools_though_a_user_says_it() -> None:
    blocks = [
        text("b"),
        {"type": "image", "source": {}},
        {"type": "document", "source": {"type": "text", "data": "d"}},
    ]
    place = ("messages", 0, "content")
    assert found(
        {"type": "tool_result", "tool_use_id": "t1", "content": "a"},
        {"type": "tool_result", "tool_use_id": "t2", "content": blocks, "is_error": True},
        text("and?"),
    ) == [
        ((*place, 0, "content"), 0, "tool", "a", "t1"),
        ((*place, 1, "content", 0, "text"), "1.0", "tool", "b", "t2"),
        ((*place, 1, "content", 2, "source", "data"), "1.2", "tool", "d", "t2"),
        ((*place, 2, "text"), 2, "user", "and?", None),
    ]


def test_documents_and_search_results_are_texts_where_nothing_cites_them() -> None:
    place = ("messages", 0, "content")
    plain = {"type": "document", "title": "t", "source": {"type": "text", "media_type": "text/plain", "data": "a"}}
    blocks = {"type": "document", "source": {"type": "content", "content": [text("b"), {"type": "image"}]}}
    string = {"type": "document", "source": {"type": "content", "content": "c"}}
    search = {
        "type": "search_result",
        "title": "t",
        "source": "u",
        "content": [text("d")],
        "citations": {"enabled": False},
    }
    assert found(plain, blocks, string, search) == [
        ((*place, 0, "source", "data"), 0, "user", "a", None),
        ((*place, 1, "source", "content", 0, "text"), "1.0", "user", "b", None),
        ((*place, 2, "source", "content"), 2, "user", "c", None),
        ((*place, 3, "content", 0, "text"), "3.0", "user", "d", None),
    ]
    cited = {"citations": {"enabled": True}}
    assert found(plain | cited, blocks | cited, string | cited, search | cited, plain | {"citations": "odd"}) == []


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": LONG, "signature": LONG},
        {"type": "redacted_thinking", "data": LONG},
        {"type": "tool_use", "id": "t", "name": "n", "input": {"text": LONG}},
        {"type": "server_tool_use", "id": "t", "name": "n", "input": {"text": LONG}},
        {"type": "web_search_tool_result", "tool_use_id": "t", "content": [{"encrypted_content": LONG}]},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": LONG}},
        {"type": "document", "source": {"type": "file", "file_id": LONG}},
        {"type": "document", "source": LONG},
        {"type": "of_tomorrow", "text": LONG, "content": LONG},
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_result", "content": LONG}]},
        {"type": "tool_result", "tool_use_id": "t", "content": 7},
        text(LONG, citations=[{"type": "char_location", "start_char_index": 3}]),
        {"type": "text", "text": 7},
        {"type": ["text"], "text": LONG},
        {"text": LONG},
        None, 7, "x", [],
    ],
)  # fmt: skip
def test_what_is_no_text_of_ours_is_left_out(block: Any) -> None:
    assert (
        found(block)
        == found(block, role="assistant")
        == found(system=block if isinstance(block, dict) else 3)
        == []
    )


def test_a_result_is_asked_for_by_the_request_and_the_call_and_a_document_by_the_question_beside_it() -> None:
    call = {"type": "tool_use", "id": "t1", "name": "read", "input": {"path": "src/app.py", "lines": [1, 20]}}
    document = {"type": "document", "source": {"type": "text", "data": LONG}}
    body = {
        "system": "rules",
        "messages": [
            {"role": "user", "content": "Why does the import fail?"},
            {"role": "assistant", "content": [text("Let me see."), call]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t1", "content": LONG}, text("Go on.")],
            },
            {"role": "user", "content": [document, text("Which river?")]},
            {"role": "user", "content": LONG},
        ],
    }
    assert asked_before(DOOR, body, DOOR.find(body)) == [
        None,  # the system prompt
        None,
        "Why does the import fail?",
        "Why does the import fail?\npath src/app.py lines 1 20",
        "Why does the import fail?",
        "Which river?",
        "Go on.",
        "Which river?",
    ]


@pytest.mark.parametrize(
    ("body", "param"),
    [({}, "messages"), ({"messages": "x"}, "messages"), ({"messages": [1]}, "messages[0]"),
     ({"messages": [], "model": 1}, "model")],
)  # fmt: skip
def test_wrong_types_are_named(body: Any, param: str) -> None:
    with pytest.raises(BadRequest) as raised:
        DOOR.check(body)
    assert raised.value.param == param


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 408, 413, 415, 429, 431, 500, 502, 503, 504])
def test_errors_have_anthropics_shape(status: int) -> None:
    told = orjson.loads(DOOR.error(Told(status, "no", "api_error"), "req_1"))
    parsed = ErrorResponse.model_validate(told)
    assert (parsed.type, parsed.error.message, parsed.request_id) == ("error", "no", "req_1")
    assert told["error"]["type"].startswith("invalid") == (status in (400, 405, 408, 413, 415, 431))
    event = DOOR.event(Told(status, "no", "api_error"), "req_1")
    assert event.startswith(b"event: error\ndata: {") and event.endswith(b"}\n\n")

"""Where the texts of a response's items lie, what is never touched, and what each was asked for."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from moosproxy.proxy.doors.responses import DOOR
from moosproxy.proxy.errors import BadRequest, Told
from moosproxy.proxy.rewriting.conversation import asked_before

LONG = "The mill was built by the river. " * 60


def found(*items: Any, **fields: Any) -> list[tuple[Any, ...]]:
    parts = DOOR.find({"input": list(items), **fields})
    return [(part.path[1:], part.part, part.role, part.text, part.answers) for part in parts]


def test_a_string_is_a_users_text_and_instructions_are_the_systems() -> None:
    parts = DOOR.find({"input": "hello", "instructions": "rules"})
    assert [(part.path, part.message, part.role, part.text) for part in parts] == [
        (("instructions",), "instructions", "system", "rules"),
        (("input",), 0, "user", "hello"),
    ]


@pytest.mark.parametrize("kind", [{"type": "message"}, {}])
@pytest.mark.parametrize("role", ["user", "assistant", "system", "developer"])
def test_messages_of_every_role_say_text(kind: dict[str, str], role: str) -> None:
    assert found({**kind, "role": role, "content": "a"}) == [((0, "content"), None, role, "a", None)]
    parts = [{"type": "input_image", "image_url": "x"}, {"type": "input_text", "text": "a"},
             {"type": "output_text", "text": "b", "annotations": []}, {"type": "refusal", "refusal": "c"},
             {"type": "input_file", "file_data": "d", "filename": "e"}]  # fmt: skip
    assert found({**kind, "role": role, "content": parts}) == [
        ((0, "content", 1, "text"), 1, role, "a", None),
        ((0, "content", 2, "text"), 2, role, "b", None),
    ]


def test_what_a_tool_answered_is_the_tools_whatever_its_kind() -> None:
    shell = [{"stdout": "o", "stderr": "e", "outcome": {"type": "exit", "exit_code": 0}}]
    assert found(
        {"type": "function_call_output", "call_id": "c0", "output": "a"},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "b"},
                                                                     {"type": "input_image", "file_id": "f"}]},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "c"},
        {"type": "local_shell_call_output", "id": "c3", "output": "d"},
        {"type": "shell_call_output", "call_id": "c4", "output": shell},
        {"type": "apply_patch_call_output", "call_id": "c5", "status": "completed", "output": "p"},
        {"type": "mcp_call", "id": "c6", "name": "n", "arguments": "{}", "server_label": "s", "output": "m"},
    ) == [
        ((0, "output"), None, "tool", "a", "c0"),
        ((1, "output", 0, "text"), 0, "tool", "b", "c1"),
        ((2, "output"), None, "tool", "c", "c2"),
        ((3, "output"), None, "tool", "d", "c3"),
        ((4, "output", 0, "stdout"), "0.stdout", "tool", "o", "c4"),
        ((4, "output", 0, "stderr"), "0.stderr", "tool", "e", "c4"),
        ((5, "output"), None, "tool", "p", "c5"),
        ((6, "output"), None, "tool", "m", "c6"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "item",
    [
        {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": LONG}],
         "encrypted_content": LONG, "content": [{"type": "reasoning_text", "text": LONG}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": LONG},
        {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": LONG},
        {"type": "compaction", "encrypted_content": LONG},
        {"type": "item_reference", "id": LONG},
        {"type": "mcp_list_tools", "id": "m", "server_label": "s", "tools": [{"name": "t", "description": LONG}]},
        {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer", "image_url": LONG}},
        {"type": "image_generation_call", "id": "i", "result": LONG, "status": "completed"},
        {"type": "of_tomorrow", "role": "user", "content": LONG, "output": LONG, "text": LONG},
        {"type": ["message"], "role": "user", "content": LONG},
        {"role": "assistant", "content": [{"type": "output_text", "text": LONG, "annotations": [{"index": 3}]}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": LONG, "logprobs": [{"token": "a"}]}]},
        {"role": "user", "content": [{"type": "input_text", "text": 7}, {"text": LONG}, None, 3, "x"]},
        {"role": "user", "content": 7},
        {},
    ],
)  # fmt: skip
def test_what_is_no_text_of_ours_is_left_out(item: Any) -> None:
    assert found(item, previous_response_id=LONG, prompt={"id": "p", "variables": {"x": LONG}}) == []


def asked(*items: Any) -> list[str | None]:
    body = {"input": list(items), "instructions": "rules"}
    return asked_before(DOOR, body, DOOR.find(body))[1:]


def test_an_output_is_asked_for_by_the_request_and_its_own_call() -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "read", "arguments": '{"path": "src/app.py"}'}
    shell = {
        "type": "local_shell_call",
        "id": "i",
        "call_id": "c2",
        "action": {"type": "exec", "command": ["ls", "-l"]},
    }
    assert asked(
        {"role": "user", "content": "Why does the import fail?"}, call, shell,
        {"type": "local_shell_call_output", "id": "c2", "output": LONG},
        {"type": "function_call_output", "call_id": "c1", "output": LONG},
        {"type": "mcp_call", "id": "m", "arguments": '{"q": "mill"}', "output": LONG},
        {"role": "user", "content": LONG},
    )[1:] == [
        "Why does the import fail?\ntype exec command ls -l",
        "Why does the import fail?\npath src/app.py",
        "Why does the import fail?\nq mill",
        "Why does the import fail?",
    ]  # fmt: skip


def test_an_output_without_its_call_is_asked_for_by_what_is_known() -> None:
    output = {"type": "function_call_output", "call_id": "c9", "output": LONG}
    assert asked(output) == [None]
    assert asked({"type": "function_call", "arguments": "{}"}, {**output, "call_id": None}) == [None]


def test_nothing_later_changes_what_an_output_was_asked_for() -> None:
    items = [
        {"role": "user", "content": "Which mill?"},
        {"type": "function_call_output", "call_id": "c", "output": LONG},
    ]
    later = [
        {"type": "function_call", "call_id": "c", "arguments": "late"},
        {"role": "user", "content": "And now?"},
    ]
    assert asked(*items, *later)[: len(items)] == asked(*items)


@pytest.mark.parametrize(
    ("body", "param"),
    [({"input": 3}, "input"), ({"input": {}}, "input"), ({"input": ["x"]}, "input[0]"), ({"model": 1}, "model")],
)
def test_wrong_types_are_named(body: Any, param: str) -> None:
    with pytest.raises(BadRequest) as raised:
        DOOR.check(body)
    assert raised.value.param == param
    DOOR.check({})
    DOOR.check({"input": None, "previous_response_id": "r"})


def test_an_error_inside_a_stream_is_an_event_that_clients_raise() -> None:
    event = DOOR.event(Told(502, "broke off", "api_error", None, "upstream_broken"), "req_1")
    kind, _, data = event.decode().strip().partition("\n")
    told = orjson.loads(data.removeprefix("data: "))
    assert kind == "event: error"
    assert (told["type"], told["code"], told["message"]) == ("error", "upstream_broken", "broke off")
    assert told["error"]["message"] == "broke off"

"""`/v1/responses`: items instead of messages, and answers that the provider may keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from moosproxy.proxy.bodies.parts import TextPart
from moosproxy.proxy.bodies.splice import Path
from moosproxy.proxy.doors.base import (
    Body,
    Door,
    check_model,
    check_objects,
    kind_of,
    listed,
    openai_error,
    operation,
    text_of,
    words,
)
from moosproxy.proxy.errors import BadRequest, Told

_TEXT_TYPES = frozenset({"input_text", "output_text", "text"})
# Item -> the field that names its call. What a tool answered, in the words of the machine that ran it.
_OUTPUTS = {
    "function_call_output": "call_id",
    "custom_tool_call_output": "call_id",
    "local_shell_call_output": "id",
    "shell_call_output": "call_id",
    "apply_patch_call_output": "call_id",
    "mcp_call": "id",  # which the provider itself made: call and output are one item
}
# Item -> the field that names it for its output, and the one with what was asked for.
_CALLS = {
    "function_call": ("call_id", "arguments"),
    "custom_tool_call": ("call_id", "input"),
    "local_shell_call": ("call_id", "action"),
    "shell_call": ("call_id", "action"),
    "apply_patch_call": ("call_id", "operation"),
    "mcp_call": ("id", "arguments"),
}


def texts(body: Body) -> list[TextPart]:
    """Instructions, what messages say and what tools answered.

    Never reasoning, encrypted or unknown items, arguments, ids, images, audio or files.
    """
    instructions, given = body.get("instructions"), body.get("input")
    found: list[TextPart] = []
    if isinstance(instructions, str):
        found.append(TextPart(("instructions",), "instructions", None, "system", instructions))
    if isinstance(given, str):
        return [*found, TextPart(("input",), 0, None, "user", given)]
    for index, item in enumerate(listed(given)):
        found += _texts(index, item)
    return found


def turns(body: Body) -> list[Any]:
    """The items; a single text counts as one."""
    given = body.get("input")
    return [given] if isinstance(given, str) else listed(given)


def _texts(index: int, item: Any) -> Iterator[TextPart]:
    kind = kind_of(item, "message")
    path = ("input", index)
    if kind == "message":
        yield from _contents(item.get("content"), (*path, "content"), index, text_of(item.get("role")))
    elif kind in _OUTPUTS:
        answers = text_of(item.get(_OUTPUTS[kind]))
        yield from _contents(item.get("output"), (*path, "output"), index, "tool", answers)


def _contents(content: Any, path: Path, index: int, role: str, answers: str | None = None) -> Iterator[TextPart]:
    if isinstance(content, str):
        yield TextPart(path, index, None, role, content, answers)
        return
    for number, part in enumerate(listed(content)):
        if kind_of(part) in _TEXT_TYPES:
            # Annotations and log probabilities count the text's characters and tokens.
            if isinstance(part.get("text"), str) and not part.get("annotations") and not part.get("logprobs"):
                yield TextPart((*path, number, "text"), index, number, role, part["text"], answers)
        elif isinstance(part, dict) and "outcome" in part:  # of a shell
            for stream in ("stdout", "stderr"):
                if isinstance(part.get(stream), str):
                    place = f"{number}.{stream}"
                    yield TextPart((*path, number, stream), index, place, role, part[stream], answers)


def calls(item: Any) -> Iterator[tuple[str, str]]:
    """The call of an item that is one."""
    kind = kind_of(item)
    if kind in _CALLS:
        name, asked = _CALLS[kind]
        yield text_of(item.get(name)), words(item.get(asked))


def _check(body: Body) -> None:
    check_model(body)
    given = body.get("input")
    if given is None or isinstance(given, str):
        return
    if not isinstance(given, list):
        raise BadRequest("input must be a string or an array of items.", param="input", code="invalid_type")
    check_objects(body, "input", "items")


def _event(told: Told, request_id: str) -> bytes:
    """An `error` event. Clients raise what stands under `error`; the published fields stand beside it."""
    error = orjson.loads(openai_error(told, request_id))["error"]
    event = {"type": "error", "code": told.code, "message": told.message, "param": told.param}
    return b"event: error\ndata: " + orjson.dumps({**event, "sequence_number": 0, "error": error}) + b"\n\n"


_BODY = {
    "type": "object",
    "properties": {"input": {"type": ["string", "array"]}, "instructions": {"type": "string"}},
}

DOOR = Door(
    root="responses",
    paths=frozenset({"/responses", "/responses/input_tokens", "/responses/compact"}),
    pages={
        "/v1/responses": {
            "post": operation("OpenAI's responses; long items are shortened as the policy says", _BODY)
        },
        "/v1/responses/input_tokens": {"post": operation("Counts what would be sent", _BODY)},
        "/v1/responses/compact": {"post": operation("Compacts a conversation that is shortened first", _BODY)},
        "/v1/responses/{id}": {
            "get": operation("A kept response; teams need `responses/*` in their policy's endpoints"),
            "delete": operation("Forgets a kept response; teams need the same"),
        },
    },
    texts=texts,
    turns=turns,
    calls=calls,
    main="input",
    beside=frozenset({"tools", "previous_response_id", "conversation", "prompt"}),
    check=_check,
    event=_event,
)

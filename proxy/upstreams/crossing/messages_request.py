"""A body of `/v1/messages` as a chat completion's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from moosproxy.proxy.bodies import any_json
from moosproxy.proxy.doors.base import Body, kind_of, listed
from moosproxy.proxy.upstreams.crossing.conversation import Content, Conversation, content
from moosproxy.proxy.upstreams.crossing.fields import (
    CHATS_OWN,
    Reach,
    check_known,
    function,
    objects,
    positive,
    string,
    unmapped,
    wrong,
)

TEXTS = Reach()
_READ = frozenset(
    {
        *("context_management", "max_tokens", "messages", "model", "output_config", "output_format"),
        *("stop_sequences", "stream", "system", "tool_choice", "tools"),
    }
)
# They change nothing about what is said: marks for a cache, a bill or a log. `thinking` bounds what the model may
# think, and of that these models use nothing.
_NO_MATTER = frozenset(
    {
        *("cache_control", "diagnostics", "inference_geo", "metadata", "service_tier", "thinking"),
        *("user_profile_id", "workspace_id"),
    }
)
_ONLY: Mapping[str, tuple[Any, ...]] = {"mcp_servers": ([],), "speed": ("standard",)}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def chat_body(body: Body, reach: Reach = TEXTS) -> dict[str, Any]:
    """Raises BadRequest, naming the field, for what cannot be mapped."""
    out = prompt_body(body, reach)
    out["max_tokens"] = positive(body, "max_tokens")
    if body.get("stream"):
        out |= {"stream": True, "stream_options": {"include_usage": True}}
    return out


def prompt_body(body: Body, reach: Reach = TEXTS) -> dict[str, Any]:
    """The same of a body that asks for a count, which says nothing of an answer. Raises BadRequest."""
    check_known(body, _READ | _NO_MATTER | CHATS_OWN, _ONLY, {})
    out = {name: body[name] for name in CHATS_OWN | {"model"} if body.get(name) is not None}
    out["messages"] = _conversation(body, reach)
    if body.get("tools"):
        out["tools"] = [_tool(entry, place, reach) for place, entry in objects(body["tools"], "tools")]
        _choice(body.get("tool_choice"), out)
    if body.get("stop_sequences"):
        out["stop"] = body["stop_sequences"]
    _form(body, out)
    for place, edit in objects(_edits(body.get("context_management")), "context_management.edits"):
        if not kind_of(edit).startswith("clear_thinking"):  # of which nothing goes there anyway
            raise unmapped(f"{place}.type")
    return out


def _conversation(body: Body, reach: Reach) -> list[dict[str, Any]]:
    talk = Conversation()
    if body.get("system") is not None:
        talk.say("system", _content(body["system"], "system", reach))
    role = ""
    for place, message in objects(body.get("messages"), "messages"):
        role = string(message, "role", place)
        if role not in ("user", "assistant", "system"):
            raise wrong(f"{place}.role", "must be user, assistant or system")
        _add(role, message.get("content"), f"{place}.content", talk, reach)
    if role == "assistant":
        raise unmapped(
            f"{place}.role", "the last message must be the user's, an answer cannot be begun for the model"
        )
    return talk.messages


def _add(role: str, given: Any, place: str, talk: Conversation, reach: Reach) -> None:
    """Results of tools come first: they belong right behind the calls."""
    if isinstance(given, str):
        talk.say(role, given)
        return
    parts = []
    for at, block in objects(given, place):
        kind = kind_of(block)
        if kind == "tool_result" and role == "user":
            called = string(block, "tool_use_id", at)
            shown = list(_shown(block, at, reach))
            talk.result(called, _result(block, at, bool(shown)), f"{at}.tool_use_id", **_mark(block, reach))
            parts += shown
        elif kind not in ("thinking", "redacted_thinking", "tool_use"):  # no other model can read thinking
            parts.append(_part(block, at, reach))
    if parts:
        talk.say(role, content(parts))
    for at, block in objects(given, place):
        if kind_of(block) == "tool_use":
            arguments = any_json.dumps(block.get("input") or {}).decode()
            talk.call(string(block, "id", at), string(block, "name", at), arguments, **_mark(block, reach))


def _result(block: dict[str, Any], place: str, shown: bool) -> str:
    """A text. shown: its pictures stand elsewhere."""
    given = block.get("content") or ""
    if shown:
        blocks = [(at, inner) for at, inner in objects(given, f"{place}.content") if kind_of(inner) != "image"]
        text = "\n".join(_text(inner, at) for at, inner in blocks)
    else:
        text = _texts(given, f"{place}.content")
    return f"Error: {text}" if block.get("is_error") is True else text


def _shown(block: dict[str, Any], place: str, reach: Reach) -> Iterator[dict[str, Any]]:
    """The pictures of a result: no tool can show them in chat completions, so the user does."""
    given = block.get("content")
    if reach.images and isinstance(given, list):
        blocks = objects(given, f"{place}.content")
        yield from (_part(inner, at, reach) for at, inner in blocks if kind_of(inner) == "image")


def _content(given: Any, place: str, reach: Reach) -> Content:
    """A string, or blocks."""
    if isinstance(given, str):
        return given
    return content([_part(block, at, reach) for at, block in objects(given, place)])


def _part(block: dict[str, Any], place: str, reach: Reach) -> dict[str, Any]:
    if kind_of(block) == "image" and reach.images:
        return {"type": "image_url", "image_url": {"url": _address(block, place)}, **_mark(block, reach)}
    return {"type": "text", "text": _text(block, place), **_mark(block, reach)}


def _mark(block: dict[str, Any], reach: Reach) -> dict[str, Any]:
    """What says that a prompt is cached up to here."""
    mark = block.get("cache_control") if reach.marks else None
    return {} if mark is None else {"cache_control": mark}


def _address(block: dict[str, Any], place: str) -> str:
    source = block.get("source")
    kind = kind_of(source)
    if isinstance(source, dict) and kind == "base64":
        data, media = (string(source, name, f"{place}.source") for name in ("data", "media_type"))
        return f"data:{media};base64,{data}"
    if isinstance(source, dict) and kind == "url":
        return string(source, "url", f"{place}.source")
    raise unmapped(f"{place}.source.type", "it can be base64 or url")


def _texts(given: Any, place: str) -> str:
    """A string, or what the blocks say, one below the other."""
    if isinstance(given, str):
        return given
    return "\n".join(_text(block, at) for at, block in objects(given, place))


def _text(block: dict[str, Any], place: str) -> str:
    kind = kind_of(block)
    if kind == "text":
        return string(block, "text", place)
    if kind in ("document", "search_result"):
        citations = block.get("citations")
        if isinstance(citations, dict) and citations.get("enabled"):
            raise unmapped(f"{place}.citations")
        return "\n".join(_document(block, place))
    raise unmapped(f"{place}.type", "it takes texts, tool calls and their results")


def _document(block: dict[str, Any], place: str) -> Iterator[str]:
    """Title, context, and the text."""
    yield from (block[name] for name in ("title", "context") if isinstance(block.get(name), str))
    source = block.get("source")
    if kind_of(block) == "search_result":
        yield from [source] if isinstance(source, str) else []
        yield _texts(block.get("content"), f"{place}.content")
    elif isinstance(source, dict) and source.get("type") == "text":
        yield string(source, "data", f"{place}.source")
    elif isinstance(source, dict) and source.get("type") == "content":
        yield _texts(source.get("content"), f"{place}.source.content")
    else:
        raise unmapped(f"{place}.source.type", "documents of text alone go there")


def _tool(entry: dict[str, Any], place: str, reach: Reach) -> dict[str, Any]:
    if entry.get("type") not in (None, "custom"):
        raise unmapped(f"{place}.type", "tools with an input_schema of yours alone go there")
    return {**function(entry, entry.get("input_schema"), place), **_mark(entry, reach)}


def _choice(choice: Any, out: dict[str, Any]) -> None:
    if choice is None:
        return
    kind = kind_of(choice)
    if kind == "tool":
        name = string(choice, "name", "tool_choice")
        out["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif kind in _CHOICES:
        out["tool_choice"] = _CHOICES[kind]
    else:
        raise wrong("tool_choice.type", "must be auto, any, tool or none")
    if choice.get("disable_parallel_tool_use") is True:
        out["parallel_tool_calls"] = False


def _form(body: Body, out: dict[str, Any]) -> None:
    """The form of the answer. Effort, which stands beside it, is a hint."""
    config = body.get("output_config")
    form = config.get("format") if isinstance(config, dict) else None
    form = form if form is not None else body.get("output_format")
    if form is None:
        return
    if kind_of(form) != "json_schema":
        raise unmapped("output_config.format", "its type can be json_schema")
    schema = {"name": "answer", "schema": form.get("schema"), "strict": True}
    out["response_format"] = {"type": "json_schema", "json_schema": schema}


def _edits(management: Any) -> list[Any]:
    return listed(management.get("edits")) if isinstance(management, dict) else []

"""A body of `/v1/messages` as a chat completion's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from moosproxy.proxy.bodies import any_json
from moosproxy.proxy.doors.base import Body, kind_of, listed
from moosproxy.proxy.upstreams.crossing.conversation import Conversation
from moosproxy.proxy.upstreams.crossing.fields import (
    CHATS_OWN,
    check_known,
    function,
    objects,
    positive,
    string,
    unmapped,
    wrong,
)

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


def chat_body(body: Body) -> dict[str, Any]:
    """Raises BadRequest, naming the field, for what cannot be mapped."""
    out = prompt_body(body)
    out["max_tokens"] = positive(body, "max_tokens")
    if body.get("stream"):
        out |= {"stream": True, "stream_options": {"include_usage": True}}
    return out


def prompt_body(body: Body) -> dict[str, Any]:
    """The same of a body that asks for a count, which says nothing of an answer. Raises BadRequest."""
    check_known(body, _READ | _NO_MATTER | CHATS_OWN, _ONLY, {})
    out = {name: body[name] for name in CHATS_OWN if body.get(name) is not None}
    out |= {"model": body.get("model"), "messages": _conversation(body)}
    if body.get("tools"):
        out["tools"] = [_tool(entry, place) for place, entry in objects(body["tools"], "tools")]
        _choice(body.get("tool_choice"), out)
    if body.get("stop_sequences"):
        out["stop"] = body["stop_sequences"]
    _form(body, out)
    for place, edit in objects(_edits(body.get("context_management")), "context_management.edits"):
        if not kind_of(edit).startswith("clear_thinking"):  # of which nothing goes there anyway
            raise unmapped(f"{place}.type")
    return out


def _conversation(body: Body) -> list[dict[str, Any]]:
    talk = Conversation()
    if body.get("system") is not None:
        talk.say("system", _texts(body["system"], "system"))
    role = ""
    for place, message in objects(body.get("messages"), "messages"):
        role = string(message, "role", place)
        if role not in ("user", "assistant", "system"):
            raise wrong(f"{place}.role", "must be user, assistant or system")
        _add(role, message.get("content"), f"{place}.content", talk)
    if role == "assistant":
        raise unmapped(
            f"{place}.role", "the last message must be the user's, an answer cannot be begun for the model"
        )
    return talk.messages


def _add(role: str, content: Any, place: str, talk: Conversation) -> None:
    """Results of tools come first: they belong right behind the calls."""
    if isinstance(content, str):
        talk.say(role, content)
        return
    texts = []
    for at, block in objects(content, place):
        kind = kind_of(block)
        if kind == "tool_result" and role == "user":
            talk.result(string(block, "tool_use_id", at), _result(block, at), f"{at}.tool_use_id")
        elif kind not in ("thinking", "redacted_thinking", "tool_use"):  # no other model can read thinking
            texts.append(_text(block, at))
    if texts:
        talk.say(role, "\n".join(texts))
    for at, block in objects(content, place):
        if kind_of(block) == "tool_use":
            arguments = any_json.dumps(block.get("input") or {}).decode()
            talk.call(string(block, "id", at), string(block, "name", at), arguments)


def _result(block: dict[str, Any], place: str) -> str:
    text = _texts(block.get("content") or "", f"{place}.content")
    return f"Error: {text}" if block.get("is_error") is True else text


def _texts(content: Any, place: str) -> str:
    """A string, or what the blocks say, one below the other."""
    if isinstance(content, str):
        return content
    return "\n".join(_text(block, at) for at, block in objects(content, place))


def _text(block: dict[str, Any], place: str) -> str:
    kind = kind_of(block)
    if kind == "text":
        return string(block, "text", place)
    if kind in ("document", "search_result"):
        citations = block.get("citations")
        if isinstance(citations, dict) and citations.get("enabled"):
            raise unmapped(f"{place}.citations")
        return "\n".join(_document(block, place))
    raise unmapped(f"{place}.type", "texts, tool calls and their results alone go there")


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


def _tool(entry: dict[str, Any], place: str) -> dict[str, Any]:
    if entry.get("type") not in (None, "custom"):
        raise unmapped(f"{place}.type", "tools with an input_schema of yours alone go there")
    return function(entry, entry.get("input_schema"), place)


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

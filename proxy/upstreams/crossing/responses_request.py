"""A body of `/v1/responses` as a chat completion's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

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
_TEXTS = frozenset({"input_text", "output_text", "text"})
_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}

_READ = frozenset(
    {
        *("input", "instructions", "max_output_tokens", "model", "parallel_tool_calls", "reasoning", "stream"),
        *("text", "tool_choice", "tools", "user"),
    }
)
_AS_IT_IS = CHATS_OWN | {"model", "user"}
# They change nothing about the answer: marks for a cache, a bill or a log, bounds on tools that are refused.
_NO_MATTER = frozenset(
    {
        *("client_metadata", "max_tool_calls", "metadata", "prompt_cache_key", "prompt_cache_options"),
        *("prompt_cache_retention", "safety_identifier", "stream_options"),
    }
)
_ONLY: Mapping[str, tuple[Any, ...]] = {
    "background": (False,),
    "context_management": ([],),
    "include": ([], ["reasoning.encrypted_content"]),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "top_logprobs": (0,),
    "truncation": ("disabled",),
}
_STATELESS = "nothing is stored here; send the whole conversation as input"
_WHY = {
    "background": "wait for the answer, or stream it",
    "conversation": _STATELESS,
    "previous_response_id": _STATELESS,
    "store": "nothing is stored here; leave it out or send false",
}


def chat_body(body: Body, reach: Reach = TEXTS) -> dict[str, Any]:
    """Raises BadRequest, naming the field, for what cannot be mapped."""
    check_known(body, _READ | _NO_MATTER | CHATS_OWN, _ONLY, _WHY)
    out = {name: body[name] for name in _AS_IT_IS if body.get(name) is not None}
    out["messages"] = _conversation(body, reach)
    if body.get("max_output_tokens") is not None:
        out["max_tokens"] = positive(body, "max_output_tokens")
    if body.get("tools"):
        out["tools"] = [tool for place, entry in objects(body["tools"], "tools") for tool in _tools(entry, place)]
        if body.get("tool_choice") is not None:
            out["tool_choice"] = _choice(body["tool_choice"])
        if body.get("parallel_tool_calls") is not None:
            out["parallel_tool_calls"] = body["parallel_tool_calls"]
    _text(body.get("text"), out)
    reasoning = body.get("reasoning")
    if isinstance(reasoning, dict) and reasoning.get("effort") is not None:
        out["reasoning_effort"] = reasoning["effort"]
    if body.get("stream"):
        out |= {"stream": True, "stream_options": {"include_usage": True}}
    return out


def _conversation(body: Body, reach: Reach) -> list[dict[str, Any]]:
    talk = Conversation()
    if body.get("instructions") is not None:
        talk.say("system", string(body, "instructions"))
    given = body.get("input")
    if isinstance(given, str):
        talk.say("user", given)
        return talk.messages
    if given is None:
        raise wrong("input", "must be a string or an array of items")
    for place, item in objects(given, "input"):
        _add(item, place, talk, reach)
    return talk.messages


def _add(item: dict[str, Any], place: str, talk: Conversation, reach: Reach) -> None:
    kind = kind_of(item, "message")
    if kind == "message":
        role = _ROLES.get(string(item, "role", place))
        if role is None:
            raise wrong(f"{place}.role", f"must be one of {', '.join(_ROLES)}")
        talk.say(role, _content(item.get("content"), f"{place}.content", reach))
    elif kind == "function_call":
        name = string(item, "name", place)
        if item.get("namespace") is not None:
            name = joined(string(item, "namespace", place), name)
        talk.call(string(item, "call_id", place), name, string(item, "arguments", place))
    elif kind == "function_call_output":
        said = _content(item.get("output"), f"{place}.output", reach)
        parts = said if isinstance(said, list) else []
        text = content([part for part in parts if part["type"] == "text"]) if parts else said
        assert isinstance(text, str)
        talk.result(string(item, "call_id", place), text, f"{place}.call_id")
        if parts:  # no tool can show pictures there: the user does
            talk.say("user", [part for part in parts if part["type"] != "text"])
    elif kind != "reasoning":  # which no other model can read
        raise unmapped(f"{place}.type")


def _content(given: Any, place: str, reach: Reach) -> Content:
    """A string, or the texts of parts, one below the other."""
    if isinstance(given, str):
        return given
    return content([_part(part, at, reach) for at, part in objects(given, place)])


def _part(part: dict[str, Any], place: str, reach: Reach) -> dict[str, Any]:
    kind = kind_of(part)
    if kind in _TEXTS:
        return {"type": "text", "text": string(part, "text", place)}
    if kind == "refusal":
        return {"type": "text", "text": string(part, "refusal", place)}
    if kind != "input_image" or not reach.images:
        raise unmapped(f"{place}.type", "it takes texts" + (" and images" if reach.images else ""))
    image = {"url": string(part, "image_url", place)}
    if isinstance(part.get("detail"), str):
        image["detail"] = part["detail"]
    return {"type": "image_url", "image_url": image}


def _tools(entry: dict[str, Any], place: str) -> Iterator[dict[str, Any]]:
    """A function, or those of a namespace, which becomes a part of their names."""
    kind = kind_of(entry)
    if kind == "namespace":
        space = string(entry, "name", place)
        for at, inner in objects(entry.get("tools"), f"{place}.tools"):
            if kind_of(inner) != "function":
                raise unmapped(f"{at}.type", "tools of type function alone go there")
            named = {**inner, "name": joined(space, string(inner, "name", at))}
            yield function(named, inner.get("parameters"), at)
    elif kind == "function":
        yield function(entry, entry.get("parameters"), place)
    else:
        raise unmapped(f"{place}.type", "tools of type function alone go there")


def joined(namespace: str, name: str) -> str:
    """The name of a function of a namespace where there are no namespaces."""
    return f"{namespace}__{name}"


def namespaces(body: Body) -> dict[str, tuple[str, str]]:
    """Joined name -> namespace and name, of a body that has been mapped."""
    spaces = [entry for entry in listed(body.get("tools")) if kind_of(entry) == "namespace"]
    return {
        joined(entry["name"], inner["name"]): (entry["name"], inner["name"])
        for entry in spaces
        for inner in entry["tools"]
    }


def _choice(choice: Any) -> Any:
    if choice in ("auto", "none", "required"):
        return choice
    if isinstance(choice, dict) and choice.get("type") == "function":
        return {"type": "function", "function": {"name": string(choice, "name", "tool_choice")}}
    raise unmapped("tool_choice", "it can be auto, none, required or a function")


def _text(text: Any, out: dict[str, Any]) -> None:
    """The form of the answer."""
    if text is None:
        return
    if not isinstance(text, dict):
        raise wrong("text", "must be an object")
    if text.get("verbosity") is not None:
        out["verbosity"] = text["verbosity"]
    form = text.get("format")
    kind = kind_of(form)
    if isinstance(form, dict) and kind == "json_schema":
        inner = {name: value for name, value in form.items() if name != "type" and value is not None}
        out["response_format"] = {"type": kind, "json_schema": inner}
    elif kind == "json_object":
        out["response_format"] = {"type": kind}
    elif form is not None and kind != "text":
        raise unmapped("text.format", "its type can be text, json_object or json_schema")

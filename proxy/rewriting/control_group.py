"""Which conversations go untouched, so that the others can be compared with them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from moosproxy.policies.model import Policy
from moosproxy.proxy.doors.base import Door, kind_of, listed

_BITS = 63
_KEPT_BITS = 40
_SETTING = frozenset({"system", "developer"})
"""Roles whose texts many conversations have in common."""


class Side(NamedTuple):
    """Of one conversation. number: for it, of forty bits."""

    holdout: bool
    number: int


def side_of(door: Door, body: Mapping[str, Any], policy: Policy) -> Side | None:
    """The side of the conversation that a request belongs to; None where that cannot be told.

    It hangs on the first message that is no system prompt, which is the same in every turn, or on the name of a
    conversation that the provider keeps. A request that carries on a kept response holds neither.
    """
    if carries_on(door, body):
        return None
    state = blake2b(policy.holdout_salt.encode(), digest_size=8)
    if kept := "conversation" in door.beside and body.get("conversation"):
        state.update(b"\1" + _canonical(kept.get("id") if isinstance(kept, Mapping) else kept))
    else:
        first = _first(door.turns(body))
        if first is None:
            return None
        for said in _said(door, body, first):
            state.update(b"\0" + said)
    number = int.from_bytes(state.digest(), "big") >> (64 - _BITS)
    return Side(number < policy.holdout * 2**_BITS, number >> (_BITS - _KEPT_BITS))


def carries_on(door: Door, body: Mapping[str, Any]) -> bool:
    """Whether a request only has what comes behind a response that the provider keeps."""
    return "previous_response_id" in door.beside and bool(body.get("previous_response_id"))


def _first(turns: Sequence[Any]) -> int | None:
    """The index of the first message that is no system prompt. None where there is none, now or when it began.

    Where the model speaks first, it was asked with the system prompt alone: what is behind came in a later turn.
    """
    for index, turn in enumerate(turns):
        role = turn.get("role") if isinstance(turn, Mapping) else None
        if not isinstance(role, str) or role not in _SETTING:
            return None if turn is None or _is_answer(turn, role) else index
    return None


def _is_answer(turn: Any, role: Any) -> bool:
    """Whether the model made it, among others of Responses' items that have no role."""
    kind = kind_of(turn)
    return role == "assistant" or kind == "reasoning" or kind.endswith("_call")


def _said(door: Door, body: Mapping[str, Any], first: int) -> list[bytes]:
    """The texts of a message; all of it where it has none.

    Texts where there are some, since what stands beside them may change between turns, such as signed addresses of
    images; and a text is the same one whether it stands alone or in a list.
    """
    texts = [part.text for part in door.find(body) if part.message == first]
    if texts:
        return [text.encode("utf-8", "surrogatepass") for text in texts]
    return [_canonical(_settled(door.turns(body)[first]))]


def _settled(turn: Any) -> Any:
    """A message without the marks for the provider's cache, which move on from turn to turn."""
    if not isinstance(turn, Mapping):
        return turn
    blocks = [_unmarked(block) for block in listed(turn.get("content"))]
    return _unmarked({**turn, "content": blocks} if blocks else turn)


def _unmarked(block: Any) -> Any:
    if not isinstance(block, Mapping):
        return block
    return {name: value for name, value in block.items() if name != "cache_control"}


def _canonical(value: Any) -> bytes:
    """The same bytes however the fields are ordered."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # lone surrogates, numbers beyond a double and deep nests, which a slower parser took
        with suppress(RecursionError):
            return json.dumps(value, sort_keys=True).encode()
        return b""

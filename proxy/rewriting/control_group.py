"""Which conversations go untouched, so that the others can be compared with them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from moosproxy.policies.model import Policy
from moosproxy.proxy.doors.base import Door

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

    It hangs on the texts of the first message that is no system prompt, which is the same in every turn. A request
    that carries on a response kept at the provider does not hold that message.
    """
    if body.get("previous_response_id") or body.get("conversation"):
        return None
    state = blake2b(policy.holdout_salt.encode(), digest_size=8)
    first: int | str | None = None
    for part in door.find(body):
        if part.role in _SETTING:
            continue
        if first is None:
            first = part.message
        elif part.message != first:
            break
        state.update(b"\0" + part.text.encode("utf-8", "surrogatepass"))
    if first is None:
        return None
    number = int.from_bytes(state.digest(), "big") >> (64 - _BITS)
    return Side(number < policy.holdout * 2**_BITS, number >> (_BITS - _KEPT_BITS))

"""Requests that the tests share, and what to expect of them."""

from __future__ import annotations

from typing import Any

from moosproxy.policies.model import Policy
from moosproxy.proxy.reasons import SkipReason
from moosproxy.proxy.rewriting.outcome import Overrides, Rewritten
from tests.proxy.fakes import prose

NONE = Overrides()
POLICY = Policy()
LONG = prose(400)


def chat(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "any", "messages": list(messages), **fields}


def user(content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **fields}


def shortened(text: str, ratio: int = 2) -> str:
    return " ".join(text.split()[::ratio])


def reasons(rewritten: Rewritten) -> list[SkipReason | None]:
    return [part.reason for part in rewritten.parts]

"""How many tokens a chat completion's body takes, for upstreams that nobody can ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moosproxy.compressor.text.tokens import counter_for
from moosproxy.proxy.bodies import any_json
from moosproxy.proxy.doors.base import Body, listed

_USUAL = "o200k_base"
_PER_MESSAGE = 4


def tokens(body: Body) -> int:
    """By the tokenizer that goes with the model's name, else OpenAI's current one: near, not the model's own."""
    model = body.get("model")
    counter = (counter_for(model) if isinstance(model, str) else None) or counter_for(_USUAL)
    texts = list(_texts(body))
    if counter is None:
        return sum(-(-len(text.encode("utf-8", "replace")) // 4) for text in texts)
    return sum(map(counter.count, texts)) + _PER_MESSAGE * len(listed(body.get("messages")))


def _texts(body: Body) -> Iterator[str]:
    for message in listed(body.get("messages")):
        said = message.get("content") or ""
        yield said if isinstance(said, str) else "\n".join(part.get("text", "") for part in said)
        yield from (_written(call["function"]) for call in message.get("tool_calls", ()))
    if body.get("tools"):
        yield _written(body["tools"])


def _written(value: Any) -> str:
    return any_json.dumps(value).decode("utf-8", "replace")

"""A provider that counts and bills like OpenAI and like Anthropic, with the rules of their prompt caches.

A token is a word. OpenAI caches by itself, from 1,024 tokens on and in steps of 128. Anthropic caches up to marks
in the request (`cache_control`), reads what was written up to an earlier mark, and takes a premium for writing.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.proxy.live import Exchange

LEAST, STEP = 1024, 128
MESSAGE_TOKENS = 4
"""Of the template around each message."""
DOLLARS = {
    "openai": {"input": 2.5, "output": 10.0, "cached": 0.25},
    "anthropic": {"input": 3.0, "output": 15.0, "cached": 0.3, "written": 3.75, "written_1h": 6.0},
}
"""For a million tokens."""


@dataclass
class Account:
    """What one customer has in the provider's caches, and owes. words: tokens of a text."""

    kind: str
    words: Callable[[str], list[str]] = str.split
    known: set[int] = field(default_factory=set)
    nano: dict[str, int] = field(default_factory=dict)

    def bill(self, body: dict[str, Any]) -> dict[str, Any]:
        """The usage of a request. It is charged, and its prompt is cached."""
        usage = self._openai(body) if self.kind == "openai" else self._anthropic(body)
        model = body["model"]
        self.nano[model] = self.nano.get(model, 0) + cost_nano(self.kind, usage)
        return usage

    def _tokens(self, messages: list[dict[str, Any]]) -> tuple[list[str], list[tuple[int, dict[str, Any] | None]]]:
        """All tokens, and for each block where it ends and what mark it bears."""
        tokens: list[str] = []
        ends: list[tuple[int, dict[str, Any] | None]] = []
        for message in messages:
            tokens += [f"<{message['role']}>"] * MESSAGE_TOKENS
            content = message.get("content") or ""
            for block in [{"text": content}] if isinstance(content, str) else content:
                text = block.get("text") if "text" in block else block.get("content", "")
                tokens += self.words(text or "")
                ends.append((len(tokens), block.get("cache_control")))
        return tokens, ends

    def _openai(self, body: dict[str, Any]) -> dict[str, Any]:
        tools = json.dumps(body.get("tools", "")).split() if body.get("tools") else []
        tokens = tools + self._tokens(body["messages"])[0]
        cached, seal = 0, zlib.crc32(body["model"].encode())
        for end in range(STEP, len(tokens) + 1, STEP):
            seal = hash((seal, *tokens[end - STEP : end]))
            if seal in self.known and end == cached + STEP:
                cached = end
            if len(tokens) >= LEAST:
                self.known.add(seal)
        cached = cached if cached >= LEAST else 0
        answer = _answer_tokens(body)
        return {
            "prompt_tokens": len(tokens),
            "completion_tokens": answer,
            "total_tokens": len(tokens) + answer,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens_details": {"reasoning_tokens": answer // 4},
        }

    def _anthropic(self, body: dict[str, Any]) -> dict[str, Any]:
        system = body.get("system", [])
        tokens, ends = self._tokens([{"role": "system", "content": system}, *body["messages"]])
        read = last = long = 0
        for end, mark in ends:
            seal = hash((body["model"], *tokens[:end]))
            if seal in self.known:
                read = end
            if mark and end >= LEAST:
                last = end
                if mark.get("ttl") == "1h":
                    long = end
                self.known.add(seal)
        written = max(0, last - read)
        long = max(0, min(long, last) - read)
        return {
            "input_tokens": len(tokens) - max(read, last),
            "output_tokens": _answer_tokens(body),
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "cache_creation": {"ephemeral_5m_input_tokens": written - long, "ephemeral_1h_input_tokens": long},
        }

    async def serve(self, exchange: Exchange) -> None:
        """Answers over HTTP in the shape of the door."""
        body = json.loads(exchange.request.body)
        usage = self.bill(body)
        if self.kind == "openai":
            message = {"role": "assistant", "content": "Noted."}
            answer = {"id": "c", "object": "chat.completion", "created": 1, "usage": usage}
            answer["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
        else:
            answer = {"id": "m", "type": "message", "role": "assistant", "stop_reason": "end_turn", "usage": usage}
            answer["content"] = [{"type": "text", "text": "Noted."}]
        await exchange.reply(200, json.dumps({**answer, "model": body["model"]}).encode())


def _answer_tokens(body: dict[str, Any]) -> int:
    """The same for a conversation however its texts were shortened."""
    return 40 + 7 * (len(body["messages"]) % 9)


def cost_nano(kind: str, usage: dict[str, Any]) -> int:
    """Billionths of a dollar."""
    prices = {name: round(dollars * 1000) for name, dollars in DOLLARS[kind].items()}
    if kind == "openai":
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        plain = usage["prompt_tokens"] - cached
        return plain * prices["input"] + cached * prices["cached"] + usage["completion_tokens"] * prices["output"]
    long = usage["cache_creation"]["ephemeral_1h_input_tokens"]
    return (
        usage["input_tokens"] * prices["input"]
        + usage["cache_read_input_tokens"] * prices["cached"]
        + (usage["cache_creation_input_tokens"] - long) * prices["written"]
        + long * prices["written_1h"]
        + usage["output_tokens"] * prices["output"]
    )

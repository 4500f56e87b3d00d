"""Conversations of mixed shapes, as bodies of their requests in order. The same for a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

Body = dict[str, Any]
_SYLLABLES = ("ba", "ke", "lo", "mi", "nu", "pra", "sto", "ti", "wer", "zan", "o", "fel")


def words(dice: random.Random, count: int) -> str:
    """About five letters a word."""
    return " ".join(dice.choice(_SYLLABLES) + dice.choice(_SYLLABLES) for _ in range(count))


def _turns(dice: random.Random, model: str, system: str, texts: list[str], role: str = "user") -> Iterator[Body]:
    messages: list[Body] = [{"role": "system", "content": system}] if system else []
    if role == "tool":
        messages.append({"role": "user", "content": words(dice, 60)})
    for at, text in enumerate(texts):
        if role == "tool":
            call = {"id": f"c{at}", "type": "function", "function": {"name": "look", "arguments": "{}"}}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": f"c{at}", "content": text})
        else:
            messages.append({"role": role, "content": text})
        yield {"model": model, "messages": [dict(message) for message in messages]}
        if role != "tool":
            messages.append({"role": "assistant", "content": words(dice, dice.randint(20, 200))})


def document(dice: random.Random) -> Iterator[Body]:
    """A long text, then questions about it."""
    texts = [
        words(dice, dice.randint(1500, 9000)),
        *(words(dice, dice.randint(8, 60)) for _ in range(dice.randint(1, 4))),
    ]
    yield from _turns(dice, "document", words(dice, 120), texts)


def agent(dice: random.Random) -> Iterator[Body]:
    """Tool results behind a system prompt that all runs have in common."""
    system = words(random.Random(7), 1500)
    texts = [words(dice, dice.randint(300, 2500)) for _ in range(dice.randint(3, 9))]
    yield from _turns(dice, "agent", system, texts, "tool")


def passages(dice: random.Random) -> Iterator[Body]:
    """One question over passages that nobody sent before."""
    system = words(random.Random(8), 400)
    yield from _turns(dice, "passages", system, [words(dice, dice.randint(2000, 7000))])


def small(dice: random.Random) -> Iterator[Body]:
    """A single short prompt; shortened, it is below what a provider caches."""
    yield from _turns(dice, "small", "", [words(dice, dice.randint(400, 1900))])


def growing(dice: random.Random) -> Iterator[Body]:
    """A chat that is too short for the cache at first."""
    yield from _turns(
        dice, "growing", "", [words(dice, dice.randint(320, 600)) for _ in range(dice.randint(3, 8))]
    )


def template(dice: random.Random) -> Iterator[Body]:
    """The same long instruction with another item behind it in one text: a cut that looks at the whole differs."""
    yield from _turns(
        dice, "template", "", [words(random.Random(9), 2500) + " " + words(dice, dice.randint(50, 400))]
    )


def repeated(dice: random.Random) -> Iterator[Body]:
    """A prompt that comes again as it was, short enough to fall below the least when it is shortened."""
    text = words(dice, dice.randint(1100, 1900))
    for _ in range(dice.randint(2, 4)):
        yield from _turns(dice, "repeated", "", [text])


SHAPES: dict[str, tuple[Callable[[random.Random], Iterator[Body]], int]] = {
    "document": (document, 25),
    "agent": (agent, 25),
    "passages": (passages, 20),
    "small": (small, 10),
    "growing": (growing, 10),
    "template": (template, 5),
    "repeated": (repeated, 5),
}
"""Shape -> how to make one, and of a hundred conversations how many have it."""


def mixed(count: int, seed: int = 1) -> Iterator[list[Body]]:
    """So many conversations."""
    dice = random.Random(seed)
    shapes, weights = zip(*SHAPES.values(), strict=True)
    for make in dice.choices(shapes, weights, k=count):
        yield list(make(random.Random(dice.random())))


def as_messages(body: Body) -> Body:
    """The same for Anthropic, with the marks of its clients: behind the system prompt and the last message."""
    mark = {"cache_control": {"type": "ephemeral"}}
    messages: list[Body] = []
    system: list[Body] = []
    for message in body["messages"]:
        role, text = message["role"], message["content"] or "calling"
        if role == "system":
            system = [{"type": "text", "text": text, **mark}]
        elif role == "tool":
            block = {"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": text}
            messages.append({"role": "user", "content": [block]})
        else:
            messages.append({"role": role, "content": [{"type": "text", "text": text}]})
    messages[-1] = {**messages[-1], "content": [{**messages[-1]["content"][0], **mark}]}
    return {
        "model": body["model"],
        "max_tokens": 100,
        "messages": messages,
        **({"system": system} if system else {}),
    }

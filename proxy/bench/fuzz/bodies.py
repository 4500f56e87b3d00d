"""Bodies: a valid one of some door, then spoiled in its structure and in its bytes."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any, Final

from moosproxy.proxy.bench.fuzz.values import RAW, nested, text, value

_QUOTED: Final = re.compile(r'"' + RAW + r'((?:[^"\\]|\\.)*)"')
_ROLES: Final = ("user", "user", "user", "system", "assistant", "tool", "developer", "function", "nobody", "")


def body(dice: random.Random, door: str) -> bytes:
    """The bytes of a body for this door."""
    made = _VALID.get(door, _chat)(dice)
    for _ in range(dice.choice((0, 0, 1, 1, 2, 5))):
        made = _spoiled(dice, made)
    data = _dumped(dice, made)
    if dice.random() < 0.05:
        data = value_bytes(dice)
    for _ in range(dice.choice((0, 0, 0, 0, 1, 2))):
        data = dice.choice(_BYTES)(dice, data)
    return data


def value_bytes(dice: random.Random) -> bytes:
    """No object, or one of another kind."""
    return _dumped(dice, dice.choice((value(dice), nested(dice), [], {}, "")))


def _dumped(dice: random.Random, made: Any) -> bytes:
    ascii_only = dice.random() < 0.5
    out = json.dumps(made, ensure_ascii=ascii_only, indent=dice.choice((None, None, None, 3)))
    out = _QUOTED.sub(lambda found: json.loads(f'"{found[1]}"'), out)
    return out.encode("utf-8", "surrogatepass")


def _message(dice: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {"role": dice.choice(_ROLES), "content": text(dice)}
    form = dice.random()
    if form < 0.3:
        made["content"] = [_part(dice) for _ in range(dice.randrange(4))]
    elif form < 0.4:
        call = {"name": "look", "arguments": dice.choice(("{}", "{", text(dice)))}
        made |= {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": call}]}
    elif form < 0.5:
        made |= {"role": "tool", "tool_call_id": dice.choice(("1", "2", ""))}
    return made


def _part(dice: random.Random) -> Any:
    return dice.choice(
        (
            {"type": "text", "text": text(dice)},
            {"type": "text", "text": text(dice), "cache_control": {"type": "ephemeral"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"type": "input_text", "text": text(dice)},
            value(dice),
        )
    )


def _chat(dice: random.Random) -> dict[str, Any]:
    messages = [_message(dice) for _ in range(dice.choice((0, 1, 1, 1, 2, 4)))]
    return {**_head(dice), "messages": messages}


def _completion(dice: random.Random) -> dict[str, Any]:
    prompt = dice.choice((text(dice), [text(dice), text(dice)], [1, 2, 3], [[1], [2]], ""))
    return {**_head(dice), "prompt": prompt, "suffix": dice.choice((None, text(dice)))}


def _response(dice: random.Random) -> dict[str, Any]:
    return {**_head(dice), "input": dice.choice((text(dice), [_message(dice)])), "instructions": text(dice)}


def _embedding(dice: random.Random) -> dict[str, Any]:
    return {**_head(dice), "input": dice.choice((text(dice), [text(dice)], [[1, 2]]))}


def _compress(dice: random.Random) -> dict[str, Any]:
    wishes = {"ratio": dice.choice((2, 3.5, 1, 0, -1, 1e9, "4", None, True))} if dice.random() < 0.5 else {}
    if dice.random() < 0.5:
        return {**_head(dice), "text": text(dice), "role": dice.choice(_ROLES), **wishes}
    return {**_chat(dice), **wishes, "alpha": dice.choice((0, 1, 0.5, 2, "x", None))}


def _head(dice: random.Random) -> dict[str, Any]:
    head: dict[str, Any] = {"model": dice.choice(("bench", "bench", "echo", "echo", "", "gpt-4o", "x" * 5000))}
    if dice.random() < 0.3:
        head["stream"] = dice.choice((True, True, False, "true", 1, None))
    if dice.random() < 0.2:
        head["stream_options"] = dice.choice(({"include_usage": True}, value(dice)))
    return head


_VALID: Final[dict[str, Callable[[random.Random], dict[str, Any]]]] = {
    "/v1/chat/completions": _chat,
    "/v1/completions": _completion,
    "/v1/responses": _response,
    "/v1/embeddings": _embedding,
    "/v1/compress": _compress,
}


def _spoiled(dice: random.Random, made: Any) -> Any:
    """One place of it replaced, taken out, or doubled."""
    holder, key = _place(dice, made)
    if holder is None:
        return value(dice)
    act = dice.random()
    if act < 0.7:
        holder[key] = value(dice)
    elif act < 0.85:
        del holder[key]
    elif isinstance(holder, list):
        holder.insert(key, holder[key])
    else:
        holder[dice.choice(("role", "type", "content", "unknown", "messages"))] = value(dice)
    return made


def _place(dice: random.Random, made: Any) -> tuple[Any, Any]:
    holder, key, at = None, None, made
    for _ in range(dice.randrange(1, 6)):
        if not isinstance(at, dict | list) or not at:
            break
        holder, key = at, dice.choice(list(at)) if isinstance(at, dict) else dice.randrange(len(at))
        at = holder[key]
    return holder, key


def _cut(dice: random.Random, data: bytes) -> bytes:
    return data[: dice.randrange(len(data) + 1)]


def _put(what: bytes) -> Callable[[random.Random, bytes], bytes]:
    def put(dice: random.Random, data: bytes) -> bytes:
        at = dice.randrange(len(data) + 1)
        return data[:at] + what + data[at:]

    return put


def _flipped(dice: random.Random, data: bytes) -> bytes:
    if not data:
        return data
    at = dice.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]


def _doubled_key(dice: random.Random, data: bytes) -> bytes:
    key = dice.choice((b"messages", b"model", b"stream", b"role", b"content", b"text"))
    return data.replace(b"{", b'{"' + key + b'": ' + dice.choice((b"1", b"null", b'"x"', b"[]")) + b", ", 1)


def _other_coding(dice: random.Random, data: bytes) -> bytes:
    return data.decode("utf-8", "replace").encode(
        dice.choice(("utf-16", "utf-32", "utf-8-sig", "utf-7")), "replace"
    )


_BYTES: Final[tuple[Callable[[random.Random, bytes], bytes], ...]] = (
    _cut, _flipped, _doubled_key, _other_coding, _put(b"\x00"), _put(b"\xff\xfe"), _put(b"\xc0\xaf"),
    _put(b"\xed\xa0\x80"), _put(b'"'), _put(b"}"), _put(b"\r\n"), lambda _, data: data + data, lambda _, __: b"",
)  # fmt: skip

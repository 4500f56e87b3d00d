"""Reads the provider's token counts beside an answer, without holding anything back. Bounded in memory."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from moosproxy.proxy.upstreams.base import RawHeader

_BODY_BOUND = 1024 * 1024
_TAIL = 16 * 1024
_HEAD = 4 * 1024
"""Of a stream: Anthropic says at its beginning what it read, and at its end what it wrote."""
_INFLATED_BOUND = 4 * 1024 * 1024
_MOST = 2**53
"""More tokens than this are no count: metrics hold floats."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counts them.

    cached: those of the prompt that came from its cache; written: those that were put there, written_1h: of them
    for an hour. reasoning: those of the answer that nobody sees. model: as the answer names it.
    odd: a count was negative, no whole number, or more than what it is a part of; it is taken as the nearest
    possible one.
    """

    prompt: int
    completion: int
    cached: int
    written: int = 0
    written_1h: int = 0
    reasoning: int = 0
    model: str | None = field(default=None, compare=False)
    odd: bool = False


class UsageReader:
    """Fed with every chunk of an answer; afterwards `usage()` is what the provider reported, or None."""

    __slots__ = ("_cut", "_encoding", "_head", "_held", "_keep", "_size", "_stream")

    def __init__(self, headers: list[RawHeader]) -> None:
        kind = encoding = b""
        for name, value in headers:
            if name == b"content-type":
                kind = value
            elif name == b"content-encoding":
                encoding = value.strip().lower()
        self._stream = kind.startswith(b"text/event-stream")
        self._encoding = encoding
        self._keep = encoding in (b"", b"identity", b"gzip") and (
            self._stream or kind.startswith(b"application/json")
        )
        self._held: list[bytes] = []
        self._size = 0
        self._cut = False
        self._head = b""

    def feed(self, chunk: bytes) -> None:
        """Takes one chunk; constant time, amortised."""
        if not self._keep:
            return
        self._held.append(chunk)
        self._size += len(chunk)
        if self._size <= _TAIL:
            return
        if self._encoding != b"gzip" and (self._stream or self._cut or self._size > _BODY_BOUND):
            self._cut = True
            if self._size > 2 * _TAIL:
                data = b"".join(self._held)
                self._head = self._head or data[:_HEAD]
                self._held, self._size = [data[-_TAIL:]], _TAIL
        elif self._size > _BODY_BOUND:
            self._keep = False
            self._held.clear()

    def usage(self) -> Usage | None:
        """Never raises: an answer that cannot be read has no usage."""
        data = b"".join(self._held)
        if self._encoding == b"gzip":
            data = _gunzip(data)
        if b'"usage"' not in data:
            return None
        if not self._stream:
            return _usage(_fields(_last_usage(data) if self._cut else data))
        last = next(_streamed(reversed(data.splitlines())), {})
        if "input_tokens" not in last and "output_tokens" in last:
            last = {**next(_streamed((self._head or data).splitlines()), {}), **last}
        # The last event of a response is the whole response: of a long one only the end is here.
        return _usage(last or (_fields(_last_usage(data)) if self._cut else {}))


def _streamed(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """What the events of a stream report."""
    for line in lines:
        if line.startswith(b"data:") and b'"usage"' in line and (found := _fields(line[5:])):
            yield found


def _last_usage(tail: bytes) -> bytes:
    """The usage at the end of a long answer, such as one of embeddings, as a document of its own."""
    text = tail[tail.rfind(b'"usage"') :].partition(b":")[2].decode("utf-8", "replace").lstrip()
    try:
        return orjson.dumps({"usage": json.JSONDecoder().raw_decode(text)[0]})
    except (RecursionError, TypeError, ValueError):  # a whole number of more than 64 bits is a TypeError
        return b""


def _gunzip(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(data, _INFLATED_BOUND)
    except zlib.error:
        return b""


def _fields(document: bytes) -> dict[str, Any]:
    """The usage in an answer or an event, or in the response or message that the event is about."""
    try:
        parsed = orjson.loads(document)
    except ValueError:
        return {}
    for holder in (parsed, *(parsed.get(name) for name in ("response", "message") if isinstance(parsed, dict))):
        fields = holder.get("usage") if isinstance(holder, dict) else None
        if isinstance(fields, dict):
            model = holder.get("model")
            return {"model": model, **fields} if fields and isinstance(model, str) else fields
    return {}


def _usage(fields: dict[str, Any]) -> Usage | None:
    if not fields:
        return None
    read = _within(fields, "prompt_tokens_details") or _within(fields, "input_tokens_details")
    wrote = _within(fields, "completion_tokens_details") or _within(fields, "output_tokens_details")
    prompt, completion = (
        _first(fields, "prompt_tokens", "input_tokens"),
        _first(fields, "completion_tokens", "output_tokens"),
    )
    cached, written = read.get("cached_tokens"), fields.get("cache_creation_input_tokens")
    given = [prompt, completion, cached, written, wrote.get("reasoning_tokens")]
    counts = [_count(value) for value in given]
    if "prompt_tokens" not in fields and "cache_read_input_tokens" in fields:  # Anthropic counts them apart
        given.append(fields["cache_read_input_tokens"])
        counts[2] = _count(given[-1])
        counts[0] += counts[2] + counts[3]
    within = min(counts[2], counts[0]), min(counts[3], max(0, counts[0] - counts[2])), min(counts[4], counts[1])
    odd = any(map(_is_odd, given)) or within != (counts[2], counts[3], counts[4])
    long = min(_count(_within(fields, "cache_creation").get("ephemeral_1h_input_tokens")), within[1])
    model = fields.get("model")
    return Usage(
        counts[0], counts[1], *within[:2], long, within[2], model if isinstance(model, str) else None, odd
    )


def _within(fields: dict[str, Any], name: str) -> dict[str, Any]:
    found = fields.get(name)
    return found if isinstance(found, dict) else {}


def _first(fields: dict[str, Any], name: str, other: str) -> Any:
    return fields.get(name, fields.get(other))


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MOST else 0


def _is_odd(value: Any) -> bool:
    """Whether a count was reported that can be none."""
    return value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST)

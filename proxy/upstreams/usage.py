"""Reads the provider's token counts beside an answer, without holding anything back. Bounded in memory."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
    """Tokens as the provider counts them; cached are those of the prompt that came from its cache."""

    prompt: int
    completion: int
    cached: int


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
            return fields
    return {}


def _usage(fields: dict[str, Any]) -> Usage | None:
    if not fields:
        return None
    details = fields.get("prompt_tokens_details") or fields.get("input_tokens_details")
    cached = _count(details.get("cached_tokens") if isinstance(details, dict) else None)
    prompt = _count(fields.get("prompt_tokens", fields.get("input_tokens")))
    if "prompt_tokens" not in fields and "cache_read_input_tokens" in fields:  # Anthropic counts them apart
        cached = _count(fields["cache_read_input_tokens"])
        prompt += cached + _count(fields.get("cache_creation_input_tokens"))
    return Usage(prompt, _count(fields.get("completion_tokens", fields.get("output_tokens"))), cached)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MOST else 0

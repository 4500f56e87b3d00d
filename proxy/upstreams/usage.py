"""Reads the provider's token counts beside an answer, without holding anything back. Bounded in memory."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import orjson

from moosproxy.proxy.headers import READ_CODINGS
from moosproxy.proxy.upstreams.base import RawHeader

_BODY_BOUND = 1024 * 1024
_TAIL = 16 * 1024
_HEAD = 4 * 1024
"""Of a stream: Anthropic says at its beginning what it read, and at its end what it wrote."""
_INFLATED_BOUND = 4 * 1024 * 1024
"""What one chunk may unpack to."""
_MOST = 10**9
"""More tokens than this are no count: no model reads a tenth of it, and sums of money must fit their columns."""
_TOTALS = ("prompt_tokens", "input_tokens", "completion_tokens", "output_tokens")
_USAGE = re.compile(r'"usage"\s*:\s*(?=\{)')
_TRIES = 16


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
    """Fed with every chunk of an answer; afterwards `usage()` is what the provider reported, or None.

    events: those of a stream so far; of one in a coding that is not read, its chunks.
    """

    __slots__ = ("_cut", "_head", "_held", "_inflate", "_keep", "_size", "_stream", "events")

    def __init__(self, headers: list[RawHeader]) -> None:
        kind = encoding = b""
        for name, value in headers:
            if name == b"content-type":
                kind = value.strip().lower()
            elif name == b"content-encoding":
                encoding = value.strip().lower()
        self._stream = kind.startswith(b"text/event-stream")
        self._inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16) if encoding == b"gzip" else None
        readable = not encoding or encoding.decode("latin-1") in READ_CODINGS
        self._keep = readable and (self._stream or kind.startswith(b"application/json"))
        self._held: list[bytes] = []
        self._size = 0
        self._cut = False
        self._head = b""
        self.events = 0

    def feed(self, chunk: bytes) -> None:
        """Takes one chunk; constant time, amortised."""
        if self._keep and self._inflate is not None:
            chunk = self._inflated(chunk, self._inflate)
        if self._stream:
            self.events += chunk.count(b"data:") if self._keep else 1
        if not self._keep:
            return
        self._held.append(chunk)
        self._size += len(chunk)
        if self._size <= _TAIL:
            return
        if self._stream or self._cut or self._size > _BODY_BOUND:
            self._cut = True
            if self._size > 2 * _TAIL:
                data = b"".join(self._held)
                self._head = self._head or data[:_HEAD]
                self._held, self._size = [data[-_TAIL:]], _TAIL

    def _inflated(self, chunk: bytes, inflate: Any) -> bytes:
        """What a packed chunk holds. One that is broken or unpacks to more than any answer ends the reading."""
        try:
            plain: bytes = inflate.decompress(chunk, _INFLATED_BOUND)
        except zlib.error:
            plain = b""
            self._keep = False
        if inflate.unconsumed_tail:
            self._keep = False
        if not self._keep:
            self._held.clear()
        return plain

    def usage(self) -> Usage | None:
        """Never raises: an answer that cannot be read has no usage. Of a broken stream it is what came so far."""
        data = b"".join(self._held)
        if b'"usage"' not in data and b'"usage"' not in self._head:
            return None
        if not self._stream:
            return _usage(_last_usage(data) if self._cut else _fields(data))
        last = next(_streamed(reversed(data.splitlines())), {})
        if not last and self._cut:
            # The last event of a response is the whole response: of a long one only the end is here.
            last = _last_usage(data)
        if not last or ("input_tokens" not in last and "output_tokens" in last):
            last = {**next(_streamed((self._head or data).splitlines()), {}), **last}
        return _usage(last)


def _streamed(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """What the events of a stream report."""
    for line in lines:
        if line.startswith(b"data:") and b'"usage"' in line and (found := _fields(line[5:])):
            yield found


def _last_usage(tail: bytes) -> dict[str, Any]:
    """The usage at the end of a long answer, such as one of embeddings.

    The last object of that name that counts something: what the caller chose, such as metadata, may stand behind.
    """
    text = tail.decode("utf-8", "replace")
    for place in islice(reversed(list(_USAGE.finditer(text))), _TRIES):
        try:
            found = json.JSONDecoder().raw_decode(text, place.end())[0]
        except (RecursionError, ValueError):
            continue
        if any(_count(found.get(name)) for name in _TOTALS):
            return dict(found)
    return {}


def _fields(document: bytes) -> dict[str, Any]:
    """The usage in an answer or an event, or in the response or message that the event is about."""
    parsed = _parsed(document)
    for holder in (parsed, *(parsed.get(name) for name in ("response", "message") if isinstance(parsed, dict))):
        fields = holder.get("usage") if isinstance(holder, dict) else None
        if isinstance(fields, dict):
            model = holder.get("model")
            return {"model": model, **fields} if fields and isinstance(model, str) else fields
    return {}


def _parsed(document: bytes) -> Any:
    """None for what is no JSON. orjson refuses lone surrogates, which a caller may put into its model's name."""
    try:
        return orjson.loads(document)
    except ValueError:
        pass
    try:
        return json.loads(document)
    except (RecursionError, ValueError):
        return None


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
        given.append(counts[0] + counts[2] + counts[3])
        counts[0] = _count(given[-1])
    within = min(counts[2], counts[0]), min(counts[3], max(0, counts[0] - counts[2])), min(counts[4], counts[1])
    odd = any(map(_is_odd, given)) or within != (counts[2], counts[3], counts[4])
    long = min(_count(_within(fields, "cache_creation").get("ephemeral_1h_input_tokens")), within[1])
    model = fields.get("model")
    named = model if isinstance(model, str) and model.isprintable() else None  # a lone surrogate fits no column
    return Usage(counts[0], counts[1], *within[:2], long, within[2], named, odd)


def _within(fields: dict[str, Any], name: str) -> dict[str, Any]:
    found = fields.get(name)
    return found if isinstance(found, dict) else {}


def _first(fields: dict[str, Any], name: str, other: str) -> Any:
    return fields.get(name, fields.get(other))


def _count(value: Any) -> int:
    """The nearest possible count; 0 for what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return 0
    return round(min(max(value, 0), _MOST))


def _is_odd(value: Any) -> bool:
    """Whether a count was reported that can be none. 1000.0 and 1e3 are whole numbers in JSON."""
    return value is not None and (isinstance(value, bool) or _count(value) != value)

"""A client on a raw socket: it can leave, or stop, at any byte, and tells a whole answer from a cut one."""

from __future__ import annotations

import json
import re
import socket
import time
from dataclasses import dataclass, field
from typing import Any

_ERROR_EVENT = re.compile(rb'data: (\{"error":.*\})')
PATIENCE_S = 60.0


@dataclass(slots=True)
class Seen:
    """What a client saw of one request. fault: how the connection failed, if it did."""

    user: str
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False
    seconds: float = 0.0
    fault: str | None = None

    @property
    def good(self) -> bool:
        """A whole answer of the model."""
        done = self.body.endswith(b"data: [DONE]\n\n") or b'"chat.completion"' in self.body
        return self.status == 200 and self.whole and done

    @property
    def shortened(self) -> bool:
        """Whether the proxy says so."""
        before, after = (int(self.headers.get(f"x-moos-tokens-{when}", 0)) for when in ("before", "after"))
        return after < before

    @property
    def worker(self) -> str:
        """What tells a worker process from others."""
        return self.headers.get("x-moos-request-id", "")[:-8]

    def says(self) -> str:
        """In words."""
        if self.status is None:
            return f"no answer ({self.fault or 'the connection is closed'})"
        if self.good:
            return f"200, whole, {'shortened' if self.shortened else 'the original text was sent'}"
        if error := _ERROR_EVENT.search(self.body):
            code = json.loads(error[1])["error"]["code"]
            return f"{self.status}, {self._events()} events, then an error event `{code}`"
        if self.whole:
            return f"{self.status} {self._code()}".rstrip()
        what = f"{self._events()} events" if b"data: " in self.body else f"{len(self.body)} bytes"
        return f"{self.status}, {what}, then the connection breaks"

    def _events(self) -> int:
        return len(re.findall(rb'data: \{"object"', self.body))

    def _code(self) -> str:
        try:
            return f"`{json.loads(self.body)['error']['code']}`"
        except (ValueError, KeyError, TypeError):
            return f"with the upstream's {len(self.body)} bytes" if self.body else ""


def chat(user: str, content: str, *, stream: bool = False, model: str = "bench") -> bytes:
    """A whole request."""
    body: dict[str, Any] = {"model": model, "user": user, "messages": [{"role": "user", "content": content}]}
    data = json.dumps({**body, "stream": stream}).encode()
    return head(f"content-length: {len(data)}") + data


def head(framing: str) -> bytes:
    """The head of a chat completion."""
    lines = ("POST /v1/chat/completions HTTP/1.1", "host: localhost", "content-type: application/json", framing)
    return "\r\n".join((*lines, "connection: close", "", "")).encode()


def connect(port: int) -> socket.socket:
    """A connection that does not wait for ever."""
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


def ask(port: int, user: str, content: str, *, stream: bool = False, model: str = "bench") -> Seen:
    """One request, read to its end. Never raises for what the network or the server does."""
    began = time.monotonic()
    try:
        with connect(port) as link:
            link.sendall(chat(user, content, stream=stream, model=model))
            seen = read(link, user)
    except OSError as fault:
        seen = Seen(user, fault=type(fault).__name__)
    seen.seconds = time.monotonic() - began
    return seen


def read(link: socket.socket, user: str, pause_s: float = 0.0) -> Seen:
    """The answer to its end, in small pieces with pauses where those are asked for."""
    data, fault = bytearray(), None
    try:
        while piece := link.recv(1024 * 1024):
            data += piece
            time.sleep(pause_s)
    except OSError as broken:
        fault = type(broken).__name__
    seen = parsed(user, bytes(data))
    seen.fault = fault
    return seen


def parsed(user: str, data: bytes) -> Seen:
    """An answer from its bytes."""
    top, found, rest = data.partition(b"\r\n\r\n")
    if not found:
        return Seen(user)
    first, *lines = top.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    headers = {name.lower(): value for name, _, value in pairs}
    if headers.get("transfer-encoding") == "chunked":
        body, whole = _unchunked(rest)
    else:
        body, whole = rest, len(rest) == int(headers.get("content-length", -1))
    return Seen(user, int(first.split(" ")[1]), headers, body, whole)


def _unchunked(data: bytes) -> tuple[bytes, bool]:
    """The body, and whether its end was there."""
    out: list[bytes] = []
    at = 0
    while (end := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:end], 16)
        if not size:
            return b"".join(out), True
        out.append(data[end + 2 : end + 2 + size])
        at = end + 4 + size
    return b"".join(out), False


def get(port: int, path: str) -> tuple[int, str]:
    """Status and body of a page; status 0 if there is no answer."""
    try:
        with connect(port) as link:
            link.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
            seen = read(link, "")
    except OSError:
        return 0, ""
    return seen.status or 0, seen.body.decode(errors="replace")

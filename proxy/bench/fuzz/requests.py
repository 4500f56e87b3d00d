"""Whole requests as bytes: a door, headers and a framing around a body. The same seed gives the same request."""

from __future__ import annotations

import gzip
import random
import zlib
from dataclasses import dataclass
from typing import Final

from moosproxy.proxy.bench.fuzz.bodies import body

_DOORS: Final = (
    "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/compress",
)  # fmt: skip
_ODD_DOORS: Final = (
    "/chat/completions", "/v1//chat/completions/", "/v1/chat%2fcompletions", "/v1/compress?x=%00", "/v1/../readyz",
    "/v1/files", "/v1/models/%ff", "/v1/models", "/v1/unknown;a=1", "/", "/v1", "/metrics", "/readyz?a", "/docs",
    "/v1/chat/completions?" + "q=1&" * 500, "/v1/images/generations", "/%2e%2e/v1/models", "/v1/audio/speech", "*",
)  # fmt: skip
_METHODS: Final = (b"GET", b"PUT", b"DELETE", b"OPTIONS", b"HEAD", b"PATCH", b"FOO", b"post", b"TRACE")
_TYPES: Final = (
    b"application/json", b"application/json; charset=utf-16", b"text/plain", b"multipart/form-data; boundary=x",
    b"application/x-www-form-urlencoded", b"", b"application/json" * 50, b"\xff/\x80", b"application/JSON",
)  # fmt: skip
_NUMBERS: Final = (b"2", b"3.5", b"0", b"-1", b"1e9", b"nan", b"inf", b"", b"99999999999", b"2,3", b"\xe9", b"0x2")
_MOOS: Final = (
    b"x-moos-ratio",
    b"x-moos-alpha",
    b"x-moos-bypass",
    b"x-moos-unknown",
    b"x-moos-policy",
    b"x-moos-",
)
_OTHERS: Final = (
    (b"x-request-id", b"\xff\xfe"), (b"x-request-id", b"a" * 500), (b"authorization", b"Bearer \xc3\xa9"),
    (b"authorization", b"Basic"), (b"authorization", b"Bearer " + b"k" * 9000), (b"cookie", b"a=\x80"),
    (b"expect", b"100-continue"), (b"upgrade", b"h2c"), (b"te", b"trailers"), (b"connection", b"x-moos-ratio, te"),
    (b"accept-encoding", b"gzip, br, zstd"), (b"range", b"bytes=0-1"), (b"x-forwarded-for", b"\x80" * 20),
    (b"accept", b"text/event-stream"), (b"x-" + b"n" * 300, b"v" * 8000), (b"x-empty", b""),
)  # fmt: skip
_WEBSOCKET: Final = (
    (b"upgrade", b"websocket"), (b"connection", b"upgrade"), (b"sec-websocket-version", b"13"),
    (b"sec-websocket-key", b"AAAAAAAAAAAAAAAAAAAAAA=="),
)  # fmt: skip

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Case:
    """One request. whole: its framing is sound, so that it must be answered. pieces: sent one after the other."""

    number: int
    door: str
    pieces: tuple[bytes, ...]
    whole: bool


def case(seed: int, number: int) -> Case:
    """The request of this number."""
    dice = random.Random(f"{seed}/{number}")
    door = dice.choice(_ODD_DOORS) if dice.random() < 0.12 else dice.choice(_DOORS)
    method = dice.choice(_METHODS) if dice.random() < 0.04 else b"POST"
    data, headers = _coded(dice, body(dice, door), _headers(dice))
    websocket = dice.random() < 0.005
    if websocket:
        method, headers = b"GET", [*headers, *_WEBSOCKET]
    framing, sent, whole = _framed(dice, data)
    head = b"%s %s HTTP/1.1\r\n" % (method, door.encode())
    lines = b"".join(b"%s: %s\r\n" % header for header in (*headers, *framing))
    return Case(number, door, (head + lines + b"\r\n", *sent), whole and not websocket)


def _headers(dice: random.Random) -> list[Header]:
    headers = [(b"host", b"127.0.0.1"), (b"connection", b"close")]
    kind = b"application/json" if dice.random() < 0.8 else dice.choice(_TYPES)
    headers.append((b"content-type", kind))
    if dice.random() < 0.2:
        headers.append((dice.choice(_MOOS), dice.choice((*_NUMBERS, b"true", b"1", b"v" * 300))))
    if dice.random() < 0.15:
        headers.append(dice.choice(_OTHERS))
    return headers


def _coded(dice: random.Random, data: bytes, headers: list[Header]) -> tuple[bytes, list[Header]]:
    """A content coding, one that is true or one that is not."""
    if dice.random() > 0.06:
        return data, headers
    packed, name = dice.choice(
        (
            (gzip.compress(data, mtime=0), b"gzip"),
            (zlib.compress(data), b"deflate"),
            (gzip.compress(data, mtime=0)[:-9], b"gzip"),
            (gzip.compress(bytes(4_000_000), mtime=0), b"gzip"),
            (gzip.compress(data, mtime=0) + b"more", b"gzip"),
            (data, b"gzip"),
            (data, b"br"),
            (data, b"identity"),
            (data, b"\xff"),
            (gzip.compress(data, mtime=0), b"gzip, gzip"),
        )
    )
    return packed, [*headers, (b"content-encoding", name)]


def _framed(dice: random.Random, data: bytes) -> tuple[list[Header], list[bytes], bool]:
    """Headers, pieces, and whether they tell a server where the body ends."""
    form = dice.random()
    chunked = (b"transfer-encoding", b"chunked")
    if form < 0.85:
        return [_length(len(data))], [data], True
    if form < 0.92:
        size = max(1, len(data) // dice.choice((1, 2, 7)) if len(data) > 200 else 1)
        return [chunked], [_chunks(data, size), b"0\r\n\r\n"], True
    if form < 0.94:
        return [chunked], [b"%x;ext=1\r\n%s\r\n" % (len(data), data) if data else b"", b"0\r\nx: y\r\n\r\n"], True
    broken = (
        ([_length(len(data) + 9)], [data]),
        ([_length(max(0, len(data) - 3))], [data]),
        ([chunked], [b"zz\r\n", data]),
        ([chunked], [b"ffffffffffffffffff\r\n", data]),
        ([chunked], [_chunks(data, 5_000)]),
        ([chunked, _length(3)], [_chunks(data, 5_000), b"0\r\n\r\n"]),
        ([_length(1), _length(2)], [data]),
        ([(b"content-length", b"-1")], [data]),
        ([(b"transfer-encoding", b"gzip, chunked")], [_chunks(data, 9_000), b"0\r\n\r\n"]),
        ([(b"bad header", b"x")], [data]),
    )
    headers, pieces = dice.choice(broken)
    return headers, pieces, False


def _length(size: int) -> Header:
    return b"content-length", str(size).encode()


def _chunks(data: bytes, size: int) -> bytes:
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)

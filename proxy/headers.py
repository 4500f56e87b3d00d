"""Which headers travel in which direction, and what the x-moos request headers mean."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import count
from secrets import token_hex

from moosproxy.proxy.errors import BadRequest

RawHeaders = Iterable[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
CREDENTIALS = frozenset({b"authorization", b"api-key", b"x-api-key", b"x-goog-api-key", b"cookie"})
# expect: we have read the body before the upstream sees the request. host, content-length: the client library's.
# A gateway behind us that honours them would serve another method or path than the one that was allowed here.
_OTHER_WAYS = frozenset(
    {
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        b"x-original-url",
        b"x-rewrite-url",
    }
)
_NOT_FORWARDED = HOP_BY_HOP | CREDENTIALS | _OTHER_WAYS | {b"host", b"content-length", b"expect"}
# alt-svc would send the client to the upstream's own address next time.
_NOT_RETURNED = HOP_BY_HOP | {b"alt-svc"}
READ_CODINGS = frozenset({"gzip", "identity"})
"""Of answers that the proxy reads beside the client."""
_REFUSED = re.compile(r"identity\s*;\s*q=0(\.0*)?", re.IGNORECASE)
_PREFIX = b"x-moos-"
_NUMBERS = count()
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def outgoing(
    headers: RawHeaders,
    *,
    with_credentials: bool,
    stays: Callable[[bytes, bytes], bool] | None = None,
    read: bool = False,
) -> list[tuple[str, str]]:
    """The request headers that go upstream.

    with_credentials: whether the caller's own key passes through. stays: whether a header must not leave.
    read: whether usage is read off the answer, which must then come in a coding that can be.
    """
    headers = list(headers) if stays is None else [entry for entry in headers if not stays(*entry)]
    named = _named_by_connection(headers)
    return [
        (forwarded, _readable_codings(_decode(value)) if read and name == b"accept-encoding" else _decode(value))
        for name, value in headers
        if (forwarded := _forwarded(name, with_credentials)) is not None and name not in named
    ]


@lru_cache(maxsize=256)
def _readable_codings(accepted: str) -> str:
    """Those of an Accept-Encoding that the proxy reads. Any client can take an answer without one."""
    entries = [entry.strip() for entry in accepted.split(",")]
    kept = [entry for entry in entries if entry.partition(";")[0].strip().lower() in READ_CODINGS]
    return ", ".join(entry for entry in kept if not _REFUSED.fullmatch(entry)) or "identity"


@lru_cache(maxsize=1024)
def _forwarded(name: bytes, with_credentials: bool) -> str | None:
    """A request header's name as it goes upstream, None if it does not."""
    if name in _NOT_FORWARDED and not (with_credentials and name in CREDENTIALS):
        return None
    return None if name.startswith(_PREFIX) else name.decode("latin-1")


def returned(headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    """The response headers that go back, names in lower case."""
    lowered = [(name.lower(), value) for name, value in headers]
    named = _named_by_connection(lowered)
    return [(name, value) for name, value in lowered if _returns(name) and name not in named]


@lru_cache(maxsize=1024)
def _returns(name: bytes) -> bool:
    return name not in _NOT_RETURNED and not name.startswith(_PREFIX)


def _named_by_connection(headers: list[tuple[bytes, bytes]]) -> set[bytes]:
    """Header names that a Connection header declares hop-by-hop (RFC 9110, section 7.6.1)."""
    named: set[bytes] = set()
    for name, value in headers:
        if name == b"connection":
            named.update(token.strip().lower() for token in value.split(b","))
    return named


def _decode(value: bytes) -> str:
    """The string whose UTF-8 form is the value, since the client library writes UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def readable(headers: RawHeaders) -> dict[str, str]:
    """Headers as text by lower-case name, the last of a repeated name."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}


def request_id(headers: Mapping[str, str]) -> str:
    """The caller's x-request-id if it is harmless, else a new one."""
    given = headers.get("x-request-id", "")
    if given and _REQUEST_ID.fullmatch(given):
        return given
    return f"req_{_process_token()}{next(_NUMBERS):08x}"


def retries(headers: Mapping[str, str]) -> int:
    """How often the caller's library says that it has sent this request before; 0 where it says nothing sound."""
    given = headers.get("x-stainless-retry-count", "")
    return int(given) if len(given) < 4 and given.isascii() and given.isdigit() else 0


@lru_cache(maxsize=1)
def _process_token() -> str:
    """Tells this process's request ids from those of every other one."""
    return token_hex(8)


WISHES = frozenset({"x-moos-bypass", "x-moos-ratio", "x-moos-alpha"})
"""Request headers that ask for something."""


def asked_bypass(headers: Mapping[str, str]) -> bool:
    """What x-moos-bypass asks for. Raises BadRequest on anything but true, false, 1 or 0."""
    value = headers.get("x-moos-bypass", "false").strip().lower()
    if value in ("true", "1"):
        return True
    if value in ("false", "0"):
        return False
    raise BadRequest("x-moos-bypass must be true or false", param="x-moos-bypass", code="invalid_header")


def asked_ratio(headers: Mapping[str, str]) -> float | None:
    """What x-moos-ratio asks for, at least 1. Raises BadRequest."""
    return checked_number(headers.get("x-moos-ratio"), "x-moos-ratio", low=1, high=math.inf)


def asked_alpha(headers: Mapping[str, str]) -> float | None:
    """What x-moos-alpha asks for, between 0 and 1. Raises BadRequest."""
    return checked_number(headers.get("x-moos-alpha"), "x-moos-alpha", low=0, high=1)


def _as_float(number: float) -> float:
    """Infinite where a whole number has more digits than a float can hold."""
    try:
        return float(number)
    except OverflowError:
        return math.inf


_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def checked_number(
    value: object, name: str, *, low: float, high: float, code: str = "invalid_header"
) -> float | None:
    """A plain decimal number within bounds, or None where nothing was asked. Raises BadRequest."""
    if value is None:
        return None
    if isinstance(value, str):
        number = float(value) if _NUMBER.fullmatch(value.strip()) else math.nan
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = _as_float(value)
    else:
        number = math.nan
    if math.isfinite(number) and low <= number <= high:
        return number
    bounds = f"of at least {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"
    raise BadRequest(f"{name} must be a number {bounds}", param=name, code=code)

"""Our own errors, in the shape that OpenAI clients know, unless a door has another.

Upstream's errors pass through and never come by here.

ProxyError
├── BadRequest             400  malformed JSON, a wrong type, a bad x-moos header
├── InvalidKey             401  no key or an unknown one
├── ContextTooLong         400  longer than the model's window, even at the largest allowed ratio
├── Forbidden              403  an endpoint that the team's policy does not allow
├── NotFound               404  no such path, no route for the model
├── MethodNotAllowed       405  a method that no API has
├── RequestTimeout         408  a head or a body that does not come
├── LimitReached           429  a team or a key has used what it may
│   ├── RateLimited             in a minute: again soon
│   └── BudgetExceeded          in a day or a month: not before it is over
├── BodyTooLarge           413
├── HeadTooLarge           431
├── Overloaded             503  more connections or bytes at once than the proxy may hold
├── CompressionRejected    503  compression failed and the policy says reject
├── UpstreamUnreachable    502  no upstream of the route answered
└── UpstreamTimeout        504  the last upstream took too long
"""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import orjson


class Told(NamedTuple):
    """What an answer of our own says, before a door gives it its shape. The names are OpenAI's, but for status."""

    status: int
    message: str
    kind: str
    param: str | None = None
    code: str | None = None


class ProxyError(Exception):
    """An answer of our own. The message goes to the client: it names the fix, and quotes no text of a request."""

    headers: tuple[tuple[bytes, bytes], ...] = ()
    status: ClassVar[int] = 500
    kind: str = "api_error"
    default_code: ClassVar[str | None] = None

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or self.default_code

    @property
    def told(self) -> Told:
        """For a door to put into its shape."""
        return Told(self.status, self.message, self.kind, self.param, self.code)

    def envelope(self) -> bytes:
        """The JSON body in OpenAI's shape."""
        return envelope(self.message, self.kind, self.param, self.code)


class BadRequest(ProxyError):
    """The request cannot be understood."""

    status = 400
    kind = "invalid_request_error"


class InvalidKey(ProxyError):
    """Keys are configured and the request brought none of them."""

    status = 401
    kind = "invalid_request_error"
    default_code = "invalid_api_key"


class ContextTooLong(BadRequest):
    """The prompt is longer than the model's window, and no ratio that the policy allows makes it fit."""

    default_code = "context_length_exceeded"


class NotFound(ProxyError):
    """Nothing lives at this path, or no route takes this model."""

    status = 404
    kind = "invalid_request_error"
    default_code = "not_found"


class Forbidden(ProxyError):
    """The caller is known, and may not do this."""

    status = 403
    kind = "invalid_request_error"
    default_code = "endpoint_not_allowed"


class MethodNotAllowed(ProxyError):
    """No API has this method."""

    headers = ((b"allow", b"DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"),)
    status = 405
    kind = "invalid_request_error"
    default_code = "method_not_allowed"


class BodyTooLarge(ProxyError):
    """The body is above the configured bound."""

    status = 413
    kind = "invalid_request_error"
    default_code = "request_too_large"


class HeadTooLarge(ProxyError):
    """Request line and header fields are above the configured bounds."""

    status = 431
    kind = "invalid_request_error"
    default_code = "request_head_too_large"


class RequestTimeout(ProxyError):
    """The request did not come in its time."""

    status = 408
    kind = "invalid_request_error"
    default_code = "request_timeout"


class Overloaded(ProxyError):
    """The proxy holds as much as it may."""

    status = 503
    default_code = "overloaded"


class LimitReached(ProxyError):
    """A team or a key has used what it may."""

    status = 429

    def __init__(self, message: str, *, code: str, bound: str, wait_s: float | None, again: bool) -> None:
        """bound: the field that says how much. wait_s: until it may be tried again, None where never.

        again: whether clients that try again by themselves shall do so.
        """
        super().__init__(message, code=code)
        self.bound = bound
        if wait_s is not None:
            self.headers += ((b"retry-after", b"%d" % max(1, math.ceil(wait_s))),)
        if not again:
            self.headers += ((b"x-should-retry", b"false"),)  # OpenAI's and Anthropic's clients heed it


class RateLimited(LimitReached):
    """Too much in a minute."""

    def __init__(self, message: str, unit: str, bound: str, wait_s: float | None) -> None:
        """unit: `requests` or `tokens`, the type that OpenAI gives such an error."""
        super().__init__(message, code="rate_limit_exceeded", bound=bound, wait_s=wait_s, again=wait_s is not None)
        self.kind = unit


class BudgetExceeded(LimitReached):
    """Too much in a day or a month."""

    kind = "insufficient_quota"

    def __init__(self, message: str, bound: str, wait_s: float | None) -> None:
        super().__init__(message, code="budget_exceeded", bound=bound, wait_s=wait_s, again=False)


class UnknownCoding(ProxyError):
    """A body in a content coding that we cannot undo."""

    status = 415


class CompressionRejected(ProxyError):
    """Compression failed, and the policy would rather reject than forward the original."""

    status = 503
    default_code = "compression_failed"


class UpstreamUnreachable(ProxyError):
    """No upstream of the route gave an answer."""

    status = 502
    default_code = "upstream_unreachable"


class UpstreamTimeout(ProxyError):
    """The last upstream of the route did not answer in its time."""

    status = 504
    default_code = "upstream_timeout"


def envelope(message: str, kind: str, param: str | None = None, code: str | None = None) -> bytes:
    """OpenAI's error object as JSON."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return orjson.dumps({"error": error})

"""The seam between the proxy and whatever answers: a Call goes in, an Answer comes back. Knows no ASGI."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from moosproxy.proxy.errors import Told, envelope
from moosproxy.proxy.upstreams.soft_told import SoftWish

RawHeader = tuple[bytes, bytes]
JSON_TYPE: RawHeader = (b"content-type", b"application/json")
EVENT_STREAM: RawHeader = (b"content-type", b"text/event-stream; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Call:
    """One request as an upstream gets it.

    path: behind /v1, with a leading slash. query: raw, without the question mark. headers: filtered already.
    body: the bytes to send. model: the caller's name of the model, None where the request names none.
    team: the caller's, None without keys; a local model serves teams in turn.
    soft: what the policy asks of a local model that can compress softly.
    """

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes
    model: str | None = None
    team: str | None = None
    soft: SoftWish | None = None


class Answer(Protocol):
    """An upstream's answer while its body is still coming. Headers are those that may go back to the client."""

    status: int
    headers: list[RawHeader]

    async def read(self) -> bytes:
        """The next bytes as they came; empty at the end. Raises UpstreamFault if the answer breaks off."""

    @property
    def ended(self) -> bool:
        """Whether it is already known that nothing more comes."""

    async def close(self) -> None:
        """Stops the upstream's work, if it is not done. May be called twice."""


class UpstreamClient(Protocol):
    """Sends calls to one upstream."""

    async def send(self, call: Call) -> Answer:
        """The answer as soon as its head is there. Raises UpstreamFault if there is none."""


class UpstreamFault(Exception):
    """No answer, or one that broke off.

    reason: one of connect, timeout, protocol, broken. message: for the client, names the upstream and nothing of
    where it is. detail: for the log, with address and fix; the message if not given. Neither quotes the request.
    """

    def __init__(self, reason: str, message: str, detail: str | None = None) -> None:
        super().__init__(detail or message)
        self.detail = detail or message
        self.reason = reason
        self.message = message


class BodyAnswer:
    """An answer whose whole body is in hand."""

    __slots__ = ("_body", "headers", "status")

    def __init__(self, status: int, headers: list[RawHeader], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self._body = body

    @property
    def ended(self) -> bool:
        return not self._body

    async def read(self) -> bytes:
        body, self._body = self._body, b""
        return body

    async def close(self) -> None:
        self._body = b""


def json_answer(status: int, body: bytes, headers: list[RawHeader] | None = None) -> BodyAnswer:
    """A JSON body with its length."""
    length = (b"content-length", str(len(body)).encode())
    return BodyAnswer(status, [JSON_TYPE, length, *(headers or [])], body)


class OwnError(BodyAnswer):
    """An error that no upstream sent, in OpenAI's shape until a door gives it its own."""

    __slots__ = ("told",)

    def __init__(self, told: Told) -> None:
        super().__init__(told.status, [], b"")
        self.told = told
        self.reshape(envelope(told.message, told.kind, told.param, told.code))

    def reshape(self, body: bytes) -> None:
        """Says the same in other words, as long as nothing has been read."""
        kept = [header for header in self.headers if header[0] not in (b"content-type", b"content-length")]
        self.headers = [JSON_TYPE, (b"content-length", str(len(body)).encode()), *kept]
        self._body = body


def error_answer(status: int, message: str, kind: str, code: str | None = None) -> OwnError:
    """An error that no upstream sent."""
    return OwnError(Told(status, message, kind, None, code))


class EventAnswer:
    """An event stream that an async generator yields."""

    __slots__ = ("_chunks", "_stop", "ended", "headers", "status")

    def __init__(
        self,
        chunks: AsyncGenerator[bytes, None],
        stop: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self.status = 200
        self.headers: list[RawHeader] = [EVENT_STREAM]
        self.ended = False
        self._chunks = chunks
        self._stop = stop

    async def read(self) -> bytes:
        async for chunk in self._chunks:
            if chunk:
                return chunk
        self.ended = True
        return b""

    async def close(self) -> None:
        self.ended = True
        await self._chunks.aclose()
        if self._stop is not None:
            await self._stop()


async def keep(answer: Answer, bound: int) -> BodyAnswer:
    """The answer with its body read, for an error that is passed on only if no other upstream does better.

    A body beyond `bound` bytes is replaced: its announced length could not be kept.
    """
    if isinstance(answer, OwnError):
        return answer
    parts: list[bytes] = []
    size = 0
    try:
        while size <= bound and (chunk := await answer.read()):
            parts.append(chunk)
            size += len(chunk)
    except UpstreamFault:
        size = bound + 1
    finally:
        await answer.close()
    if size > bound:
        return error_answer(answer.status, f"the upstream answered with status {answer.status}", "api_error")
    return BodyAnswer(answer.status, answer.headers, b"".join(parts))

"""Around every request under /v1: its record, our own errors, clients that leave, log line and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from moosproxy.proxy import headers
from moosproxy.proxy.connections.held import Share
from moosproxy.proxy.doors.base import Door
from moosproxy.proxy.errors import BodyTooLarge, LimitReached, Overloaded, ProxyError, RequestTimeout, Told
from moosproxy.proxy.limits.gate import Ticket
from moosproxy.proxy.log import LOG, log_request
from moosproxy.proxy.observing.record import Record
from moosproxy.proxy.observing.tracing import Trace
from moosproxy.proxy.routes import limiting
from moosproxy.proxy.routes.auth import Caller, authenticate, may_send
from moosproxy.proxy.routes.reading import ClientGone, DisconnectWatch, read_body, unpacked
from moosproxy.proxy.services import Services

_LINGER_S = 5.0
_CLIENT_CLOSED = 499


_NOBODY = Caller(None, key_is_ours=False)


@dataclass
class Exchange:
    """One request and the way to answer it."""

    scope: Scope
    receive: Receive
    send: Send
    way: Way
    services: Services
    headers: dict[str, str]
    record: Record
    trace: Trace
    caller: Caller = field(default=_NOBODY, init=False)
    body: bytes = field(default=b"", init=False)
    watch: DisconnectWatch | None = field(default=None, init=False)
    ticket: Ticket | None = field(default=None, init=False)
    started: bool = field(default=False, init=False)
    at_event_boundary: bool = field(default=True, init=False)

    async def start(self, status: int, raw: list[tuple[bytes, bytes]]) -> None:
        """Sends the head of the answer, with the x-moos headers."""
        record = self.record
        record.status = status
        own = record.response_headers()
        if b"x-request-id" not in [name for name, _ in raw]:
            own.append((b"x-request-id", record.request_id.encode()))
        if self.ticket is not None:
            raw = limiting.head(self, raw)
        self.started = True
        await self.send({"type": "http.response.start", "status": status, "headers": raw + own})

    async def chunk(self, data: bytes) -> None:
        """Sends some bytes of the body."""
        self.at_event_boundary = data.endswith((b"\n\n", b"\r\n\r\n"))
        await self.send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self, chunk: bytes = b"") -> None:
        """Sends the last bytes of the body."""
        self.unwatch()
        await self.send({"type": "http.response.body", "body": chunk, "more_body": False})

    async def reply(self, status: int, body: bytes, extra: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """A whole answer of our own, in JSON."""
        length = str(len(body)).encode()
        await self.start(status, [(b"content-type", b"application/json"), (b"content-length", length), *extra])
        await self.finish(body)

    def shaped(self, told: Told) -> bytes:
        """An error of our own as the door's clients know it."""
        return self.way.door.error(told, self.record.request_id)

    def unwatch(self) -> None:
        """From now on a disconnect cancels nothing."""
        if self.watch is not None:
            self.watch.stop()


Handler = Callable[[Exchange], Awaitable[None]]


class Way(NamedTuple):
    """Where a request leads.

    path: behind /v1, with a leading slash, as it goes upstream. plain: the same without percent-encoding.
    name: in log and metrics. door: what is known of the body, and how errors look here.
    """

    path: str
    plain: str
    name: str
    door: Door
    handle: Handler


async def guarded(services: Services, scope: Scope, receive: Receive, send: Send, way: Way) -> None:
    """Authenticates, reads the body, lets the way's handler answer."""
    fields = headers.readable(scope["headers"])
    record = Record(headers.request_id(fields), scope["method"], way.name)
    record.door = way.door.root or "other"
    trace = services.tracing.begin(record, fields)
    exchange = Exchange(scope, receive, send, way, services, fields, record, trace)
    share = services.held.share()
    services.metrics.in_flight += 1
    try:
        policies = services.policies.current
        if not policies.has_keys:
            services.neighbours.check(scope["method"], fields)
        exchange.caller = authenticate(policies, fields, scope["headers"])
        record.team = exchange.caller.team
        if exchange.caller.key is not None:
            record.key_id = exchange.caller.key.id
        if "x-stainless-retry-count" in fields:
            record.retries = headers.retries(fields)
        may_send(exchange.caller)
        if exchange.caller.own_keys is not None and exchange.caller.own_keys.inside(record.request_id.encode()):
            record.request_id = headers.request_id({})  # it is logged
        exchange.body = await read_body(receive, fields, services.settings, share)
        await _undo_coding(exchange, share)
        await limiting.enter(exchange)
        exchange.watch = DisconnectWatch(receive)
        await way.handle(exchange)
    except ProxyError as error:
        await _refuse(exchange, error)
    except ClientGone:
        record.disconnected, record.status = True, _CLIENT_CLOSED
    except asyncio.CancelledError:
        if exchange.watch is None or not exchange.watch.gone:
            raise
        _uncancel()
        record.disconnected, record.status = True, record.status or _CLIENT_CLOSED
    except Exception:
        LOG.exception("unexpected fault", extra={"fields": {"request_id": record.request_id}})
        await _fail(exchange)
    finally:
        exchange.unwatch()
        share.release()
        if exchange.ticket is not None:
            limiting.settle(exchange.ticket, record, services.price)
        services.metrics.in_flight -= 1
        services.metrics.finished(record)
        services.recent.add(record)
        if services.ledger_writer is not None and exchange.caller is not _NOBODY:
            services.ledger_writer.note(record)  # strangers are counted in the metrics, and write nothing
        trace.end()
        log_request(record.fields)


async def _undo_coding(exchange: Exchange, share: Share) -> None:
    """A packed body is unpacked once and for all: what goes upstream is plain."""
    coding = exchange.headers.pop("content-encoding", "identity").strip().lower()
    if coding == "identity" or not exchange.body:
        return
    bound = exchange.services.settings.max_body_bytes
    exchange.body = await unpacked(exchange.body, coding, bound, share)
    raw = [(name, value) for name, value in exchange.scope["headers"] if name != b"content-encoding"]
    exchange.scope = {**exchange.scope, "headers": raw}


def _uncancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


async def _refuse(exchange: Exchange, error: ProxyError) -> None:
    exchange.record.error = error.code or error.kind
    if isinstance(error, LimitReached):
        exchange.services.metrics.limited(exchange.caller.team, error.bound)
    if exchange.started:
        return  # the server closes the connection, so the client sees that the answer is not whole
    if isinstance(error, BodyTooLarge | RequestTimeout | Overloaded):
        await _refuse_body(exchange, error)
    else:
        await exchange.reply(error.status, exchange.shaped(error.told), extra=error.headers)


async def _fail(exchange: Exchange) -> None:
    exchange.record.error = "internal"
    if not exchange.started:
        text = f"The proxy failed on this request; its log says where, under {exchange.record.request_id}."
        await exchange.reply(500, exchange.shaped(Told(500, text, "api_error", None, "internal_error")))


async def _refuse_body(exchange: Exchange, error: ProxyError) -> None:
    """Answers at once, then reads on for a moment without keeping anything.

    A connection closed under a client that is still sending is reset, and the answer is lost with it.
    """
    body = exchange.shaped(error.told)
    length = str(len(body)).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", length), (b"connection", b"close")]
    if error.status == 503:
        head.append((b"retry-after", b"1"))
    await exchange.start(error.status, head)
    await exchange.send({"type": "http.response.body", "body": body, "more_body": True})
    try:
        async with asyncio.timeout(_LINGER_S):
            while (await exchange.receive()).get("more_body"):
                pass
    except TimeoutError:
        pass
    await exchange.finish()

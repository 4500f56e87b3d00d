"""Kinds `openai` and `anthropic`: requests and answers pass as the bytes they are, over kept connections.

The lean client of `http1` carries what it can; aiohttp the rest: proxies from the environment, HEAD, odd methods,
and headers in the configuration that would change how a request is framed.
"""

from __future__ import annotations

import io
import ssl
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import certifi
from multidict import CIMultiDict
from yarl import URL

from moosproxy.policies.model import Upstream
from moosproxy.proxy import headers
from moosproxy.proxy.upstreams.base import Call, RawHeader, UpstreamFault
from moosproxy.proxy.upstreams.http1.incoming import Incoming, Limits, NoConnection
from moosproxy.proxy.upstreams.http1.pool import Pool

_LARGE = 1024 * 1024 - 1  # aiohttp wants larger bodies as files, which it sends piece by piece
_LONGEST_HEADER = 64 * 1024
_ADDRESSES_HELD = 256
_CREDENTIALS = frozenset(name.decode() for name in headers.CREDENTIALS - {b"cookie"})
_LEAN = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_FRAMING = frozenset({"connection", "content-length", "expect", "host", "transfer-encoding", "upgrade"})


class RelaySession:
    """The client that all upstreams share: its connections are kept, and one that is not waits for second tries.

    It adds no header, decodes nothing, keeps no cookie and has no bound on connections. Use as an async context.
    """

    def __init__(self, *, trust_env: bool = False, ca_bundle: Path | None = None) -> None:
        """Needs a running loop."""
        # The system's authorities, to which an administrator may have added, and certifi's where it has none.
        context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
        if ca_bundle is not None:
            context.load_verify_locations(ca_bundle)
        kept = aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, ssl=context, keepalive_timeout=60)
        fresh = aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, ssl=context, force_close=True)
        self.kept = _session(kept, trust_env=trust_env)
        self.fresh = _session(fresh, trust_env=trust_env)
        self._tls = context
        self._direct = not trust_env
        self._pools: dict[tuple[str, str | None, int | None], Pool] = {}

    def pool(self, url: URL) -> Pool | None:
        """The lean client's connections to an address, None where they would not lead there."""
        if not self._direct or url.raw_host is None or url.port is None:
            return None
        address = url.scheme, url.raw_host, url.port
        known = self._pools.get(address)
        if known is None:
            tls = self._tls if url.scheme == "https" else None
            known = self._pools[address] = Pool(url.raw_host, url.port, tls)
        return known

    async def __aenter__(self) -> RelaySession:
        return self

    async def __aexit__(self, *_: object) -> None:
        for pool in self._pools.values():
            await pool.close()
        await self.kept.close()
        await self.fresh.close()


def _session(connector: aiohttp.TCPConnector, *, trust_env: bool) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=trust_env,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        max_line_size=_LONGEST_HEADER,
        max_field_size=_LONGEST_HEADER,
        trace_configs=[_REUSE],
    )


async def _note_reuse(
    session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceConnectionReuseconnParams
) -> None:
    context.trace_request_ctx.append(True)


_REUSE = aiohttp.TraceConfig()
_REUSE.on_connection_reuseconn.append(_note_reuse)


class Heads:
    """The heads of requests to one upstream."""

    def __init__(self, base: URL, own: Sequence[tuple[str, str]]) -> None:
        """own: headers of the upstream's configuration, names in lower case, the last of a name counts."""
        self._path = base.raw_path.rstrip("/")
        self._host = f"host: {base.host_port_subcomponent}"
        every = dict(own)
        self._own = frozenset(every), [f"{name}: {value}" for name, value in every.items()]
        rest = {name: value for name, value in every.items() if name not in _CREDENTIALS}
        self._but_the_key = frozenset(rest), [f"{name}: {value}" for name, value in rest.items()]

    def of(self, call: Call) -> bytes:
        """Raises ValueError where a value would end its line."""
        callers_own = not _CREDENTIALS.isdisjoint([name for name, _ in call.headers])
        names, own = self._but_the_key if callers_own else self._own
        target = f"{self._path}{call.path}?{call.query}" if call.query else self._path + call.path
        lines = [f"{call.method} {target} HTTP/1.1", self._host, *own]
        lines += [f"{name}: {value}" for name, value in call.headers if name not in names]
        if call.body or call.method != "GET":
            lines.append(f"content-length: {len(call.body)}")
        text = "\r\n".join(lines)
        if (
            text.count("\n") != len(lines) - 1
            or text.count("\r") != len(lines) - 1
            or "\0" in text
            or " " in target
        ):
            raise ValueError("a line of the head holds what would end it")
        return (text + "\r\n\r\n").encode()


class RelayClient:
    """Sends calls to one upstream that speaks OpenAI's or Anthropic's wire format."""

    def __init__(self, upstream: Upstream, session: RelaySession) -> None:
        assert upstream.base_url is not None
        self._name = upstream.name
        self._base = upstream.base_url
        self._session = session
        limits = upstream.timeouts
        self._timeout = aiohttp.ClientTimeout(
            total=limits.total_s, connect=limits.connect_s, sock_read=limits.first_byte_s
        )
        self._limits = limits
        self._addresses: dict[str, URL] = {}
        self._own = [(name, value.get_secret_value()) for name, value in upstream.headers.items()]
        if upstream.api_key is not None:
            key = upstream.api_key.get_secret_value()
            bearer = upstream.kind == "openai"
            self._own.append(("authorization", f"Bearer {key}") if bearer else ("x-api-key", key))
        url = URL(self._base)
        framed = _FRAMING.isdisjoint(name for name, _ in self._own)
        self._pool = session.pool(url) if framed else None
        self._heads = Heads(url, self._own)
        self._lean_limits = Limits(limits.first_byte_s, limits.read_s, limits.total_s)

    async def send(self, call: Call) -> RelayAnswer:
        """Raises UpstreamFault. Where a kept connection turns out to be dead, a new one is tried."""
        if self._pool is None or call.method not in _LEAN:
            return await self._send_by_aiohttp(call)
        try:
            head = self._heads.of(call)
            answer = await self._pool.send(head, call.body, self._lean_limits, self._limits.connect_s)
        except (NoConnection, OSError, ValueError) as fault:
            raise self._fault(fault) from fault
        return RelayAnswer(answer, answer, self._name)

    async def _send_by_aiohttp(self, call: Call) -> RelayAnswer:
        kept: list[bool] = []
        try:
            return await self._send(call, self._session.kept, kept)
        except (aiohttp.ServerDisconnectedError, ConnectionResetError) as fault:
            # A kept connection ran out on the other side: nothing was answered. The others may be as dead.
            # On a new connection the request has been read, and may have been billed: it is not sent twice.
            if not kept or isinstance(fault, aiohttp.ClientConnectorError):
                raise self._fault(fault) from fault
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as fault:
            raise self._fault(fault) from fault
        try:
            return await self._send(call, self._session.fresh, kept)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as fault:
            raise self._fault(fault) from fault

    async def _send(self, call: Call, session: aiohttp.ClientSession, kept: list[bool]) -> RelayAnswer:
        """kept: gets an entry if the connection had served before."""
        outgoing = CIMultiDict(call.headers)
        callers_own = any(name in outgoing for name in _CREDENTIALS)
        for name, value in self._own:
            if not callers_own or name not in _CREDENTIALS:
                outgoing[name] = value
        body: bytes | io.BytesIO | None = call.body or None
        if len(call.body) > _LARGE:
            body = io.BytesIO(call.body)
        response = await session.request(
            call.method,
            self._address(call),
            data=body,
            headers=outgoing,
            allow_redirects=False,
            timeout=self._timeout,
            trace_request_ctx=kept,
        )
        connection = response.connection
        if connection is not None and connection.protocol is not None:
            connection.protocol.read_timeout = self._limits.read_s
        return RelayAnswer(response, response.content, self._name)

    def _address(self, call: Call) -> URL:
        """Kept where there is no query: a URL object works out its parts once, and there are few paths."""
        if call.query:
            return URL(f"{self._base}{call.path}?{call.query}", encoded=True)
        known = self._addresses.get(call.path)
        if known is None:
            if len(self._addresses) >= _ADDRESSES_HELD:
                self._addresses.clear()  # paths may hold ids
            known = self._addresses[call.path] = URL(self._base + call.path, encoded=True)
        return known

    def _fault(self, fault: BaseException) -> UpstreamFault:
        limits, own, base = self._limits, f"upstream {self._name!r}: ", self._base
        slow = isinstance(fault, NoConnection) and fault.kind == "timeout"
        if slow or isinstance(fault, aiohttp.ConnectionTimeoutError):
            said = f"no connection within {limits.connect_s:g} s"
            return UpstreamFault("timeout", own + said, f"{own}{said} to {base}; see its timeouts")
        if isinstance(fault, TimeoutError):
            text = f"{own}no answer within {limits.first_byte_s:g} s; see its timeouts"
            return UpstreamFault("timeout", text, f"{text} ({base})")
        said, fix = _connection_fault(fault)
        if said:
            # Of a certificate that does not fit the reason quotes names: it is for the log alone.
            why = f" ({_certificate_fault(fault)})" if _certificate_fault(fault) else ""
            return UpstreamFault("connect", f"{own}{said} it; {fix}", f"{own}{said} {base}{why}; {fix}")
        said = f"it closed the connection or gave no HTTP ({type(fault).__name__})"
        return UpstreamFault("protocol", own + said, f"{own}{said}: {base}")


def _connection_fault(fault: BaseException) -> tuple[str, str]:
    """What went wrong with a connection, to be followed by its address, and the fix; empty where none failed."""
    kind = fault.kind if isinstance(fault, NoConnection) else ""
    if kind == "certificate" or isinstance(fault, aiohttp.ClientConnectorCertificateError):
        fix = "an authority of your own goes into MOOS_CA_BUNDLE, an expired certificate must be renewed there"
        return "no trust in the certificate of", fix
    if kind == "tls" or isinstance(fault, aiohttp.ClientConnectorSSLError):
        return "no TLS with", "check that its base_url should begin with https:// and that its TLS is current"
    if kind == "name" or isinstance(fault, aiohttp.ClientConnectorDNSError):
        return "cannot find", "check the name in its base_url, and this machine's DNS"
    if kind or isinstance(fault, aiohttp.ClientConnectorError | aiohttp.InvalidURL):
        return "cannot connect to", "check its base_url and that it runs"
    return "", ""


def _certificate_fault(fault: BaseException) -> str:
    """What OpenSSL says about a certificate."""
    if isinstance(fault, NoConnection) and fault.kind == "certificate":
        return getattr(fault.cause, "verify_message", "") or "it does not fit"
    if not isinstance(fault, aiohttp.ClientConnectorCertificateError):
        return ""
    return getattr(fault.certificate_error, "verify_message", "") or "it does not fit"


class RelayAnswer:
    """An upstream's answer, read as its bytes come in."""

    __slots__ = ("_content", "_name", "_response", "headers", "status")

    def __init__(
        self, response: aiohttp.ClientResponse | Incoming, content: aiohttp.StreamReader | Incoming, name: str
    ) -> None:
        """content: where the response's body is read."""
        self.status = response.status
        self.headers: list[RawHeader] = headers.returned(response.raw_headers)
        self._response = response
        self._content = content
        self._name = name

    @property
    def ended(self) -> bool:
        return self._content.at_eof()

    async def read(self) -> bytes:
        try:
            return await self._content.readany()
        except TimeoutError as fault:
            raise UpstreamFault("timeout", f"upstream {self._name!r}: the answer stopped coming") from fault
        except (aiohttp.ClientError, OSError) as fault:
            raise UpstreamFault("broken", f"upstream {self._name!r}: the answer broke off") from fault

    async def close(self) -> None:
        self._response.close()

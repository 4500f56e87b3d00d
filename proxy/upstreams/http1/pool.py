"""The connections to one address: kept ones first, else a new one."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import cast

from aiohappyeyeballs import AddrInfoType, start_connection

from moosproxy.proxy.upstreams.http1.connection import Connection
from moosproxy.proxy.upstreams.http1.incoming import ClosedEarly, Incoming, Limits, NoConnection

_LAST_S = 1.0
_NAMES_S = 60.0  # that a name's addresses are kept
_NEXT_ADDRESS_S = 0.25  # RFC 8305


class Pool:
    """The connections to one address."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._host, self._port, self._tls = host, port, tls
        self._idle: list[Connection] = []
        self._every: set[Connection] = set()
        self._addresses: list[AddrInfoType] = []
        self._found = 0.0

    async def send(self, head: bytes, body: bytes, limits: Limits, connect_s: float) -> Incoming:
        """The answer once its head is there. Raises NoConnection, ClosedEarly, NoHttp, TimeoutError.

        A kept connection may have run out on the other side: then nothing was answered, and a new one is tried,
        since the others may be as dead. On a new one a request is sent once: it may have been billed.
        """
        while self._idle:
            kept = self._idle.pop()
            if kept.usable:
                try:
                    return await _answered(kept.ask(head, body, limits))
                except ClosedEarly as fault:
                    if fault.answered:
                        raise
                break
        connection = await self._open(connect_s)
        return await _answered(connection.ask(head, body, limits))

    async def close(self) -> None:
        """Closes what is open, and waits a moment until the other sides know."""
        open_now = list(self._every)
        for connection in open_now:
            connection.transport.close()
        if open_now:
            await asyncio.wait([connection.lost for connection in open_now], timeout=_LAST_S)

    async def _open(self, connect_s: float) -> Connection:
        try:
            async with asyncio.timeout(connect_s):
                return await self._connect()
        except TimeoutError as fault:
            raise NoConnection("timeout", fault) from fault
        except OSError as fault:
            self._addresses = []
            raise NoConnection(_kind(fault), fault) from fault

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        if not self._addresses or loop.time() - self._found > _NAMES_S:
            found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            self._addresses, self._found = cast(list[AddrInfoType], found), loop.time()
        sock = await start_connection(self._addresses, happy_eyeballs_delay=_NEXT_ADDRESS_S, loop=loop)
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(loop, self._idle, self._every),
                sock=sock,
                ssl=self._tls,
                server_hostname=self._host.rstrip(".") if self._tls else None,
            )
        except BaseException:
            sock.close()
            raise
        return connection


async def _answered(answer: Incoming) -> Incoming:
    try:
        await answer.head()
    except BaseException:  # whoever waited may have left
        answer.close()
        raise
    return answer


def _kind(fault: OSError) -> str:
    if isinstance(fault, ssl.SSLCertVerificationError):
        return "certificate"
    if isinstance(fault, ssl.SSLError):
        return "tls"
    return "name" if isinstance(fault, socket.gaierror) else "connect"

"""Kept connections that the other side has let go, silently, as load balancers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from moosproxy.policies.model import Upstream
from moosproxy.proxy.upstreams.base import Call, UpstreamFault
from moosproxy.proxy.upstreams.relay import RelayClient, RelaySession

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Forgetful:
    """Answers the first request of each connection; whoever sends another one is cut off."""

    def __init__(self) -> None:
        self.connections = 0
        self.answering = True

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        if self.answering:
            await asyncio.sleep(0.05)  # so that requests at the same time need a connection each
            writer.write(ANSWER)
            with_more = await reader.read(1)
            assert with_more or reader.at_eof()
        writer.close()


@pytest.fixture
async def relay() -> AsyncIterator[tuple[RelayClient, Forgetful]]:
    upstream = Forgetful()
    server = await asyncio.start_server(upstream, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, RelaySession() as session:
        yield RelayClient(Upstream(name="far", kind="openai", base_url=url), session), upstream


async def status(client: RelayClient) -> int:
    answer = await client.send(Call("POST", "/chat/completions", "", [], b""))
    while not answer.ended:
        await answer.read()
    await answer.close()
    return answer.status


async def test_a_request_outlives_any_number_of_dead_kept_connections(
    relay: tuple[RelayClient, Forgetful],
) -> None:
    client, upstream = relay

    assert [200] * 8 == await asyncio.gather(*(status(client) for _ in range(8)))
    assert 8 == upstream.connections
    assert [200] * 4 == await asyncio.gather(*(status(client) for _ in range(4)))


async def test_on_a_new_connection_a_request_is_sent_once(relay: tuple[RelayClient, Forgetful]) -> None:
    client, upstream = relay
    upstream.answering = False

    with pytest.raises(UpstreamFault, match="closed the connection"):
        await status(client)
    assert upstream.connections == 1

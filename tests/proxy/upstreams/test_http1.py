"""The lean client against servers whose every byte is given: framing, kept connections, silence, floods."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from moosproxy.policies.model import Upstream
from moosproxy.proxy.upstreams.base import Call, UpstreamFault
from moosproxy.proxy.upstreams.relay import RelayClient, RelaySession

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CALL = Call("POST", "/x", "", [("content-type", "text/plain")], b"hello")
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Server:
    """Counts connections and requests, and sends what it is told for each request."""

    def __init__(self, *answers: bytes, close: bool = False, pieces: int = 0) -> None:
        self.answers = list(answers)
        self.connections = 0
        self.heads: list[bytes] = []
        self._close, self._pieces = close, pieces

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or b"0")
                await reader.readexactly(length)
                self.heads.append(head)
                await self._send(writer, self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
                if self._close:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _send(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        step = self._pieces or max(1, len(answer))
        for at in range(0, len(answer), step):
            writer.write(answer[at : at + step])
            await writer.drain()
            await asyncio.sleep(0)


@asynccontextmanager
async def client(serve: Serve, **timeouts: float) -> AsyncIterator[RelayClient]:
    """A client of a server on loopback."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    upstream = Upstream.model_validate({"name": "far", "kind": "openai", "base_url": url, "timeouts": timeouts})
    async with server, RelaySession() as session:
        yield RelayClient(upstream, session)
        await asyncio.sleep(0.01)


async def whole(relay: RelayClient, call: Call = CALL) -> tuple[int, bytes]:
    """Status and body of an answer."""
    answer = await relay.send(call)
    body = b""
    while not answer.ended:
        body += await answer.read()
    await answer.close()
    return answer.status, body


CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n5;x=y\r\ndefgh\r\n0\r\nx-late: 1\r\n\r\n"
)
ENDS = b"HTTP/1.1 200 OK\r\n\r\nuntil the end"


@pytest.mark.parametrize("pieces", [0, 1, 7])
@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (WHOLE, 200, b"ok"),
        (CHUNKED, 200, b"abcdefgh"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + WHOLE, 200, b"ok"),
        (b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n", 500, b""),
    ],
)
async def test_a_body_ends_where_its_framing_says_and_the_connection_is_kept(
    answer: bytes, status: int, body: bytes, pieces: int
) -> None:
    server = Server(answer, pieces=pieces)
    async with client(server) as relay:
        for _ in range(3):
            assert (status, body) == await whole(relay)
    assert server.connections == 1


@pytest.mark.parametrize("answer", [ENDS, b"HTTP/1.0 200 OK\r\n\r\nuntil the end"])
async def test_a_body_without_a_length_ends_with_its_connection(answer: bytes) -> None:
    server = Server(answer, close=True)
    async with client(server) as relay:
        assert [(200, b"until the end")] * 2 == [await whole(relay), await whole(relay)]
    assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
    ],
)
async def test_a_body_that_breaks_off_is_a_fault(answer: bytes) -> None:
    async with client(Server(answer, close=True)) as relay:
        with pytest.raises(UpstreamFault, match="broke off"):
            await whole(relay)


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200", b"220 mail ready\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"a" * 300_000]
)
async def test_what_is_no_head_is_a_fault_and_is_asked_for_once(answer: bytes) -> None:
    server = Server(answer, close=True)
    async with client(server) as relay:
        with pytest.raises(UpstreamFault, match="closed the connection or gave no HTTP"):
            await whole(relay)
    assert server.connections == 1


@pytest.mark.parametrize("more", [b"junk", WHOLE])
async def test_what_comes_unasked_is_nobodys_answer(more: bytes) -> None:
    server = Server(WHOLE + more, WHOLE)
    async with client(server) as relay:
        assert (200, b"ok") == await whole(relay)
        await asyncio.sleep(0.02)
        assert (200, b"ok") == await whole(relay)
    assert server.connections == 2


async def test_a_connection_that_is_to_be_closed_is_not_kept() -> None:
    server = Server(WHOLE.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
    async with client(server) as relay:
        assert [(200, b"ok")] * 2 == [await whole(relay), await whole(relay)]
    assert server.connections == 2


async def test_a_reader_that_is_slow_holds_the_upstream_back() -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while sent < 64 * 1024 * 1024:
                writer.write(b"x" * 65536)
                await writer.drain()
                sent += 65536
        except ConnectionError:
            pass
        writer.close()

    async with client(endless, read_s=0.2) as relay:
        answer = await relay.send(CALL)
        await asyncio.sleep(0.5)
        assert sent < 32 * 1024 * 1024
        size = 0
        while size < 10 * 1024 * 1024:
            size += len(await answer.read())
        await answer.close()


@pytest.mark.parametrize(
    ("sent", "timeouts", "said"),
    [
        (b"", {"first_byte_s": 0.1}, "no answer within 0.1 s"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", {"read_s": 0.1}, "stopped coming"),
        (b"", {"total_s": 0.1}, "no answer within"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", {"total_s": 0.1}, "stopped coming"),
    ],
)
async def test_silence_has_its_bounds(sent: bytes, timeouts: dict[str, float], said: str) -> None:
    async with client(Server(sent), **timeouts) as relay:
        with pytest.raises(UpstreamFault, match=said):
            await asyncio.wait_for(whole(relay), 5)


async def test_a_body_that_the_upstream_takes_slowly_is_no_silence() -> None:
    size = 48_000_000  # many times what the system's buffers take

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        left = size
        while left:
            left -= len(await reader.read(min(left, 65_536)))
            await asyncio.sleep(0.004)
        writer.write(WHOLE)
        await reader.read(1)
        writer.close()

    async with client(slow, first_byte_s=2) as relay:
        assert (200, b"ok") == await whole(relay, Call("POST", "/x", "", [], b"x" * size))


async def test_whoever_leaves_closes_the_connection() -> None:
    gone = asyncio.Event()

    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.read()
        gone.set()
        writer.close()

    async with client(waits) as relay:
        asking = asyncio.create_task(whole(relay))
        await asyncio.sleep(0.05)
        asking.cancel()
        await asyncio.wait_for(gone.wait(), 2)


async def test_a_head_cannot_be_split() -> None:
    server = Server(WHOLE)
    async with client(server) as relay:
        for call in (
            Call("POST", "/x", "", [("x-a", "b\r\nx-evil: 1")], b""),
            Call("POST", "/x HTTP/1.1\r\nx-evil: 1", "", [], b""),
            Call("POST", "/x y", "", [], b""),
        ):
            with pytest.raises(UpstreamFault):
                await relay.send(call)
    assert not server.heads


async def test_head_goes_by_the_other_client() -> None:
    server = Server(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n")
    async with client(server) as relay:
        assert (200, b"") == await whole(relay, Call("HEAD", "/x", "a=b", [], b""))
    assert server.heads[0].startswith(b"HEAD /v1/x?a=b HTTP/1.1\r\n")


async def test_plain_http_behind_https_is_told() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, RelaySession() as session:
        relay = RelayClient(Upstream(name="far", kind="openai", base_url=url), session)
        with pytest.raises(UpstreamFault, match="no TLS with"):
            await relay.send(CALL)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for localhost, its own authority, and its key."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *names], check=True, capture_output=True)
    return certificate, key


async def test_tls_with_an_authority_of_ones_own_carries_answers_and_keeps_the_connection(
    pair: tuple[Path, Path],
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    served = Server(WHOLE)
    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=context)
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}/v1"

    async with server, RelaySession(ca_bundle=pair[0]) as session:
        relay = RelayClient(Upstream(name="far", kind="openai", base_url=url), session)
        assert [(200, b"ok")] * 3 == [await whole(relay) for _ in range(3)]

    assert (3, 1) == (len(served.heads), served.connections)


async def test_an_address_of_version_6_is_reached() -> None:
    served = Server(WHOLE)
    try:
        server = await asyncio.start_server(served, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    url = f"http://[::1]:{server.sockets[0].getsockname()[1]}/v1"

    async with server, RelaySession() as session:
        relay = RelayClient(Upstream(name="far", kind="openai", base_url=url), session)
        assert (200, b"ok") == await whole(relay)

    assert b"host: [::1]:" in served.heads[0]

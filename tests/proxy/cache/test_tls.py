"""The shared cache over TLS and with a password, both given in the URL, against a real server."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from moosproxy.proxy.cache.opening import open_store
from tests.proxy.cache.workers import CUT, KEY, PATIENT_MS, TEXT, faults, look_up
from tests.proxy.redis_server import RedisServer

PASSWORD = "kept-to-itself"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for this machine, signed by itself, and its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    paths = tmp_path / "redis.crt", tmp_path / "redis.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    options = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run([*command, *options, *files], check=True, capture_output=True)
    return paths


@pytest.fixture
def tls_server(tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[RedisServer]:
    """Speaks nothing but TLS, and only to who knows the password."""
    program = shutil.which("redis-server")
    if not program:
        pytest.skip("redis-server is not installed")
    public, private = map(str, certificate)
    server = RedisServer(tmp_path)
    if b"tls-cert-file" not in Path(program).read_bytes():
        pytest.skip("this redis-server was built without TLS")
    listening = ["--port", "0", "--tls-port", str(server.port), "--tls-auth-clients", "no"]
    files = ["--tls-cert-file", public, "--tls-key-file", private, "--tls-ca-cert-file", public]
    server.start(*listening, *files, "--requirepass", PASSWORD, ssl=True, ssl_ca_certs=public, password=PASSWORD)
    yield server
    server.kill()


def url(server: RedisServer, authority: Path | None, password: str = PASSWORD) -> str:
    """Of the server; without an authority the system's own are to vouch for it."""
    wanted = f"?ssl_ca_certs={authority}" if authority else ""
    return f"rediss://:{password}@127.0.0.1:{server.port}/0{wanted}"


async def test_two_workers_share_answers_over_tls_with_a_password(
    tls_server: RedisServer, certificate: tuple[Path, Path]
) -> None:
    one, two = (open_store(redis_url=url(tls_server, certificate[0]), timeout_ms=PATIENT_MS) for _ in "ab")
    await one.settle(KEY, TEXT, CUT)

    assert await look_up(two) == CUT
    assert faults(one) == faults(two) == {}
    await one.aclose()
    await two.aclose()


@pytest.mark.parametrize("wrong", ["authority", "password", "plain"])
async def test_a_server_that_cannot_be_trusted_or_does_not_trust_us_is_a_miss(
    tls_server: RedisServer, certificate: tuple[Path, Path], wrong: str
) -> None:
    good = url(tls_server, certificate[0])
    urls = {
        "authority": url(tls_server, None),
        "password": url(tls_server, certificate[0], "guessed"),
        "plain": good.replace("rediss://", "redis://").partition("?")[0],
    }
    store = open_store(redis_url=urls[wrong], timeout_ms=PATIENT_MS)

    assert await look_up(store) is None
    assert await store.settle(KEY, TEXT, CUT) == CUT
    assert set(faults(store)) == {"down"}
    await store.aclose()
    await asyncio.sleep(0.1)  # asyncio closes the socket of a refused handshake some turns later

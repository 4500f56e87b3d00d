"""Each fault says what it is, where it is and how to mend it, to those who run the proxy."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from moosproxy.policies.files.load import load
from moosproxy.policies.model import Upstream
from moosproxy.proxy.app import create_app
from moosproxy.proxy.commands.doctor.command import _upstream
from moosproxy.proxy.log import OncePerMachine
from moosproxy.proxy.observing.redis_ping import ping
from moosproxy.proxy.settings import Settings
from moosproxy.proxy.upstreams.base import Call, UpstreamFault
from moosproxy.proxy.upstreams.relay import RelayClient, RelaySession
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.redis_server import RedisServer
from tests.proxy.wire import ask, chat, fresh

needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server")


@asynccontextmanager
async def listening(context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that accepts and says nothing."""
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for writer in held:
            writer.close()
        await asyncio.sleep(0)


def certificate(folder: Path, *options: str) -> ssl.SSLContext:
    files = [str(folder / "key.pem"), str(folder / "cert.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", files[0], "-out", files[1]]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, *subject, *options], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files[1], files[0])
    return context


async def fault_of(base_url: str) -> UpstreamFault:
    async with RelaySession() as session:
        with pytest.raises(UpstreamFault) as caught:
            upstream = Upstream(name="far", kind="openai", base_url=base_url)
            await RelayClient(upstream, session).send(Call("GET", "/models", "", [], b""))
    return caught.value


async def test_a_certificate_that_is_not_trusted_is_called_so(tmp_path: Path) -> None:
    async with listening(certificate(tmp_path)) as port:
        fault = await fault_of(f"https://localhost:{port}/v1")

    assert "certificate" in fault.detail
    assert "self-signed" in fault.detail
    assert "MOOS_CA_BUNDLE" in fault.detail
    assert "check that it runs" not in fault.detail


async def test_an_upstream_without_tls_and_one_without_a_name_are_told_apart() -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 no\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        no_tls = await fault_of(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    nameless = await fault_of("http://nowhere.invalid/v1")

    assert "no TLS" in no_tls.detail
    assert "DNS" in nameless.detail


async def test_the_client_learns_no_address_and_the_log_does(
    proxy: LiveProxy, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await ask(proxy.port, chat(fresh("dead")))

    assert answer.status == 502
    assert "'dead'" in answer.json()["error"]["message"]
    assert "127.0.0.1" not in answer.json()["error"]["message"]
    assert any("127.0.0.1:9" in str(getattr(record, "fields", "")) for record in caplog.records)


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost:6379", "redis://:hunter2@host:port"])
def test_a_wrong_redis_url_is_told_before_anything_starts(url: str) -> None:
    with pytest.raises(ValueError, match="redis://localhost:6379/0") as caught:
        Settings(redis_url=url)  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)


async def test_redis_that_refuses_and_redis_that_is_silent_are_told_apart() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        refused = await ping(f"redis://127.0.0.1:{taken.getsockname()[1]}/0")
    async with listening() as port:
        silent = await ping(f"redis://127.0.0.1:{port}/0")

    assert refused is not None
    assert "nothing listens" in refused
    assert silent is not None
    assert "does not answer within" in silent


@needs_redis
async def test_redis_with_another_password_says_so(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    server.start("--requirepass", "right", password="right")
    try:
        none, wrong = await ping(server.url), await ping(server.url.replace("://", "://:wrong@"))
        right = await ping(server.url.replace("://", "://:right@"))
    finally:
        server.kill()

    assert right is None
    for reason in (none, wrong):
        assert reason is not None
        assert "password" in reason
        assert "wrong@" not in reason


async def test_redis_that_is_down_at_the_start_is_known_before_any_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = Settings(redis_url="redis://127.0.0.1:9/0")  # type: ignore[arg-type]
    with LiveProxy(create_app(settings, compressor=FakeCompressor())) as live:
        ready = (await ask(live.port, b"", "/readyz", "GET")).json()

    assert ready["status"] == "degraded"
    assert ready["checks"]["shared_cache"]["state"] == "degraded"
    assert "nothing listens" in ready["checks"]["shared_cache"]["detail"]
    assert any(getattr(record, "fields", {}).get("check") == "shared_cache" for record in caplog.records)


async def test_a_missing_model_file_and_a_state_folder_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    file = tmp_path / "moos.yaml"
    file.write_text(f"upstreams: {{here: {{kind: llama_cpp, models: {{small: {{path: {tmp_path}/no.gguf}}}}}}}}\n")
    (tmp_path / "file").write_text("")
    settings = Settings(state_dir=tmp_path / "file" / "below")
    with LiveProxy(create_app(settings, load(file), FakeCompressor())) as live:
        ready = (await ask(live.port, b"", "/readyz", "GET")).json()

    assert ready["status"] == "degraded"
    assert f"{tmp_path}/no.gguf" in ready["checks"]["upstreams"]["detail"]
    assert "MOOS_STATE_DIR" in ready["checks"]["state"]["detail"]


@pytest.mark.parametrize(
    ("status", "state"), [(200, "ok"), (404, "degraded"), (501, "degraded"), (500, "degraded")]
)
async def test_the_doctor_judges_what_an_upstream_answers(
    upstream: ScriptedUpstream, status: int, state: str
) -> None:
    word = fresh("doctor")
    upstream.scripts[word] = lambda e: e.reply(status, b"{}")
    asked = Upstream(name="far", kind="openai", base_url=f"{upstream.url}/{word}")
    check = await _upstream(Settings(), asked)

    assert check.state == ("ok" if status == 200 else "degraded")
    assert ("base_url" in check.detail) == (status in (404, 501))


async def test_a_proxy_of_the_environment_that_is_not_used_is_mentioned(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with LiveProxy(create_app(Settings(), compressor=FakeCompressor())):
        pass

    assert any("MOOS_TRUST_ENV" in str(getattr(record, "fields", "")) for record in caplog.records)


def test_of_several_workers_one_says_what_all_see(tmp_path: Path) -> None:
    workers = [OncePerMachine(tmp_path) for _ in range(3)]

    def said(logger: str, text: str, at: float) -> int:
        record = logging.LogRecord(logger, logging.ERROR, "", 0, text, None, None)
        record.created = at
        return sum(worker.filter(record) for worker in workers)

    assert said("moosproxy.policies.files.watch", "a fault", 1009.9) == 1
    assert said("moosproxy.policies.files.watch", "a fault", 1010.1) == 0
    assert said("moosproxy.policies.files.watch", "a fault", 1100.0) == 1
    assert said("moosproxy.policies.files.watch", "another", 1100.0) == 1
    assert said("moos.request", "request", 1100.0) == 3

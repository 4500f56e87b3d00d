"""A whole proxy without a model of its own: what it sends, what it says of itself, what it falls back to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moosproxy.compressor import Compressor
from moosproxy.policies.resolve import PolicySet
from moosproxy.proxy.app import create_app
from moosproxy.proxy.bench.sides import free_port, running
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import prose, report
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.tier.replicas import live

LONG = report(200)


def post(port: int, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    """Status, and the answer's body."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


@pytest.fixture(scope="module")
def tier() -> Iterator[LiveProxy]:
    with live() as server:
        yield server


@pytest.fixture(scope="module")
def modelless(tier: LiveProxy, policy_set: PolicySet) -> Iterator[LiveProxy]:
    settings = Settings(compressor_url=tier.url, max_body_bytes=2_000_000)
    with LiveProxy(create_app(settings, policy_set)) as server:
        yield server


def test_the_same_bytes_go_upstream(modelless: LiveProxy, proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    for number in range(4):
        body = {"model": f"tier-{number}", "messages": [{"role": "user", "content": prose(200 + number, "t")}]}
        sent = []
        for server in (proxy, modelless):
            assert post(server.port, "/v1/chat/completions", body)[0] == 200
            sent.append(upstream.last(f"tier-{number}").body)
        assert sent[0] == sent[1] and len(sent[0]) < 0.7 * len(json.dumps(body))


def test_details_come_from_the_tier_too(modelless: LiveProxy, proxy: LiveProxy) -> None:
    body = {"text": prose(200, "details"), "detail": True}
    found = [post(server.port, "/v1/compress", body)[1]["detail"] for server in (proxy, modelless)]

    assert found[0] == found[1] and len(found[0][0]["words"]) == 200


def test_readiness_and_metrics_tell_of_the_tier(modelless: LiveProxy, tier: LiveProxy) -> None:
    check = json.loads(get(modelless.port, "/readyz"))["checks"]["checkpoint"]
    figures = get(tier.port, "/metrics")

    assert check == {"state": "ok", "detail": "tier: 1 of 1 addresses, fingerprint fake-1-calib"}
    assert "moos_tier_faults_total" in get(modelless.port, "/metrics")
    assert "moos_queued_tokens 0.0" in figures and 'moos_tier_texts_total{outcome="compressed"}' in figures
    assert "moos_compression_seconds_bucket" in figures
    assert get(tier.port, "/readyz") == '{"status":"ready"}' and get(tier.port, "/healthz")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(tier.port, "/v1/chat/completions")


def test_without_a_tier_the_original_goes_out_or_nothing(
    policy_set: PolicySet, upstream: ScriptedUpstream
) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    with LiveProxy(create_app(Settings(compressor_url=dead), policy_set)) as server:
        text = prose(200, "nobody")
        for model, status in (("nobody-there", 200), ("strict-nobody", 503)):
            body = {"model": model, "messages": [{"role": "user", "content": text}]}
            assert post(server.port, "/v1/chat/completions", body)[0] == status
        figures = get(server.port, "/metrics")
        check = json.loads(get(server.port, "/readyz"))["checks"]["checkpoint"]

    assert text.encode() in upstream.last("nobody-there").body
    assert 'moos_tier_fallbacks_total{to="original"} 2.0' in figures
    assert 'moos_tier_faults_total{kind="down"}' in figures
    assert 'moos_parts_total{outcome="failed"}' in figures
    assert check["state"] == "missing"


@pytest.mark.slow
def test_without_a_tier_the_local_model_does_it(policy_set: PolicySet, upstream: ScriptedUpstream) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    settings = Settings(compressor_url=dead, compressor_fallback="local", compressor_threads=1)
    text = LONG
    with LiveProxy(create_app(settings, policy_set)) as server:
        body = {"text": text, "model": "x"}
        found = [post(server.port, "/v1/compress", body)[1] for _ in range(3)][-1]
    with Compressor.load(threads=1) as compressor:
        own = compressor.compress(text)

    if found["parts"][0]["outcome"] == "skipped":  # a slow machine loads for longer than the deadline
        assert found["parts"][0]["reason"] == "deadline"
    else:
        assert found["text"] == own.text


def test_a_tier_beyond_loopback_wants_a_key() -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "moosproxy.proxy.commands.cli", "serve-compressor", "--host", "0.0.0.0"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert refused.returncode == 2 and "set MOOS_COMPRESSOR_KEY" in refused.stderr


@pytest.mark.parametrize(
    "url",
    [
        "compressor:8687",
        "http://",
        "ftp://a",
        "http://a/v1",
        "http://u:p@a",
        "http://a,",
        "http://a:0",
        "http://a#b",
        "http://a b",
    ],
)
def test_a_wrong_url_is_refused_with_what_to_write(url: str) -> None:
    with pytest.raises(ValueError, match=r"must be URLs such as http://compressor:8687"):
        Settings(compressor_url=url)
    assert Settings(compressor_url="http://a:1/, https://b").compressor_urls == ["http://a:1", "https://b"]


def test_a_key_is_what_stands_in_the_file_without_its_line_break() -> None:
    key = Settings.model_validate({"compressor_key": "secret\n"}).compressor_key
    assert key is not None and key.get_secret_value() == "secret"
    assert Settings.model_validate({"compressor_key": " \n"}).compressor_key is None, "no key opens no port"


@pytest.mark.slow
def test_the_command_serves_with_two_workers(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "moosproxy.proxy.commands.cli", "serve-compressor", "--workers", "2"]
    environment = {**os.environ, "MOOS_COMPRESSOR_THREADS": "1", "MOOS_UNREADY_S": "0.1"}
    with running("tier", [*command, "--port", str(port)], port, "/readyz", environment) as pid:
        told = json.loads(get(port, "/v1/tier"))
        settings = Settings(compressor_url=f"http://127.0.0.1:{port}")
        with LiveProxy(create_app(settings)) as server:
            status, found = post(server.port, "/v1/compress", {"text": LONG})
        assert status == 200 and found["parts"][0]["outcome"] == "compressed", found["parts"]
        assert "moos_tier_texts_total" in get(port, "/metrics")
        os.kill(pid, signal.SIGTERM)
    with Compressor.load(threads=1) as compressor:
        assert told["fingerprint"] == compressor.fingerprint and told["protocol"] == 1
        assert found["text"] == compressor.compress(LONG).text


def test_the_help_names_the_command() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "moosproxy.proxy.commands.cli", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "serve-compressor" in told.stdout

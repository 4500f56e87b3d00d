"""`moos wrap` around a tool that does what the real ones do: read its environment and arguments, send requests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner

from moosproxy.proxy.commands.cli import main
from moosproxy.proxy.commands.clients import CLIENTS

TEXT = "The committee met again and talked about the weather for a while, as it often does. " * 40
READ = "{k: v for k, v in os.environ.items() if 'BASE' in k or 'OPENCODE' in k}"
TOOL = f"""#!{sys.executable}
import json, os, sys, urllib.request
told = {{"arguments": sys.argv[1:], "environment": {READ}}}
open({{told!r}}, "w").write(json.dumps(told))
body = json.dumps({{"model": "m", "messages": [{{"role": "tool", "content": {TEXT!r}}}]}}).encode()
url = os.environ.get("OPENAI_API_BASE")
if url:
    head = {{"content-type": "application/json", "authorization": "Bearer any"}}
    urllib.request.urlopen(urllib.request.Request(url + "/chat/completions", body, head)).read()
sys.exit(7)
"""


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with a program for each tool that can be wrapped; each writes told.json beside itself."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for client in CLIENTS.values():
        if client.program:
            program = folder / client.program
            program.write_text(TOOL.replace("{told!r}", repr(str(tmp_path / "told.json"))))
            program.chmod(0o755)
    return folder


def wrapped(tools: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MOOS_", "OPENAI_"))}
    environment["PATH"] = f"{tools}{os.pathsep}{environment['PATH']}"
    command = [sys.executable, "-m", "moosproxy.proxy.commands.cli", "wrap", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_a_tool_runs_through_a_proxy_of_its_own_and_its_end_says_what_was_saved(
    tools: Path, tmp_path: Path
) -> None:
    policies = tmp_path / "moos.yaml"
    policies.write_text("upstreams: {echo: {kind: echo}}\ndefaults: {deadline_ms: 60000, ratio: 3}\n")

    done = wrapped(tools, "--config", str(policies), "aider", "--", "--message", "hello", "--", "x")

    assert done.returncode == 7, done.stderr
    told = json.loads((tmp_path / "told.json").read_text())
    assert ["--message", "hello", "--", "x"] == told["arguments"]
    assert told["environment"]["OPENAI_API_BASE"].endswith("/v1")
    assert not told["environment"]["ANTHROPIC_BASE_URL"].endswith("/v1")
    saved = int(done.stderr.rpartition("sent on: ")[2].partition("%")[0])
    assert saved > 40, done.stderr


class Healthy(BaseHTTPRequestHandler):
    """A proxy that wants a key for all but its health."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 401)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def root() -> Iterator[str]:
    """Where such a proxy listens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_proxy_that_does_not_answer_is_told_before_the_tool_starts(tools: Path, tmp_path: Path) -> None:
    done = wrapped(tools, "--base-url", "http://127.0.0.1:9", "claude", "hello")

    assert (1, False) == (done.returncode, (tmp_path / "told.json").exists())
    assert "no proxy answers at http://127.0.0.1:9" in done.stderr


def test_each_tool_gets_the_address_in_its_own_way(tools: Path, tmp_path: Path, root: str) -> None:
    seen = {}
    for name, client in CLIENTS.items():
        if client.program and name != "aider":
            done = wrapped(tools, "--base-url", f"{root}/v1/", name, "exec", "hello")
            assert done.returncode == 7, done.stderr
            assert "does not tell what was saved" in done.stderr
            seen[name] = json.loads((tmp_path / "told.json").read_text())

    assert f'base_url="{root}/v1"' in seen["codex"]["arguments"][3]
    assert ["exec", "hello"] == seen["codex"]["arguments"][4:]
    assert root == seen["claude"]["environment"]["ANTHROPIC_BASE_URL"]
    given = json.loads(seen["opencode"]["environment"]["OPENCODE_CONFIG_CONTENT"])["provider"]
    assert [f"{root}/v1"] * 2 == [given[kind]["options"]["baseURL"] for kind in ("openai", "anthropic")]


def test_a_tool_that_is_not_installed_is_named(tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["wrap", "codex"], env={"PATH": str(tmp_path)})

    assert told.exit_code == 2
    assert "codex is not installed" in told.output


@pytest.mark.parametrize("name", CLIENTS)
def test_doctor_says_what_to_set(name: str) -> None:
    told = CliRunner().invoke(main, ["doctor", "--client", name])

    assert told.exit_code == 0
    assert "http://127.0.0.1:8686" in told.output
    assert "{" not in told.output or name in ("opencode",)


def test_the_docs_tell_of_every_client() -> None:
    page = (Path(__file__).parents[3] / "docs" / "clients.md").read_text(encoding="utf-8")

    for name, client in CLIENTS.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| {name} |"))
        assert client.steps.format(root="http://127.0.0.1:8686") in row

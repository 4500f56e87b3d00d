"""What a base install says about an upstream of kind litellm: at start and reload, to a request, to the doctor."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import openai
import pytest

from moosproxy.policies.files.load import load
from moosproxy.proxy.app import create_app
from moosproxy.proxy.opening.policies import open_policies, policies_check, upstreams_check
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.wire import ask, chat

COMMAND = "pip install 'moosproxy[providers]' (in a checkout: make providers)"
POLICIES = """
upstreams:
  claude: {{kind: litellm, model_prefix: anthropic/, api_key: x}}
  main: {{kind: openai, base_url: "{url}"}}
routes:
  - {{match: {{model: "claude*"}}, upstreams: [claude]}}
  - {{match: {{model: "either*"}}, upstreams: [claude, main]}}
  - {{upstreams: [main]}}
"""
MOOS = "import sys; sys.modules['litellm'] = None; from moosproxy.proxy.commands.cli import main; main()"


@pytest.fixture
def file(upstream: ScriptedUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Policies that name litellm, in a process that cannot import it."""
    monkeypatch.setitem(sys.modules, "litellm", None)
    file = tmp_path / "moos.yaml"
    file.write_text(POLICIES.format(url=upstream.url))
    return file


def moos(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "MOOS_COMPRESSOR": "off"}
    command = [sys.executable, "-c", MOOS, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100, check=False)


def swapped(file: Path, text: str) -> str:
    """Writes the text and returns what was there."""
    before = file.read_text()
    file.write_text(text)
    return before


def test_serve_names_the_command_before_a_port_is_opened(file: Path) -> None:
    done = moos("serve", "--config", str(file), "--port", "0")

    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == f"moos serve: upstream claude: kind litellm needs an extra that is not installed: {COMMAND}\n"
    )


def test_the_doctor_names_the_command(file: Path) -> None:
    done = moos("doctor", "--config", str(file))

    assert done.returncode == 1
    assert "[XX] upstream claude: kind litellm needs an extra" in done.stdout
    assert "[--] litellm: not installed; only upstreams of kind litellm need it" in done.stdout
    assert COMMAND in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


async def test_a_request_gets_the_command_as_an_error_that_clients_know(file: Path) -> None:
    with LiveProxy(create_app(Settings(), load(file), FakeCompressor())) as live:
        answer = await ask(live.port, chat("claude-x"))
        async with openai.AsyncOpenAI(base_url=f"{live.url}/v1", api_key="any", max_retries=0) as client:
            with pytest.raises(openai.InternalServerError, match="make providers") as caught:
                await client.chat.completions.create(
                    model="claude-x", messages=[{"role": "user", "content": "Hi"}], stream=True
                )

    error = answer.json()["error"]
    assert (answer.status, error["type"], error["code"]) == (503, "api_error", "provider_not_installed")
    assert COMMAND in error["message"]
    assert caught.value.code == "provider_not_installed"


async def test_the_next_upstream_of_the_route_is_tried(file: Path) -> None:
    with LiveProxy(create_app(Settings(), load(file), FakeCompressor())) as live:
        answer = await ask(live.port, chat("either"))

    assert answer.status == 200


async def test_files_that_come_to_need_it_do_not_come_into_force(file: Path) -> None:
    wanted = swapped(file, "upstreams: {demo: {kind: echo}}\n")
    async with AsyncExitStack() as stack:
        source = await open_policies(Settings(policies=file), None, stack)
        swapped(file, wanted)
        await source.reload()  # type: ignore[attr-defined]
        check = await policies_check(source)

    assert list(source.current.upstreams) == ["demo"]
    assert check.state == "degraded"
    assert COMMAND in check.detail


async def test_readiness_tells_where_a_set_was_given_by_hand(file: Path) -> None:
    async with AsyncExitStack() as stack:
        check = await upstreams_check(await open_policies(Settings(), load(file), stack))

    assert check.state == "degraded"
    assert COMMAND in check.detail

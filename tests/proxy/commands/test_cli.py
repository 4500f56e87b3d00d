"""The `moos` command, run as its users run it."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import moosproxy
from moosproxy.proxy.bench.sides import free_port, running, serve_command

COMMAND = [sys.executable, "-m", "moosproxy.proxy.commands.cli"]


def moos(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *arguments]
    clean = {"PATH": "/usr/bin:/bin", "MOOS_COMPRESSOR": "off", **environment}
    return subprocess.run(command, capture_output=True, text=True, env=clean, timeout=100, check=False)


def test_help_lists_every_command_without_importing_any() -> None:
    code = (
        "import sys; from moosproxy.proxy.commands.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'fastapi', 'aiohttp', 'numpy', 'litellm', 'pydantic'}\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert all(name in done.stdout for name in ("serve", "doctor", "demo", "policy", "key", "compress", "bench"))
    assert done.stdout.strip().endswith("[]")


def test_an_open_address_without_keys_is_refused_with_the_fix() -> None:
    done = moos("serve", "--host", "0.0.0.0")

    assert done.returncode == 2
    assert "moos key new" in done.stderr


@pytest.mark.parametrize(
    ("environment", "said"),
    [({"MOOS_PORT": "99999"}, "MOOS_PORT"), ({"MOOS_POLICIES": "/nowhere/moos.yaml"}, "nowhere")],
)
def test_settings_that_cannot_be_used_are_named(environment: dict[str, str], said: str) -> None:
    done = moos("serve", **environment)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_faults_in_policies_are_all_named_before_a_port_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "moos.yaml"
    file.write_text("upstreams: {a: {kind: nothing}}\ndefaults: {ratio: 0.5}\n")
    done = moos("serve", "--config", str(file))

    assert done.returncode == 2
    assert "kind" in done.stderr
    assert "ratio" in done.stderr


@pytest.mark.slow
def test_serve_says_loudly_that_nothing_goes_to_a_model(tmp_path: Path) -> None:
    port = free_port()
    environment = {"PATH": "/usr/bin:/bin", "MOOS_COMPRESSOR": "off"}
    process = subprocess.Popen(
        serve_command(port), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment
    )
    try:
        assert process.stderr is not None
        said = b"".join(process.stderr.readline() for _ in range(6)).decode()
    finally:
        process.terminate()
        process.communicate(timeout=20)

    assert "NOTHING GOES TO A MODEL" in said
    assert f"http://127.0.0.1:{port}/v1" in said


@pytest.mark.slow
def test_two_workers_share_their_metrics(tmp_path: Path) -> None:
    port = free_port()
    environment = {"PATH": "/usr/bin:/bin", "MOOS_COMPRESSOR": "off"}
    with running("moos serve", serve_command(port, "--workers", "2"), port, "/healthz", environment):
        for _ in range(6):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=10) as answer:
                assert answer.status == 200
        time.sleep(1.5)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    total = sum(
        float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith("moos_requests_total")
    )

    assert total == 6


@pytest.mark.slow
def test_the_demo_sends_a_document_and_reports(tmp_path: Path) -> None:
    document = tmp_path / "text.md"
    document.write_text("A short text.")
    done = moos("demo", str(document))

    assert done.returncode == 0, done.stderr
    assert "A short text." in done.stdout
    assert "tokens:" in done.stdout


@pytest.mark.slow
def test_the_demo_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    keyed = tmp_path / "moos.yaml"
    keyed.write_text(f"upstreams: {{e: {{kind: echo}}}}\nteams: {{a: {{keys: ['{'1' * 64}']}}}}\n")
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1"
    command = [*COMMAND, "serve", "--port", str(port), "--config", str(keyed)]
    with running("moos serve", command, port, "/healthz", {"PATH": "/usr/bin:/bin", "MOOS_COMPRESSOR": "off"}):
        refused = moos("demo", "--base-url", url)
    nobody = moos("demo", "--base-url", "http://127.0.0.1:9/v1")

    assert (refused.returncode, nobody.returncode) == (1, 1)
    assert "status 401" in refused.stderr
    assert "invalid_api_key" in refused.stderr
    assert nobody.stderr.startswith("Error: no answer from http://127.0.0.1:9/v1")
    assert "Traceback" not in refused.stderr + nobody.stderr


@pytest.mark.slow
def test_the_doctor_finishes_its_round(tmp_path: Path) -> None:
    file = tmp_path / "moos.yaml"
    file.write_text("upstreams: {gone: {kind: openai, base_url: 'http://127.0.0.1:9/v1'}}\n")
    options = {"MOOS_REDIS_URL": "redis://127.0.0.1:9/0", "MOOS_COMPRESSOR": "on"}
    done = moos("doctor", "--config", str(file), **options)

    assert done.returncode == 1
    assert "cannot connect to http://127.0.0.1:9/v1" in done.stdout
    assert "[!!] shared cache: nothing listens at the address of MOOS_REDIS_URL" in done.stdout
    assert re.search(r"checkpoint: .*engine \w+, .*kernels.*, [\d,]+ tokens/s", done.stdout)


@pytest.mark.slow
def test_the_doctor_tries_the_file_that_workers_share(tmp_path: Path) -> None:
    temporary, named = moos("doctor", TMPDIR=str(tmp_path)), moos("doctor", MOOS_CACHE_DIR="/nowhere")

    assert f"[ok] shared cache: workers share a file in {tmp_path}" in temporary.stdout
    assert "[!!] shared cache: no cache file can be kept in /nowhere" in named.stdout
    assert named.returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("moos se", "serve"),
        ("moos bench s", "soak"),
        ("moos policy ex", "explain"),
        ("moos --v", "--version"),
        ("moos serve --wo", "--workers"),
    ],
)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(shell: str, words: str, offered: str) -> None:
    said = complete(shell, words).replace(",", "\n").replace("\t", "\n").splitlines()

    assert offered in said
    assert "compress" not in said


def test_a_press_of_tab_imports_no_command() -> None:
    *said, imported = complete("bash", "moos ").splitlines()

    assert "plain,compress" in said
    assert imported == "moosproxy moosproxy.proxy moosproxy.proxy.commands moosproxy.proxy.commands.cli"


def complete(shell: str, words: str) -> str:
    """What the shell's script gets for these words, and last the modules that were imported for it."""
    code = (
        "import sys; from moosproxy.proxy.commands.cli import main\n"
        "try: main(prog_name='moos')\n"
        "except SystemExit: pass\n"
        "print(*sorted(name for name in sys.modules if name.startswith('moosproxy')))"
    )
    last = "" if words.endswith(" ") else words.split()[-1]
    place = last if shell == "fish" else str(len(words.split(" ")) - 1)
    environment = {"_MOOS_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": place}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=True)
    return done.stdout


def test_the_version_is_told_from_a_checkout() -> None:
    assert moos("--version").stdout == f"moos, version {moosproxy.__version__}\n"


def test_a_port_in_use_is_told_before_the_banner_with_the_fix() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = moos("serve", "--port", str(taken.getsockname()[1]))

    assert done.returncode == 2
    assert "--port" in done.stderr
    assert "is in use" in done.stderr
    assert "moosproxy on http" not in done.stderr


def test_a_wrong_redis_url_is_one_line() -> None:
    done = moos("serve", MOOS_REDIS_URL="localhost:6379")

    assert done.returncode == 2
    assert "MOOS_REDIS_URL" in done.stderr
    assert "redis://localhost:6379/0" in done.stderr
    assert len((done.stderr + done.stdout).strip().splitlines()) == 1

"""Nothing breaks for want of what Linux has. The systems themselves are not here: this fakes what they lack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from moosproxy.compressor.engines.base import available_threads, sums_8_bit_products_exactly
from moosproxy.compressor.evaluation.speed.bench import _CHILD
from moosproxy.policies.fields.local import GgufModel
from moosproxy.proxy import machine
from moosproxy.proxy.bench.sides import Side, free_port, running
from moosproxy.proxy.upstreams.llama_cpp.spec import spec_of
from tests.bare_system import without

PRETEND = "from tests.bare_system import pretend; pretend()\n"
MOOS = PRETEND + "from moosproxy.proxy.commands.cli import main; main(prog_name='moos')"
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "MOOS_STATE_DIR": "/nonexistent",
    "PYTHONPATH": os.pathsep.join(sys.path),
}  # fmt: skip
TEXT = "The committee met on Tuesday and, after a long debate, did not approve the unusual proposal. " * 60


def python(code: str, *arguments: str, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    whole = ENVIRONMENT | environment
    return subprocess.run(
        command, input=text, capture_output=True, encoding="utf-8", errors="replace", env=whole, timeout=100
    )


@pytest.fixture
def bare_system(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch)


@pytest.mark.usefixtures("bare_system")
def test_what_a_figure_was_measured_on_is_told_as_far_as_it_is_known() -> None:
    assert f"{os.cpu_count()} CPUs" in machine.machine()
    assert machine.load_average() is None
    assert machine.versions(None)["python"].startswith("3.")


@pytest.mark.usefixtures("bare_system")
def test_a_servers_memory_and_time_are_unknown() -> None:
    side = Side("this", 0, os.getpid())

    assert (side.resident_mb(), side.peak_mb(), side.cpu_s()) == (None, None, None)


@pytest.mark.usefixtures("bare_system")
def test_threads_are_the_processors_and_memory_has_no_bound() -> None:
    spec = spec_of(GgufModel.model_validate({"path": "/m.gguf"}), "/m.gguf")

    assert available_threads() == spec.batch_threads == os.cpu_count()
    assert machine.memory_bytes() == sys.maxsize


@pytest.mark.usefixtures("bare_system")
def test_an_x86_processor_that_nobody_can_ask_is_taken_for_an_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "AMD64")
    assert not sums_8_bit_products_exactly()
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert sums_8_bit_products_exactly()


def test_every_module_of_the_base_install_can_be_imported() -> None:
    script = PRETEND + (
        "import pkgutil, sys, importlib, moosproxy\n"
        "extras = ('.training', '.evaluation', '.soft', '.integrations', '.transformers', '.process', '.torch',\n"
        "          '.openvino')\n"
        "failed = lambda name: sys.exit(f'{name} cannot be imported')\n"
        "found = [m.name for m in pkgutil.walk_packages(moosproxy.__path__, 'moosproxy.', failed)]\n"
        "base = [name for name in found if not any(part in name for part in extras)]\n"
        "for name in base: importlib.import_module(name)\n"
        "print(len(base))"
    )
    done = python(script)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


@pytest.mark.slow
def test_the_proxy_serves_and_compresses() -> None:
    port = free_port()
    command = [sys.executable, "-c", MOOS, "serve", "--port", str(port)]
    body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": TEXT}]}).encode()
    with running("moos serve", command, port, "/readyz", ENVIRONMENT):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/chat/completions", body, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            ratio = float(answer.headers["x-moos-ratio"])

    assert ratio > 1.5


@pytest.mark.slow
def test_the_same_words_are_kept_as_elsewhere() -> None:
    bare = python(MOOS, "compress", "-", "--ratio", "3", text=TEXT)
    usual = python(MOOS.removeprefix(PRETEND), "compress", "-", "--ratio", "3", text=TEXT)

    assert (bare.returncode, usual.returncode) == (0, 0), bare.stderr
    assert bare.stdout == usual.stdout != ""


@pytest.mark.slow
def test_text_is_utf_8_whatever_the_systems_encoding(tmp_path: Path) -> None:
    """Windows has another one. What the terminal cannot show is replaced, what is written is exact."""
    ascii_files = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    windows = ascii_files | {"PYTHONIOENCODING": "cp1252:strict", "MOOS_COMPRESSOR": "off"}
    text, policies = tmp_path / "text.md", tmp_path / "moos.yaml"
    text.write_text("Der Ausschuß tagte — 世界, 🍀. " * 40, encoding="utf-8")
    policies.write_text("upstreams: {e: {kind: echo}}\nteams: {a: {description: Größe}}\n", encoding="utf-8")
    moos = MOOS.removeprefix(PRETEND)
    done = {
        name: python(moos, *arguments, **windows)
        for name, arguments in {
            "demo": ("demo", str(text)),
            "check": ("policy", "check", str(policies)),
            "explain": ("policy", "explain", "-c", str(policies)),
            "compress": ("compress", str(text), "--html", str(tmp_path / "map.html")),
            "show": ("compress", str(text), "--show"),
            "json": ("compress", str(text), "--json"),
        }.items()
    }

    assert {name: each.stderr[-300:] for name, each in done.items() if each.returncode} == {}
    assert ", ?. Der Ausschu" in done["demo"].stdout
    assert "Ausschuß" in done["compress"].stdout
    assert "世" in (tmp_path / "map.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_doctor_finishes_its_round() -> None:
    done = python(MOOS, "doctor", MOOS_COMPRESSOR="off")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "[!!] event loop: no uvloop" in done.stdout


@pytest.mark.slow
def test_the_compressors_bench_does_without_a_peak() -> None:
    options = json.dumps([None, "auto", 1, 2.0])
    done = python(f"{PRETEND}\n{_CHILD}", options, text=TEXT[:2000])

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"peak_mb": None}

"""The programs that a run compares, each in a process of its own on a free loopback port."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.speed.earlier import has_package, tree_of

_START_S = 120.0
_TRIES = 5
_ALONE = {"MOOS_REDIS_URL": "", "MOOS_CACHE_DIR": ""}
"""What an earlier run has left in a shared cache is never compressed again, and no measure of this one."""


class SideError(RuntimeError):
    """A program did not come up."""


@dataclass(frozen=True, slots=True)
class Side:
    """A running server. key: what its clients send."""

    name: str
    port: int
    pid: int
    key: str = "sk-bench"

    def resident_mb(self) -> float | None:
        """Resident memory of the process and its children, in megabytes; None where /proc does not tell."""
        return self._memory_mb("VmRSS:")

    def peak_mb(self) -> float | None:
        """The most that each process has been resident, added up, in megabytes; None where /proc does not tell."""
        return self._memory_mb("VmHWM:")

    def _memory_mb(self, line: str) -> float | None:
        total = 0
        try:
            for pid in (self.pid, *_children(self.pid)):
                status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
                total += int(status.partition(line)[2].split()[0])
        except (OSError, IndexError, ValueError):
            return None
        return total / 1024

    def cpu_s(self) -> float | None:
        """Seconds of CPU that the process and its children have used; None where /proc does not tell.

        Of the processes' own totals: those hold threads and children that have ended, too.
        """
        for _ in range(_TRIES):
            try:
                ticks = sum(_ticks(pid) for pid in (self.pid, *_children(self.pid)))
                return ticks / os.sysconf("SC_CLK_TCK")
            except (
                FileNotFoundError,
                ProcessLookupError,
            ):  # a child has ended: its parent has its time
                continue
            except (OSError, IndexError, ValueError, AttributeError):
                return None
        return None


def _ticks(pid: int) -> int:
    """CPU time of a process, its ended threads and the children that it has waited for."""
    behind_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, behind_name[11:15]))


def _children(pid: int) -> list[int]:
    own = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text(encoding="utf-8").split()
    ]
    return [process for child in own for process in (child, *_children(child))]


def free_port() -> int:
    """A port that nobody else is given for a minute.

    It has carried a connection: until the kernel forgets that one, only who asks for this very port gets it.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            # Who closes first keeps the memory of the connection: this side, on the server's port.
            server.accept()[0].close()
        return port


def serve_command(port: int, *options: str, cli: str = "moosproxy.proxy.commands.cli") -> list[str]:
    """`moos serve` on this port, with these options. cli: the module of the command."""
    return [sys.executable, "-m", cli, "serve", "--port", str(port), *options]


@contextmanager
def upstream() -> Iterator[Side]:
    """The fake upstream."""
    port = free_port()
    command = [sys.executable, "-m", "moosproxy.proxy.bench.fake_upstream", str(port)]
    with running("direct", command, port, "/", os.environ) as pid:
        yield Side("direct", port, pid)


@contextmanager
def bare(upstream_port: int) -> Iterator[Side]:
    """The plainest relay of uvicorn and aiohttp, in front of the same upstream."""
    port = free_port()
    command = [sys.executable, "-m", "moosproxy.proxy.bench.bare_relay", str(port), str(upstream_port)]
    with running("bare", command, port, "/", os.environ) as pid:
        yield Side("bare", port, pid)


@contextmanager
def moosproxy(
    upstream_port: int, compressor: str, defaults: str = "{}", tree: Path | None = None
) -> Iterator[Side]:
    """One worker of this proxy in front of the upstream. defaults: of its policies, as YAML.

    tree: an earlier state of the code to run instead, named `earlier`.
    """
    port = free_port()
    name = "earlier" if tree else "moosproxy"
    with tempfile.TemporaryDirectory() as folder:
        policies = Path(folder, "policies.yaml")
        url = f"http://127.0.0.1:{upstream_port}/v1"
        policies.write_text(
            f"defaults: {defaults}\nupstreams: {{bench: {{kind: openai, base_url: '{url}', api_key: sk-bench}}}}\n"
        )
        environment = {**os.environ, "MOOS_COMPRESSOR": compressor, "MOOS_STATE_DIR": folder, **_ALONE}
        command = serve_command(port, "--config", str(policies))
        if tree is not None:
            environment["PYTHONPATH"] = str(tree)
            if not has_package(tree):
                command = serve_command(port, "--config", str(policies), cli="proxy.cli")
        with running(name, command, port, "/readyz", environment, tree) as pid:
            yield Side(name, port, pid)


@contextmanager
def earlier(ref: str | None, upstream_port: int, compressor: str, defaults: str = "{}") -> Iterator[list[Side]]:
    """The same of the code at a git ref, where one is given."""
    if ref is None:
        yield []
        return
    try:
        with tree_of(ref) as tree, moosproxy(upstream_port, compressor, defaults, tree) as side:
            yield [side]
    except CompressorError as fault:
        raise SideError(str(fault)) from None


@contextmanager
def edge_box(model: Path, window: int) -> Iterator[Side]:
    """One worker of this proxy with a GGUF model of its own, named `edge`."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        policies = Path(folder, "policies.yaml")
        upstream = {"kind": "llama_cpp", "models": {"edge": {"path": str(model.resolve()), "context": window}}}
        defaults = {"max_ratio": 100, "deadline_ms": 600_000, "min_tokens": 100, "break_even": False}
        policies.write_text(json.dumps({"defaults": defaults, "upstreams": {"local": upstream}}))
        command = serve_command(port, "--config", str(policies))
        environment = {**os.environ, "MOOS_STATE_DIR": folder, **_ALONE}
        with running("moosproxy", command, port, "/readyz", environment) as pid:
            yield Side("moosproxy", port, pid)


@contextmanager
def litellm(upstream_port: int, program: str) -> Iterator[Side]:
    """One worker of the LiteLLM proxy in front of the same upstream."""
    port, key = free_port(), f"sk-{secrets.token_hex(24)}"
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.yaml")
        config.write_text(
            "model_list:\n  - model_name: bench\n    litellm_params:\n      model: openai/bench\n"
            f"      api_base: http://127.0.0.1:{upstream_port}/v1\n      api_key: sk-bench\n"
        )
        command = [
            program,
            "--config",
            str(config),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--num_workers",
            "1",
        ]
        environment = {**os.environ, "LITELLM_MASTER_KEY": key, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        with running("litellm", command, port, "/health/liveliness", environment) as pid:
            yield Side("litellm", port, pid, key)


def find_litellm(given: str | None) -> str | None:
    """The LiteLLM proxy's program, if it is installed with its proxy extra."""
    program = given or shutil.which("litellm")
    if program is None:
        return None
    interpreter = Path(program).with_name("python")
    check = [str(interpreter), "-c", "import litellm.proxy.proxy_cli, backoff, apscheduler"]
    found = interpreter.exists() and subprocess.run(check, capture_output=True, check=False).returncode == 0  # noqa: S603
    return program if found else None


@contextmanager
def running(
    name: str,
    command: Sequence[str],
    port: int,
    path: str,
    environment: Mapping[str, str],
    folder: Path | None = None,
) -> Iterator[int]:
    """A program until the block ends. Raises SideError with the end of its output if it does not answer."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603
            command, stdout=output, stderr=subprocess.STDOUT, env=dict(environment), cwd=folder
        )
        try:
            _await(name, process, port, path)
            yield process.pid
        except SideError as fault:
            output.seek(0)
            tail = output.read().decode(errors="replace")[-2000:]
            raise SideError(f"{fault}\n{tail}") from None
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(name: str, process: subprocess.Popen[bytes], port: int, path: str) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SideError(f"{name} ended with status {process.returncode} before it answered")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise SideError(f"{name} did not answer within {_START_S:g} s")

"""A real PostgreSQL server on a free loopback port, from Debian's packages. As root it runs as `nobody`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from moosproxy.proxy.bench.sides import free_port

PASSWORD = "secret-of-the-ledger"


def _program(name: str) -> str:
    """Debian keeps them off the PATH."""
    found = shutil.which(name) or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None
    )
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install postgresql")
    return found


@contextmanager
def running() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Its URL and process."""
    pytest.importorskip("asyncpg")
    initdb, postgres = _program("initdb"), _program("postgres")
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    who = {"user": "nobody"} if as_root else {}
    folder = Path(tempfile.mkdtemp(prefix="moos-pg-"))
    try:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if as_root:
            shutil.chown(folder, "nobody")
            shutil.chown(secret, "nobody")
        data = folder / "data"
        make = [initdb, "-D", str(data), "-U", "moos", "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync"]
        subprocess.run(make, check=True, capture_output=True, cwd=folder, **who)
        port = free_port()
        command = [postgres, "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder), "-F"]
        server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who)
        try:
            url = f"postgresql://moos:{PASSWORD}@127.0.0.1:{port}/postgres"
            _wait(port, server)
            yield url, server
        finally:
            if server.poll() is None:
                stop(server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def stop(server: subprocess.Popen[bytes]) -> None:
    """At once: on SIGTERM it would wait until every client has left."""
    server.send_signal(signal.SIGINT)
    server.wait(20)


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    ready = [_program("pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"]
    give_up = time.monotonic() + 60
    while subprocess.run(ready, check=False).returncode:
        assert server.poll() is None, "the server ended"
        assert time.monotonic() < give_up, "the server did not come up"
        time.sleep(0.1)

"""`moos serve`: checks what can be checked before a port is opened, then runs the server."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import ValidationError

if TYPE_CHECKING:
    from moosproxy.policies.resolve import PolicySet
    from moosproxy.proxy.connections.lobby import Lobby
    from moosproxy.proxy.settings import Settings

_USAGE = 2
_ROOM = 32 * 1024 * 1024  # bytes: a file of a megabyte for each kind of metric and worker, and some to grow


@click.command()
@click.option("--config", "policies", type=click.Path(path_type=Path), help="Policy file or folder.")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.  [default: 8686]")
@click.option("--workers", type=click.IntRange(1), help="Worker processes.  [default: 1]")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="[default: info]")
def serve(
    policies: Path | None, host: str | None, port: int | None, workers: int | None, log_level: str | None
) -> None:
    """Start the proxy. Every option can be set in the environment, too: MOOS_HOST, MOOS_PORT, MOOS_POLICIES..."""
    given = {"POLICIES": policies, "HOST": host, "PORT": port, "WORKERS": workers, "LOG_LEVEL": log_level}
    for name, value in given.items():
        if value is not None:
            os.environ[f"MOOS_{name}"] = str(value)  # worker processes read it from there
    settings, in_force = _checked()
    if in_force.has_keys:
        os.environ["MOOS_REQUIRE_KEYS"] = "true"  # a worker that is started anew must not come up without them
    listening = bound(settings)
    _announce(settings, in_force, listening.getsockname()[1])
    sys.stderr.flush()
    run(settings, listening, "moosproxy.proxy.commands.serve:worker_app")


def _checked() -> tuple[Settings, PolicySet]:
    """Settings and policies; ends the program with status 2 and the fix if either cannot be used."""
    from moosproxy.policies.faults import PolicyError
    from moosproxy.proxy.opening.policies import objection, read_policies
    from moosproxy.proxy.settings import Settings

    try:
        settings = Settings()
        in_force = read_policies(settings)
    except ValidationError as fault:
        lines = (f"MOOS_{'_'.join(map(str, error['loc'])).upper()}: {error['msg']}" for error in fault.errors())
        give_up("\n".join(lines))
    except PolicyError as fault:
        give_up(str(fault))
    reason = objection(settings, in_force)
    if reason is not None:
        give_up(reason)
    return settings, in_force


def give_up(reason: str) -> Any:
    """Ends the program with the status of a wrong use."""
    click.echo(f"moos {click.get_current_context().info_name}: {reason}", err=True)
    raise SystemExit(_USAGE)


def bound(settings: Settings) -> socket.socket:
    """A socket that has its address and does not listen yet; ends the program where it cannot have it."""
    host, port = settings.host, settings.port
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if sys.platform != "win32":  # there it would take an address away from its owner
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as fault:
        sock.close()
        if fault.errno == errno.EADDRINUSE:
            give_up(f"port {port} on {host} is in use: stop what listens there, or take another with --port")
        if fault.errno == errno.EACCES:
            give_up(f"port {port} needs more rights than this user has: take one above 1023 with --port")
        give_up(f"cannot listen on {host}, port {port} ({fault.strerror}): see --host and --port")
    sock.set_inheritable(True)
    return sock


def _announce(settings: Settings, in_force: PolicySet, port: int) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    page = f", its page on http://{host}:{port}/ui" if settings.ui == "on" else ""
    click.echo(f"moosproxy on http://{host}:{port}/v1{page}", err=True)
    if {upstream.kind for upstream in in_force.upstreams.values()} == {"echo"}:
        rule = "=" * 76
        text = (
            f"{rule}\nECHO ONLY: no upstream is configured, so NOTHING GOES TO A MODEL. Each answer is the\n"
            "prompt that would have been sent. Set OPENAI_API_KEY, or name policies with\n"
            f"`moos serve --config FILE`, to reach a model.\n{rule}"
        )
        click.secho(text, fg="yellow", bold=True, err=True)


def run(settings: Settings, listening: socket.socket, app: str) -> None:
    """The server, until it is told to end. app: the place of a worker's application, made anew in each."""
    import uvicorn

    from moosproxy.proxy.commands.ending import Workers
    from moosproxy.proxy.log import configure_logging

    options: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "date_header": False,
        "proxy_headers": False,
        "http": "moosproxy.proxy.connections.protocol:BoundedProtocol",
        "ws": "none",  # the API has none, and another protocol would have no bounds
        "timeout_keep_alive": settings.idle_timeout_s,
        "timeout_graceful_shutdown": settings.drain_s,
        "timeout_worker_healthcheck": 15,  # the time to start in, too: on a busy machine the model takes its while
        "factory": True,
    }
    if settings.workers == 1:
        configure_logging(settings.log_level)
        _end_on_hangup()
        with suppress(KeyboardInterrupt):  # which the server raises again once it has ended
            uvicorn.Server(uvicorn.Config(app, **options)).run(sockets=[listening])
        return
    # Windows removes no file that a worker still closes: what is left then is the temporary folder's to clear.
    with tempfile.TemporaryDirectory(prefix="moos-workers-", ignore_cleanup_errors=True) as folder:
        _share(settings, Path(folder))
        Workers(uvicorn.Config(app, workers=settings.workers, **options), sockets=[listening]).run()


def _end_on_hangup() -> None:
    """A lone worker cannot be renewed: on SIGHUP it ends as on SIGTERM, its streams first, instead of at once."""
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))


def _share(settings: Settings, folder: Path) -> None:
    """What workers share lies in a folder that only this user enters; they read its place from the environment."""
    metrics, cache = folder / "metrics", folder / "cache"
    metrics.mkdir()
    cache.mkdir()
    if shutil.disk_usage(folder).free >= _ROOM:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)  # before the workers import the client library
    else:  # files in memory that cannot grow end the process that writes to them
        text = (
            f"moos serve: {folder} has no room: /metrics tells of one worker at a time; free some, or set TMPDIR"
        )
        click.echo(text, err=True)
    if settings.redis_url is None and settings.cache_dir is None:
        os.environ["MOOS_CACHE_DIR"] = str(cache)


def worker_app() -> Any:
    """The application of one worker process."""
    from moosproxy.proxy.app import create_app

    settings, started = begin_worker()
    return create_app(settings, on_started=started)


def begin_worker() -> tuple[Settings, Callable[[Lobby], None]]:
    """What every worker does first, and what it does once everything is loaded."""
    from moosproxy.proxy.commands.ending import end_gracefully
    from moosproxy.proxy.commands.interpreter import freeze, tune_interpreter
    from moosproxy.proxy.connections.lobby import raise_file_limit
    from moosproxy.proxy.log import configure_logging
    from moosproxy.proxy.settings import Settings

    settings = Settings()
    shared = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    configure_logging(settings.log_level, Path(shared) if shared else None)
    raise_file_limit()
    tune_interpreter()

    def started(lobby: Lobby) -> None:
        freeze()
        end_gracefully(lobby, settings.unready_s)

    return settings, started

"""`moos serve-compressor`: checks what can be checked before a port is opened, then serves the compressor."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click
from pydantic import ValidationError

from moosproxy.proxy.commands.serve import begin_worker, bound, give_up, run

if TYPE_CHECKING:
    from moosproxy.proxy.settings import Settings

PORT = 8687


@click.command("serve-compressor")
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Port to listen on.")
@click.option("--workers", type=click.IntRange(1), help="Processes, each with a model of its own.  [default: 1]")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="[default: info]")
def serve_compressor(host: str | None, port: int, workers: int | None, log_level: str | None) -> None:
    """Serve the compressor to proxies that name this address in MOOS_COMPRESSOR_URL."""
    settings = _checked({"HOST": host, "PORT": port, "WORKERS": workers, "LOG_LEVEL": log_level})
    listening = bound(settings)
    name = f"[{settings.host}]" if ":" in settings.host else settings.host
    click.echo(f"compressor tier on http://{name}:{listening.getsockname()[1]}", err=True)
    sys.stderr.flush()
    run(settings, listening, f"{__name__}:worker_app")


def _checked(given: dict[str, Any]) -> Settings:
    """The settings; ends the program with status 2 and the fix if they cannot be used."""
    from moosproxy.proxy.connections.neighbours import is_loopback
    from moosproxy.proxy.settings import Settings

    for name, value in given.items():
        if value is not None:
            os.environ[f"MOOS_{name}"] = str(value)  # worker processes read it from there
    try:
        settings = Settings()
    except ValidationError as fault:
        lines = (f"MOOS_{'_'.join(map(str, error['loc'])).upper()}: {error['msg']}" for error in fault.errors())
        give_up("\n".join(lines))
    if settings.compressor_key is None and not is_loopback(settings.host):
        give_up(f"{settings.host} is not loopback: set MOOS_COMPRESSOR_KEY here and for the proxies")
    return settings


def worker_app() -> Any:
    """The application of one worker process."""
    from moosproxy.proxy.opening.serving import TierApp

    settings, started = begin_worker()
    return TierApp(settings, on_started=started)

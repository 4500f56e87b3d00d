"""`moos serve-compressor`: checks what can be checked before a port is opened, then serves the compressor."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
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
@click.option("--ray", "on_ray", is_flag=True, help="As a deployment of Ray Serve (extra `ray`).")
@click.option("--address", help="Of the Ray cluster, or `auto`: it stays there. Without one Ray starts here.")
@click.option("--replicas", default=1, show_default=True, type=click.IntRange(1), help="On Ray: at least so many.")
@click.option("--most-replicas", type=click.IntRange(1), help="On Ray: at most so many, as tokens wait.")
@click.option("--tokens-per-replica", default=20_000, show_default=True, help="On Ray: that may wait for one.")
@click.option("--cpus", default=1.0, show_default=True, help="On Ray: of one replica.")
@click.option("--gpus", default=0.0, show_default=True, help="On Ray: of one replica.")
def serve_compressor(
    host: str | None,
    port: int,
    workers: int | None,
    log_level: str | None,
    on_ray: bool,
    address: str | None,
    replicas: int,
    most_replicas: int | None,
    tokens_per_replica: int,
    cpus: float,
    gpus: float,
) -> None:
    """Serve the compressor to proxies that name this address in MOOS_COMPRESSOR_URL."""
    settings = _checked({"HOST": host, "PORT": port, "WORKERS": workers, "LOG_LEVEL": log_level})
    if on_ray:
        _on_ray(settings, address, replicas, most_replicas or replicas, tokens_per_replica, cpus, gpus)
        return
    listening = bound(settings)
    name = f"[{settings.host}]" if ":" in settings.host else settings.host
    click.echo(f"compressor tier on http://{name}:{listening.getsockname()[1]}", err=True)
    sys.stderr.flush()
    run(settings, listening, f"{__name__}:worker_app")


def _on_ray(
    settings: Settings, address: str | None, least: int, most: int, tokens: int, cpus: float, gpus: float
) -> None:
    """On a cluster that is there it stays, and this program ends; a cluster of its own ends with it."""
    from moosproxy.proxy.opening import on_ray

    if most < least:
        give_up("--most-replicas is less than --replicas")
    try:
        on_ray.deploy(address, settings, on_ray.Scale(least, most, tokens, cpus, gpus))
    except ImportError:
        give_up("Ray is not installed: pip install 'moosproxy[ray]'")
    except ConnectionError as fault:
        give_up(
            f"no Ray cluster at {address}: start one with `ray start --head`, or leave out --address ({fault})"
        )
    click.echo(f"compressor tier on port {settings.port} of every machine of the cluster", err=True)
    if address is None:
        with suppress(KeyboardInterrupt):
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
        on_ray.withdraw()


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

"""`moos wrap`: starts a tool with its requests going through this proxy, and says at its end what that saved."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from moosproxy.proxy.commands.clients import CLIENTS, Client

_TOOLS = [name for name, client in CLIENTS.items() if client.program]
_PATIENCE_S = 2.0


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "--base-url", envvar="MOOS_BASE_URL", help="A proxy that runs already, such as http://127.0.0.1:8686."
)
@click.option(
    "--config", type=click.Path(path_type=Path, exists=True), help="Policies of a proxy that is started."
)
@click.argument("tool", type=click.Choice(_TOOLS))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def wrap(base_url: str | None, config: Path | None, tool: str, arguments: tuple[str, ...]) -> None:
    """Start TOOL with its requests through the proxy: `moos wrap codex -- exec "explain this repository"`.

    Takes the proxy at --base-url, else starts one for as long as the tool runs, with the keys in this environment
    (OPENAI_API_KEY, ANTHROPIC_API_KEY). Ends with the tool's own status.
    """
    client = CLIENTS[tool]
    program = shutil.which(client.program or tool)
    if program is None:
        raise click.UsageError(f"{client.program} is not installed, or not in PATH")
    with _proxy(base_url, config) as root:
        before = _tokens(root)
        status = _run([program, *client.arguments(root), *_own(arguments)], client, root)
        told = _told(before, _tokens(root))
    click.echo(f"moos: {told}", err=True)
    raise SystemExit(status)


def _own(arguments: tuple[str, ...]) -> list[str]:
    """What the tool gets: all behind the first --."""
    return list(arguments[1:] if arguments[:1] == ("--",) else arguments)


@contextmanager
def _proxy(base_url: str | None, config: Path | None) -> Iterator[str]:
    """Where the proxy listens, without /v1."""
    if base_url is not None:
        root = base_url.rstrip("/").removesuffix("/v1")
        try:
            urllib.request.urlopen(f"{root}/healthz", timeout=_PATIENCE_S).close()  # noqa: S310
        except (OSError, ValueError) as fault:
            raise click.ClickException(f"no proxy answers at {root}: {fault}") from None
        yield root
        return
    from moosproxy.proxy.bench.sides import SideError, free_port, running, serve_command

    port = free_port()
    options = ["--config", str(config)] if config else []
    try:
        with running("moos serve", serve_command(port, *options), port, "/healthz", os.environ):
            yield f"http://127.0.0.1:{port}"
    except SideError as fault:
        raise click.ClickException(str(fault)) from None


def _run(command: list[str], client: Client, root: str) -> int:
    """The tool's status."""
    tool = subprocess.Popen(command, env={**os.environ, **client.environment(root)})  # noqa: S603
    while True:
        with suppress(KeyboardInterrupt):  # Ctrl+C is the tool's to take: it has it from the terminal
            return tool.wait()


def _tokens(root: str) -> dict[str, float] | None:
    """Tokens of texts before and after, so far; None where the proxy does not tell."""
    key = os.environ.get("OPENAI_API_KEY") or os.environ.get("ANTHROPIC_API_KEY") or "any"
    request = urllib.request.Request(f"{root}/metrics", headers={"authorization": f"Bearer {key}"})  # noqa: S310
    found = {"before": 0.0, "after": 0.0}
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310
            for line in answer.read().decode().splitlines():
                name, _, value = line.rpartition(" ")
                for when in found:
                    if name.startswith("moos_tokens_total{") and f'when="{when}"' in name:
                        with suppress(ValueError):
                            found[when] += float(value)
    except (OSError, ValueError):
        return None
    return found


def _told(before: dict[str, float] | None, after: dict[str, float] | None) -> str:
    if before is None or after is None:
        return "the proxy does not tell what was saved: /metrics needs a key of it in OPENAI_API_KEY"
    came, sent = (after[when] - before[when] for when in ("before", "after"))
    if not came:
        return "no text was looked at: did the tool use another address? see `moos doctor --client`"
    return f"{came:,.0f} tokens of texts, {sent:,.0f} sent on: {1 - sent / came:.0%} saved"

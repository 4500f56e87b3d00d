"""`moos demo`: a real document through the proxy with the official `openai` client: before, after, saved."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import click

_SHOWN = 900
# A first compression on a busy machine may take long; a demo had better wait for it.
_POLICIES = "upstreams: {echo: {kind: echo}}\ndefaults: {deadline_ms: 60000}\n"
_QUESTION = "\n\nQuestion: Why did the nightly import stop, and what must be done before it is switched on again?"


@click.command()
@click.argument("document", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--base-url", help="A proxy that runs already, such as http://127.0.0.1:8686/v1.")
@click.option("--api-key", default="any", help="A key of that proxy, if it needs one.")
@click.option("--model", default="demo", show_default=True, help="The model to name in the request.")
@click.option("--ratio", type=click.FloatRange(1), help="Ask for this ratio.")
@click.option("--full", is_flag=True, help="Print both texts whole.")
def demo(
    document: Path | None, base_url: str | None, api_key: str, model: str, ratio: float | None, full: bool
) -> None:
    """Send a document through the proxy and show what is left of it.

    Without --base-url a proxy of its own is started, with the echo upstream: it answers with the prompt that
    it would have sent, and nothing leaves this machine.
    """
    text = document.read_text() if document else _bundled() + _QUESTION
    if base_url is not None:
        _show(text, base_url, api_key, model, ratio, full=full)
        return
    with _own_proxy() as url:
        _show(text, url, api_key, model, ratio, full=full)


def _bundled() -> str:
    return files("moosproxy.proxy.commands").joinpath("demo_document.md").read_text(encoding="utf-8")


def _show(text: str, base_url: str, api_key: str, model: str, ratio: float | None, *, full: bool) -> None:
    from openai import OpenAI, OpenAIError

    headers = {} if ratio is None else {"x-moos-ratio": f"{ratio:g}"}
    try:
        with OpenAI(base_url=base_url, api_key=api_key, timeout=120, max_retries=0) as client:
            raw = client.chat.completions.with_raw_response.create(
                model=model, messages=[{"role": "user", "content": text}], extra_headers=headers
            )
            answer = raw.parse()
    except OpenAIError as fault:
        raise click.ClickException(f"{type(fault).__name__}: {fault}") from None
    after = answer.choices[0].message.content or ""
    _section("before", text, full=full)
    _section("answer (echo: the prompt as it would have gone out)", after, full=full)
    _report(dict(raw.headers))


def _section(title: str, text: str, *, full: bool) -> None:
    click.secho(f"--- {title}: {len(text)} characters", bold=True)
    if full or len(text) <= _SHOWN:
        click.echo(text)
    else:
        click.echo(f"{text[: _SHOWN * 2 // 3]}\n[...]\n{text[-_SHOWN // 3 :]}")


def _report(headers: dict[str, str]) -> None:
    before, after = (int(headers.get(f"x-moos-tokens-{when}", 0)) for when in ("before", "after"))
    saved = f"{(1 - after / before):.0%}" if before else "0%"
    click.secho(
        f"--- tokens: {before} before, {after} after, {before - after} saved ({saved}), "
        f"ratio {headers.get('x-moos-ratio', '1')}, {headers.get('x-moos-compression-ms', '0')} ms",
        bold=True,
    )
    if "x-moos-skipped" in headers:
        click.echo(f"left alone: {headers['x-moos-skipped']} (message=reason); see `moos doctor`")


@contextmanager
def _own_proxy() -> Iterator[str]:
    """A proxy with the echo upstream on a free port, for as long as it is needed."""
    from moosproxy.proxy.bench.sides import SideError, free_port, running, serve_command

    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MOOS_", "OPENAI_"))}
    if "MOOS_CHECKPOINT" in os.environ:
        environment["MOOS_CHECKPOINT"] = os.environ["MOOS_CHECKPOINT"]
    with TemporaryDirectory() as folder:
        policies = Path(folder, "moos.yaml")
        policies.write_text(_POLICIES)
        try:
            with running(
                "moos serve", serve_command(port, "--config", str(policies)), port, "/healthz", environment
            ):
                yield f"http://127.0.0.1:{port}/v1"
        except SideError as fault:
            raise click.ClickException(str(fault)) from None

"""`moos doctor`: what works, what is missing, and what to do about it."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from moosproxy.policies.extras import missing_extra
from moosproxy.proxy.commands.clients import CLIENTS
from moosproxy.proxy.commands.doctor.local import local_models
from moosproxy.proxy.commands.doctor.soft import soft_models
from moosproxy.proxy.observing.readiness import Check, State

if TYPE_CHECKING:
    from moosproxy.policies.model import Upstream
    from moosproxy.policies.resolve import PolicySet
    from moosproxy.proxy.scheduling.scheduler import ServiceLike
    from moosproxy.proxy.settings import Settings

_MARKS: dict[State, tuple[str, str]] = {
    "ok": ("ok", "green"),
    "off": ("--", "white"),
    "degraded": ("!!", "yellow"),
    "missing": ("XX", "red"),
}
_PATIENCE_S = 5.0


@click.command()
@click.option("--config", "policies", type=click.Path(path_type=Path), help="Policy file or folder.")
@click.option("--client", type=click.Choice([*CLIENTS]), help="Say what to set in this client instead.")
def doctor(policies: Path | None, client: str | None) -> None:
    """Say what works and what is missing. Exits with 1 if the proxy could not do its job."""
    if client is not None:
        click.echo(CLIENTS[client].steps.format(root="http://127.0.0.1:8686"))
        return
    if policies is not None:
        os.environ["MOOS_POLICIES"] = str(policies)
    worst = 0
    for name, check in _checks():
        mark, colour = _MARKS[check.state]
        click.echo(f"{click.style(f'[{mark}]', fg=colour)} {name}{': ' + check.detail if check.detail else ''}")
        worst |= check.state == "missing"
    raise SystemExit(worst)


def _checks() -> Iterator[tuple[str, Check]]:
    yield "python", Check("ok", f"{sys.version.split()[0]} on {sys.platform}")
    settings = _settings()
    if isinstance(settings, Check):
        yield "settings", settings
        return
    yield "settings", Check("ok", f"listens on {settings.host}:{settings.port}")
    yield "state folder", _state(settings)
    if _hint(settings):
        yield "network", Check("degraded", _hint(settings))
    in_force = _policies(settings)
    if isinstance(in_force, Check):
        yield "policies", in_force
    else:
        yield "policies", _reachable(settings, in_force)
        for upstream in in_force.upstreams.values():
            if upstream.kind == "llama_cpp":
                yield from local_models(settings, upstream)
            elif upstream.kind == "transformers":
                yield from soft_models(settings, upstream)
                if upstream.soft_wire is not None:
                    server = upstream.model_copy(update={"kind": "openai"})
                    yield f"upstream {upstream.name}", asyncio.run(_upstream(settings, server))
            else:
                yield f"upstream {upstream.name}", asyncio.run(_upstream(settings, upstream))
    yield "checkpoint", _guarded(lambda: asyncio.run(_checkpoint(settings)))
    yield "shared cache", _guarded(lambda: asyncio.run(_shared_cache(settings)))
    yield "event loop", _event_loop()
    yield "litellm", _litellm()


def _settings() -> Settings | Check:
    from pydantic import ValidationError

    from moosproxy.proxy.settings import Settings

    try:
        return Settings()
    except ValidationError as fault:
        names = ", ".join(f"MOOS_{str(error['loc'][0]).upper()} {error['msg']}" for error in fault.errors())
        return Check("missing", names)


def _hint(settings: Settings) -> str:
    from moosproxy.proxy.settings import proxy_hint

    return proxy_hint(settings)


def _state(settings: Settings) -> Check:
    from moosproxy.proxy.opening.policies import folder_check

    return folder_check(settings)


def _policies(settings: Settings) -> PolicySet | Check:
    from moosproxy.policies.faults import PolicyError
    from moosproxy.proxy.opening.policies import read_policies

    try:
        return read_policies(settings)
    except PolicyError as fault:
        return Check("missing", str(fault))


def _reachable(settings: Settings, in_force: PolicySet) -> Check:
    from moosproxy.proxy.routes.auth import refusal

    reason = refusal(settings.host, in_force)
    if reason is not None:
        return Check("missing", reason)
    source = str(settings.policies) if settings.policies else "built-in defaults (no --config, no MOOS_POLICIES)"
    keys = "requests need a key" if in_force.has_keys else "no keys: loopback only"
    return Check("ok", f"{source}; {keys}")


async def _upstream(settings: Settings, upstream: Upstream) -> Check:
    """Asks for the list of models. An answer of any kind shows that the address is right."""
    if upstream.kind == "echo":
        return Check("degraded", "echo: nothing goes to a model; set OPENAI_API_KEY or configure an upstream")
    if upstream.kind == "litellm":
        missing = missing_extra(upstream.kind)
        return Check("missing", missing) if missing else Check("ok", "litellm: reached with the first request")
    from moosproxy.proxy.settings import proxy_hint
    from moosproxy.proxy.upstreams.base import Call, UpstreamFault
    from moosproxy.proxy.upstreams.relay import RelayClient, RelaySession

    hint = f"; {found}" if (found := proxy_hint(settings)) else ""
    async with RelaySession(trust_env=settings.trust_env, ca_bundle=settings.ca_bundle) as session:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                version = [("anthropic-version", "2023-06-01")] if upstream.kind == "anthropic" else []
                answer = await RelayClient(upstream, session).send(Call("GET", "/models", "", version, b""))
                await answer.close()
        except UpstreamFault as fault:
            return Check("missing", f"{fault.detail}{hint}")
        except TimeoutError:
            return Check("missing", f"{upstream.base_url} says nothing within {_PATIENCE_S:g} s{hint}")
    if answer.status in (401, 403):
        return Check("degraded", f"{upstream.base_url} refuses the key (status {answer.status}); see its api_key")
    if answer.status in (404, 405, 501):
        text = (
            f"{upstream.base_url} answers, but knows no /models (status {answer.status}): "
            "check that base_url ends where /chat/completions or /messages begins, as in https://api.openai.com/v1"
        )
        return Check("degraded", text)
    if answer.status >= 300:
        return Check("degraded", f"{upstream.base_url} answers with status {answer.status}: see its own log")
    return Check("ok", f"{upstream.base_url} answers with status {answer.status}")


async def _checkpoint(settings: Settings) -> Check:
    from moosproxy.proxy.opening.compression import open_compression

    async with AsyncExitStack() as stack:
        compression = await open_compression(
            settings.model_copy(update={"redis_url": None, "cache_dir": None}), None, stack
        )
        if compression.service is None:
            return compression.checkpoint
        pace = await _pace(compression.service)
        return Check("ok", f"{compression.checkpoint.detail}, {pace:,.0f} tokens/s")


async def _pace(service: ServiceLike) -> float:
    """Tokens of a real document that are compressed a second, here and now."""
    from importlib.resources import files

    from moosproxy.compressor import CompressionSettings

    text = files("moosproxy.proxy.commands").joinpath("demo_document.md").read_text(encoding="utf-8")
    began = time.monotonic()
    result = await service.compress(text, CompressionSettings(), None, began + 600)
    return result.tokens_before / (time.monotonic() - began)


async def _shared_cache(settings: Settings) -> Check:
    if settings.redis_url is not None:
        return await _redis(settings.redis_url.get_secret_value())
    if settings.cache_dir is not None:
        return await _cache_file(settings.cache_dir, str(settings.cache_dir))
    try:
        with tempfile.TemporaryDirectory(prefix="moos-doctor-") as folder:
            return await _cache_file(Path(folder), tempfile.gettempdir())
    except OSError as fault:
        return Check("degraded", f"no temporary folder ({fault}): `moos serve --workers` needs one; set TMPDIR")


async def _cache_file(folder: Path, place: str) -> Check:
    """Opens it as a worker would."""
    from moosproxy.proxy.cache.file_cache import FileCache

    cache = FileCache(folder)
    try:
        works = await cache.connect()
    finally:
        await cache.aclose()
    if works:
        return Check("ok", f"workers share a file in {place}; several machines need MOOS_REDIS_URL")
    return Check(
        "degraded",
        f"no cache file can be kept in {place}: each worker caches for itself; "
        "name a folder on a local disk that can be written, as MOOS_CACHE_DIR or TMPDIR",
    )


async def _redis(url: str) -> Check:
    from moosproxy.proxy.observing.redis_ping import ping

    reason = await ping(url)
    if reason is not None:
        return Check("degraded", f"{reason}; each worker caches for itself")
    return Check("ok", "redis answers")


def _event_loop() -> Check:
    if find_spec("uvloop"):
        return Check("ok", "uvloop")
    if sys.platform == "win32":
        return Check("off", "asyncio's: there is no uvloop for Windows")
    return Check("degraded", "no uvloop: pip install 'uvicorn[standard]' makes the proxy about twice as fast")


def _litellm() -> Check:
    if find_spec("litellm"):
        return Check("ok")
    return Check(
        "off", "not installed; only upstreams of kind litellm need it: pip install 'moosproxy[providers]'"
    )


def _guarded(check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as fault:  # the doctor must finish the round whatever is broken
        return Check("missing", f"{type(fault).__name__}: {fault}")

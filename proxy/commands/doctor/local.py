"""What `moos doctor` says about models on this machine: llama.cpp, the file, its memory, the break-even."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from moosproxy.proxy.observing.readiness import Check

if TYPE_CHECKING:
    from moosproxy.policies.model import Upstream
    from moosproxy.proxy.rewriting.break_even import Figures
    from moosproxy.proxy.settings import Settings

_RATIOS = (2.0, 4.0)
_MB = 1024 * 1024


def local_models(settings: Settings, upstream: Upstream) -> Iterator[tuple[str, Check]]:
    """One line a model. Measures what has not been measured yet, which takes some seconds."""
    if importlib.util.find_spec("llama_cpp") is None:
        text = "llama-cpp-python is not installed: pip install 'moosproxy[local]' (builds llama.cpp, some minutes)"
        yield f"upstream {upstream.name}", Check("missing", text)
        return
    for name in upstream.models:
        yield f"model {name}", asyncio.run(_model(settings, upstream, name))


async def _model(settings: Settings, upstream: Upstream, name: str) -> Check:
    from moosproxy.proxy.opening.compression import open_compression
    from moosproxy.proxy.rewriting.break_even import BreakEven
    from moosproxy.proxy.upstreams.llama_cpp.client import LlamaCppClient
    from moosproxy.proxy.upstreams.local.faults import ModelFault

    async with AsyncExitStack() as stack:
        client = LlamaCppClient(upstream)
        stack.push_async_callback(client.aclose)
        try:
            file, spec = await client.models.described(name)
            need = sum(file.memory(spec.context, spec.conversations, spec.kv)) // _MB
            offline = settings.model_copy(update={"redis_url": None, "cache_dir": None})
            compression = await open_compression(offline, None, stack)
            figures = await BreakEven(compression.service, settings.state_dir).figures(client, name)
        except ModelFault as fault:
            return Check("missing", fault.message)
    window = min(spec.context, file.trained)
    about = f"{file.path.name}, {window} tokens, about {need} MB, threads {spec.threads} and {spec.batch_threads}"
    return Check("ok", f"{about}; {_told(figures)}")


def _told(figures: Figures | None) -> str:
    if figures is None:
        return "break-even not measured: there is no compressor"
    least = [(ratio, figures.least(ratio)) for ratio in _RATIOS]
    worth = ", ".join(
        f"never at {ratio:g}x" if tokens is None else f"from {tokens} tokens on at {ratio:g}x"
        for ratio, tokens in least
    )
    return (
        f"break-even: the model reads {figures.read_per_s:.0f} tokens/s, the compressor "
        f"{figures.compressed_per_s:.0f}; worth it {worth}"
    )

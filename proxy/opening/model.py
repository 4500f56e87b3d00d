"""Loads the compressor of this process, and puts its queue before it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from moosproxy.compressor.errors import CompressorError
from moosproxy.proxy.log import LOG
from moosproxy.proxy.observing.readiness import Check
from moosproxy.proxy.scheduling.scheduler import CompressionService, CompressorLike
from moosproxy.proxy.settings import Settings

_FIRST_TEXT = "The import of 2024 stopped at line 17, because the disk was full. Nobody noticed until Monday. " * 8


async def load_compressor(settings: Settings, stack: AsyncExitStack) -> tuple[CompressorLike | None, Check]:
    """The checkpoint that the settings name, ready for its first text. The stack closes it.

    One that cannot be loaded is no error: the check says why.
    """
    try:
        from moosproxy.compressor import Compressor  # brings the engine's libraries into memory

        def load() -> Compressor:
            compressor = Compressor.load(
                settings.checkpoint,
                engine=settings.engine,
                threads=settings.compressor_threads or None,
                calibration=settings.calibration,
            )
            compressor.compress(_FIRST_TEXT)  # tables, tokenizer and engine are made ready by the first text
            return compressor

        compressor = await asyncio.to_thread(load)
    except (CompressorError, ImportError, OSError) as fault:
        LOG.error("no compressor: nothing is compressed", extra={"fields": {"reason": str(fault)}})
        return None, Check("missing", str(fault))
    stack.callback(compressor.close)
    engine = f"engine {compressor.engine.name}, {compressor.engine.kernels}"
    return compressor, Check("ok", f"fingerprint {compressor.fingerprint[:12]}, {engine}")


def open_service(settings: Settings, compressor: CompressorLike, stack: AsyncExitStack) -> CompressionService:
    """The queue before a compressor. The stack closes it."""
    engine = getattr(compressor, "engine", None)
    grain = {"threads": engine.calls, "batch_windows": engine.windows} if engine is not None else {}
    service = CompressionService(compressor, settings.max_queued_tokens, **grain)
    stack.push_async_callback(service.aclose)
    return service

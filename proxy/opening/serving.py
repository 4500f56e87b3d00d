"""A replica of the compressor tier as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.routing import Router

from moosproxy.proxy.connections.lobby import STATE, Lobby, open_lobby
from moosproxy.proxy.opening.model import load_compressor, open_service
from moosproxy.proxy.scheduling.scheduler import CompressorLike
from moosproxy.proxy.settings import Settings
from moosproxy.proxy.tier.serving import Tier, calibration_of


class TierApp:
    """Nothing is loaded before its lifespan starts."""

    def __init__(
        self,
        settings: Settings,
        compressor: CompressorLike | None = None,
        on_started: Callable[[Lobby], None] | None = None,
    ) -> None:
        """compressor: instead of the checkpoint that the settings name; the caller closes it.

        on_started: called once everything is loaded, before the first request.
        """
        self._settings = settings
        self._compressor = compressor
        self._on_started = on_started
        self._router = Router(lifespan=self._lifespan)
        self.lobby = open_lobby(settings)
        self.tier: Tier | None = None
        """While the lifespan lasts."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The lifespan and HTTP requests."""
        if scope["type"] == "lifespan":
            await self._router.lifespan(scope, receive, send)
            return
        if self.tier is None:
            raise RuntimeError("the application has not started: its server must run the lifespan")
        await self.tier(scope, receive, send)

    @asynccontextmanager
    async def _lifespan(self, _: Any) -> AsyncIterator[dict[str, Any]]:
        async with AsyncExitStack() as stack:
            self.tier = await self.open(stack)
            await stack.enter_async_context(self.lobby.watched())
            if self._on_started is not None:
                self._on_started(self.lobby)
            try:
                yield {STATE: self.lobby}
            finally:
                self.tier = None

    async def open(self, stack: AsyncExitStack) -> Tier:
        """The model and its queue. Raises RuntimeError where the checkpoint cannot be loaded."""
        settings, compressor = self._settings, self._compressor
        if compressor is None:
            compressor, check = await load_compressor(settings, stack)
            if compressor is None:
                raise RuntimeError(f"no compressor to serve: {check.detail}")
        key = settings.compressor_key.get_secret_value() if settings.compressor_key else None
        return Tier(
            open_service(settings, compressor, stack),
            calibration_of(compressor),
            key=key,
            max_body_bytes=settings.max_body_bytes,
            max_bytes_in_flight=settings.max_bytes_in_flight,
            draining=lambda: self.lobby.draining,
        )

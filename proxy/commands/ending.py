"""How `moos serve` ends: unready, then closed to new connections, then done; at once if told twice."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from uvicorn.server import HANDLED_SIGNALS
from uvicorn.supervisors import Multiprocess

from moosproxy.proxy.connections.lobby import Lobby

Handle = Callable[[int, FrameType | None], Any]


def end_gracefully(lobby: Lobby, unready_s: float) -> None:
    """Puts itself before the server's own handlers of signals. Called in the main thread, on the running loop.

    unready_s: seconds between a SIGTERM and the end of listening, in which /readyz says unready: whoever balances
    loads looks there. Ctrl-C does not wait.
    """
    loop = asyncio.get_running_loop()
    for number in HANDLED_SIGNALS:
        servers = signal.getsignal(number)
        if callable(servers):
            signal.signal(number, _handler(lobby, loop, servers, unready_s))


def _handler(lobby: Lobby, loop: asyncio.AbstractEventLoop, servers: Handle, unready_s: float) -> Handle:
    # A worker gets the terminal's signal and its parent's: only the parent knows what was meant twice.
    alone = multiprocessing.parent_process() is None

    def handle(number: int, frame: FrameType | None) -> None:
        if lobby.draining:
            if alone:
                os._exit(128 + number)
            return
        lobby.draining = True
        if number == signal.SIGTERM:
            loop.call_soon_threadsafe(loop.call_later, unready_s, servers, number, None)
        else:
            servers(number, frame)

    return handle


class Workers(Multiprocess):
    """uvicorn's worker processes, which a second signal ends at once."""

    def join_all(self) -> None:
        """Waits for the workers to end by themselves, while nobody insists."""
        for worker in self.processes:
            while worker.process.is_alive() and not self.signal_queue:
                worker.process.join(0.1)
        if self.signal_queue:
            for worker in self.processes:
                worker.process.kill()
        super().join_all()

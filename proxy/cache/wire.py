"""Commands to Redis, gathered: what many requests want at the same time travels in one pipeline.

Few connections suffice, and a burst of new texts does not have to open one for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moosproxy.proxy.cache.redis.clients import close_client, open_client
from moosproxy.proxy.cache.shared import BACKGROUND_S

Command = tuple[bytes | str | int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    commands: Sequence[Command]
    replies: asyncio.Future[list[Any]]


class Wire:
    """At most `connections` pipelines at a time; what comes meanwhile waits for the next one and shares it."""

    def __init__(self, url: str, connections: int) -> None:
        """url: as in `cache.redis.clients`. Nothing is connected. Raises ValueError if malformed."""
        self._redis = open_client(url, BACKGROUND_S, connections)
        self._free = connections
        self._waiting: list[_Call] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, *commands: Command) -> asyncio.Future[list[Any]]:
        """One reply per command, an exception where Redis refused it. The future fails if Redis is not there."""
        replies: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Call(commands, replies))
        self._flush()
        return replies

    async def aclose(self) -> None:
        """Let round trips under way end (they are bounded), then disconnect."""
        for call in self._waiting:
            call.replies.cancel()
        self._waiting.clear()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await close_client(self._redis)

    def _flush(self) -> None:
        if self._free and self._waiting:
            self._free -= 1
            calls, self._waiting = self._waiting, []
            task = asyncio.get_running_loop().create_task(self._round_trip(calls))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _round_trip(self, calls: list[_Call]) -> None:
        try:
            pipe: Any = self._redis.pipeline(transaction=False)
            for call in calls:
                for command in call.commands:
                    pipe.execute_command(*command)
            replies = iter(await pipe.execute(raise_on_error=False))
            for call in calls:
                mine = [next(replies) for _ in call.commands]
                if not call.replies.done():
                    call.replies.set_result(mine)
        except Exception as error:
            for call in calls:
                if not call.replies.done():
                    call.replies.set_exception(error)
        finally:
            self._free += 1
            self._flush()

"""Keeps a PolicySet in step with its files. A broken edit keeps the last good set and shows its faults."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from watchfiles import awatch

from moosproxy.policies.faults import Fault, PolicyError
from moosproxy.policies.files.load import assemble
from moosproxy.policies.files.sources import TEAMS_FOLDER, Sources, main_file, read_sources
from moosproxy.policies.resolve import PolicySet

log = logging.getLogger(__name__)

Acceptance = Callable[[PolicySet], str | None]
"""Says why a set, faultless in itself, must not come into force here; None if it may."""


class PolicyWatcher:
    """An async context manager: on entry the set is loaded (PolicyError if it cannot be), then kept in step.

    current: the set in force, always a good one. faults: what is wrong with the files as they are now; empty
    when current is what they say. generation: grows by one with every set that comes into force.

    The folders are watched, not the files, because editors replace files by renaming. Where the system reports
    no changes (network and container mounts) the files are compared every poll_s seconds.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        environ: Mapping[str, str] | None = None,
        accept: Acceptance | None = None,
        poll_s: float = 5.0,
    ) -> None:
        self.path = Path(path)
        self.faults: tuple[Fault, ...] = ()
        self.generation = 0
        self._environ = os.environ if environ is None else environ
        self._accept = accept
        self._poll_s = poll_s
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._seen: Sources | tuple[Fault, ...] | None = None
        self._current: PolicySet | None = None

    @property
    def current(self) -> PolicySet:
        """The set in force. Only between entry and exit."""
        if self._current is None:
            raise RuntimeError("the watcher has not been entered")
        return self._current

    async def __aenter__(self) -> Self:
        await self.reload()
        if self._current is None:
            raise PolicyError(self.faults)
        self._task = asyncio.create_task(self._watch(), name="policy-watcher")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._task is not None:
            await self._task

    async def reload(self) -> None:
        """Look at the files now, and take what they say if it is good and new. Never raises PolicyError."""
        try:
            sources = await asyncio.to_thread(read_sources, self.path)
        except PolicyError as error:
            self._refuse(error.faults, error.faults)
            return
        if sources == self._seen:
            return
        try:
            found = await asyncio.to_thread(assemble, sources, self._environ)
        except PolicyError as error:
            self._refuse(sources, error.faults)
            return
        reason = self._accept(found) if self._accept else None
        if reason is not None:
            self._refuse(sources, (Fault(sources.main.name, "", reason),))
            return
        self._seen, self.faults, self._current = sources, (), found
        self.generation += 1
        log.info("policies in force: generation %d from %s", self.generation, self.path)

    def _refuse(self, seen: Sources | tuple[Fault, ...], faults: tuple[Fault, ...]) -> None:
        if seen == self._seen:
            return
        self._seen, self.faults = seen, faults
        for fault in faults:
            log.error("policies not taken over: %s", fault)

    async def _watch(self) -> None:
        while not self._stop.is_set():
            folders = await asyncio.to_thread(self._folders)
            try:
                await self._watch_folders(folders)
            except (OSError, RuntimeError, ExceptionGroup) as fault:
                log.warning("cannot watch %s (%s): comparing the files instead", self.path, type(fault).__name__)
                await self._pause()
                await self.reload()

    async def _watch_folders(self, folders: Mapping[str, int]) -> None:
        """Reload on every change, and every poll_s seconds, until a folder is replaced, appears or vanishes."""
        if not folders:
            raise FileNotFoundError(self.path)
        changes = awatch(
            *folders,
            watch_filter=None,
            recursive=False,
            debounce=400,
            rust_timeout=int(self._poll_s * 1000),
            yield_on_timeout=True,
            stop_event=self._stop,
        )
        async with contextlib.aclosing(changes):
            async for _ in changes:
                await self.reload()
                if await asyncio.to_thread(self._folders) != folders:
                    return

    def _folders(self) -> dict[str, int]:
        """The folders that hold the files, each with its inode."""
        try:
            main = main_file(self.path)
        except PolicyError:
            main = self.path / "missing"
        candidates = (main.parent, main.parent / TEAMS_FOLDER)
        return {str(folder): folder.stat().st_ino for folder in candidates if folder.is_dir()}

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), self._poll_s)
        except TimeoutError:
            return

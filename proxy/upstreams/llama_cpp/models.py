"""The models of one upstream: loaded when first asked, kept within a bound of memory, unloaded when idle."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from moosproxy.policies.fields.local import GgufModel, LocalLimits
from moosproxy.proxy.log import LOG
from moosproxy.proxy.machine import memory_bytes
from moosproxy.proxy.scheduling.turns import Turns
from moosproxy.proxy.upstreams.llama_cpp.child import Child
from moosproxy.proxy.upstreams.llama_cpp.gguf_file import GgufFile, read_gguf
from moosproxy.proxy.upstreams.llama_cpp.hub import HubFile
from moosproxy.proxy.upstreams.llama_cpp.spec import Spec, spec_of
from moosproxy.proxy.upstreams.local.faults import ModelFault, unknown_model

_MB = 1024 * 1024
_MACHINE_SHARE = 0.75
_LEAVING_S = 0.05
_T = TypeVar("_T")


@dataclass(slots=True)
class _Place:
    """A configured model.

    users: requests that hold it, so that it stays. memory: bytes that it takes, from before its process starts
    until after it has ended. wanted: another model waits for its memory, so nobody else gets it. ending: of a
    process that may still be there.
    """

    model: GgufModel
    turns: Turns
    hub: HubFile | None = None
    child: Child | None = None
    users: int = 0
    memory: int = 0
    leaving: bool = False
    wanted: bool = False
    described: tuple[GgufFile, Spec] | None = None
    last_used: float = 0.0
    loading: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    ending: asyncio.Task[Any] | None = field(default=None, repr=False)
    unloading: asyncio.TimerHandle | None = field(default=None, repr=False)

    @property
    def usable(self) -> Child | None:
        """The child, for whoever comes now."""
        return self.child if self.child is not None and self.child.alive and not self.wanted else None

    @property
    def goes(self) -> bool:
        """Whether its memory will be free without anybody's doing."""
        return self.child is None and self.ending is not None and not self.ending.done()

    @property
    def may_go(self) -> bool:
        """Not one that has just been loaded, for somebody who has not taken it yet."""
        if self.child is None:
            return False
        return self.wanted or not self.child.alive or not self.loading.locked()


class LocalModels:
    """Belongs to one event loop."""

    def __init__(self, models: Mapping[str, GgufModel], limits: LocalLimits) -> None:
        self._places = {
            name: _Place(model, Turns(limits.max_waiting), _hub_file(model)) for name, model in models.items()
        }
        self._limits = limits
        self._bound = limits.max_memory_mb * _MB if limits.max_memory_mb else int(memory_bytes() * _MACHINE_SHARE)
        self._room = asyncio.Lock()
        """Held by the one that waits for memory. Those behind it get theirs in the order of coming."""
        self._released = asyncio.Event()
        self._loads: set[asyncio.Task[Any]] = set()
        self._ends: set[asyncio.Task[Any]] = set()
        self._closed = False

    @property
    def names(self) -> list[str]:
        """As configured."""
        return list(self._places)

    @property
    def present(self) -> list[str]:
        """Those whose file is there, or is fetched when it is needed."""
        return [name for name, place in self._places.items() if place.hub or _at_home(place.model).is_file()]

    @property
    def loaded(self) -> dict[str, int]:
        """Name -> process id of the models in memory."""
        return {name: place.child.pid for name, place in self._places.items() if place.child is not None}

    def turns(self, name: str) -> Turns:
        """Who may generate with the model, one at a time. Raises ModelFault."""
        return self._place(name).turns

    @asynccontextmanager
    async def held(self, name: str) -> AsyncIterator[Child]:
        """The model, loaded, for as long as the block takes. Raises ModelFault."""
        place = self._place(name)
        child = place.usable or await self._loaded(name, place)
        place.users += 1  # with no await since then, so nobody has unloaded it
        try:
            yield child
        finally:
            place.users -= 1
            self._let_go(place)

    def retire(self) -> None:
        """The configuration has changed: whatever is loaded goes as soon as nobody holds it."""
        for place in self._places.values():
            place.leaving = True
            if place.child is not None and not place.users:
                self._let_go(place)

    async def aclose(self) -> None:
        """Ends every model's process, also of those that are being loaded."""
        self._closed = True
        for load in self._loads:
            load.cancel()
        while self._loads:
            await asyncio.wait(list(self._loads))
        for place in self._places.values():
            self._unload(place)
        while self._ends:
            await asyncio.wait(list(self._ends))

    async def described(self, name: str) -> tuple[GgufFile, Spec]:
        """The model's file, fetched if need be, and how it is run. Read once. Raises ModelFault."""
        place = self._place(name)
        if place.described is None:
            path = await place.hub.path() if place.hub else _at_home(place.model)
            file = await asyncio.to_thread(read_gguf, path)
            file = replace(file, embeds=file.embeds or place.model.embeddings)
            place.described = file, spec_of(place.model, str(file.path))
        return place.described

    def _place(self, name: str) -> _Place:
        if name not in self._places:
            raise unknown_model(self.present)
        return self._places[name]

    async def _loaded(self, name: str, place: _Place) -> Child:
        async with place.loading:
            if child := place.usable:
                return child
            if self._closed:
                raise _closing()
            load = _kept(self._loads, self._load(name, place))
            try:
                return await asyncio.shield(load)
            except asyncio.CancelledError:
                # A process that nobody waits for any more is ended, and whoever comes next waits for that.
                load.cancel()
                place.ending = load
                if place.child is not None:  # it was there in the same moment
                    self._let_go(place)
                raise

    async def _load(self, name: str, place: _Place) -> Child:
        """A task of its own, so that aclose can end it."""
        try:
            place.described = None  # the file may be another one by now
            file, spec = await self.described(name)
            async with self._room:
                if child := place.usable:  # whoever wanted its memory wants it no more
                    return child
                await self._gone(place)
                await self._make_room(name, place.model, file)
                place.memory = sum(file.memory(spec.context, spec.conversations, spec.kv))
            try:
                place.child = await Child.start(spec)
            except BaseException:
                self._free(place)
                raise
        except asyncio.CancelledError:
            if self._closed:
                raise _closing() from None
            raise
        place.leaving = False
        LOG.info("model loaded", extra={"fields": {"model": name, "memory_mb": place.memory // _MB}})
        return place.child

    async def _gone(self, place: _Place) -> None:
        """Returns once no process is left of what was here before: one that crashed, or was about to end."""
        self._unload(place)
        if place.ending is not None:
            await asyncio.wait([place.ending])

    async def _make_room(self, name: str, model: GgufModel, file: GgufFile) -> None:
        """Unloads others, the longest unused first, and waits for those at work. Raises ModelFault."""
        weights, windows = file.memory(model.context, model.conversations, model.kv)
        if weights + windows > self._bound:
            raise ModelFault(
                "memory",
                f"model {name!r} needs about {(weights + windows) // _MB} MB ({weights // _MB} MB for weights and "
                f"process, {windows // _MB} MB for a context of {min(model.context, file.trained)} tokens), but "
                f"max_memory_mb allows {self._bound // _MB} MB; lower context or conversations, take a smaller "
                "file, or raise max_memory_mb",
            )
        try:
            while (lacking := self._in_use() + weights + windows - self._bound) > 0:
                self._released.clear()
                self._claim(lacking)
                await self._released.wait()
        finally:
            for place in self._places.values():
                place.wanted = False

    def _claim(self, lacking: int) -> None:
        """Whoever is busy goes as soon as it is idle: new requests for it wait, else there might never be room."""
        lacking -= sum(place.memory for place in self._places.values() if place.goes)
        able = [place for place in self._places.values() if place.may_go]
        for place in sorted(able, key=lambda place: (place.users > 0, not place.wanted, place.last_used)):
            if lacking <= 0:
                return
            lacking -= place.memory
            place.wanted = True
            if not place.users:
                self._unload(place)

    def _in_use(self) -> int:
        return sum(place.memory for place in self._places.values())

    def _free(self, place: _Place) -> None:
        place.memory = 0
        self._released.set()

    def _let_go(self, place: _Place) -> None:
        loop = asyncio.get_running_loop()
        place.last_used = loop.time()
        self._released.set()
        if place.unloading is not None:
            place.unloading.cancel()
        if place.model.preload and not place.leaving:
            return
        patience_s = _LEAVING_S if place.leaving else self._limits.idle_s
        place.unloading = loop.call_later(patience_s, self._unload_idle, place)

    def _unload_idle(self, place: _Place) -> None:
        if place.users or place.loading.locked():
            self._let_go(place)  # somebody is about to use it
        else:
            self._unload(place)

    def _unload(self, place: _Place) -> None:
        """At once for whoever comes; its memory counts until the process has ended."""
        if place.unloading is not None:
            place.unloading.cancel()
            place.unloading = None
        child, place.child = place.child, None
        if child is not None:
            place.ending = _kept(self._ends, self._end(place, child))

    async def _end(self, place: _Place, child: Child) -> None:
        try:
            await child.close()
        finally:
            self._free(place)


def _kept(tasks: set[asyncio.Task[Any]], work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
    """A task in this set until it is done. What it raises is for whoever waits, if there is somebody."""
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


def _closing() -> ModelFault:
    return ModelFault("crashed", "the proxy is shutting down")


def _at_home(model: GgufModel) -> Path:
    """No shell reads the policies, so what a `~` means is decided here."""
    assert model.path is not None
    return Path(os.path.expanduser(model.path))


def _hub_file(model: GgufModel) -> HubFile | None:
    if model.repo is None or model.file is None:
        return None
    return HubFile(model.repo, model.file)

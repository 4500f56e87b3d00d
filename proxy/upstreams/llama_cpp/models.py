"""The models of one upstream: loaded when first asked, kept within a bound of memory, unloaded when idle."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from policies.local import GgufModel, LocalLimits
from proxy.log import LOG
from proxy.turns import Turns
from proxy.upstreams.llama_cpp.child import Child
from proxy.upstreams.llama_cpp.faults import ModelFault, unknown_model
from proxy.upstreams.llama_cpp.gguf_file import GgufFile, read_gguf
from proxy.upstreams.llama_cpp.spec import Spec, spec_of

_MB = 1024 * 1024
_MACHINE_SHARE = 0.75
_LEAVING_S = 0.05


@dataclass(slots=True)
class _Place:
    """A configured model. users: requests that hold it, so that it stays. memory: bytes, while it is loaded."""

    model: GgufModel
    turns: Turns
    child: Child | None = None
    users: int = 0
    memory: int = 0
    leaving: bool = False
    described: tuple[GgufFile, Spec] | None = None
    last_used: float = 0.0
    unloading: asyncio.TimerHandle | None = field(default=None, repr=False)


class LocalModels:
    """Belongs to one event loop."""

    def __init__(self, models: Mapping[str, GgufModel], limits: LocalLimits) -> None:
        self._places = {name: _Place(model, Turns(limits.max_waiting)) for name, model in models.items()}
        self._limits = limits
        self._bound = limits.max_memory_mb * _MB if limits.max_memory_mb else _machine_share()
        self._loading = asyncio.Lock()
        self._released = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def names(self) -> list[str]:
        """As configured."""
        return list(self._places)

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
        async with self._loading:  # in order of coming, also for those that need no loading: nobody is passed over
            if self._closed:
                raise ModelFault("crashed", "the proxy is shutting down")
            child = await self._ready(name, place)
            place.users += 1
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
        """Ends every model's process."""
        self._closed = True
        async with self._loading:
            for place in self._places.values():
                await self._unload(place)
        while self._closing:
            await asyncio.wait(list(self._closing))

    async def described(self, name: str) -> tuple[GgufFile, Spec]:
        """The model's file, fetched if need be, and how it is run. Read once. Raises ModelFault."""
        place = self._place(name)
        if place.described is None:
            path = await asyncio.to_thread(_path_of, place.model)
            file = await asyncio.to_thread(read_gguf, path)
            place.described = file, spec_of(place.model, str(file.path))
        return place.described

    def _place(self, name: str) -> _Place:
        if name not in self._places:
            raise unknown_model(self._places)
        return self._places[name]

    async def _ready(self, name: str, place: _Place) -> Child:
        if place.child is not None and place.child.alive:
            return place.child
        await self._unload(place)  # what a crash has left
        place.described = None  # the file may be another one by now
        file, spec = await self.described(name)
        await self._make_room(name, place.model, file)
        place.child = await self._start(spec)
        place.leaving = False
        place.memory = sum(file.memory(spec.context, spec.conversations))
        LOG.info("model loaded", extra={"fields": {"model": name, "memory_mb": place.memory // _MB}})
        return place.child

    async def _start(self, spec: Spec) -> Child:
        """A process that nobody waits for any more is ended all the same, and aclose waits for that."""
        starting = asyncio.create_task(Child.start(spec))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            self._ending(_end(starting))
            raise

    def _ending(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _make_room(self, name: str, model: GgufModel, file: GgufFile) -> None:
        """Unloads others, the longest unused first, and waits for those at work. Raises ModelFault."""
        weights, windows = file.memory(model.context, model.conversations)
        if weights + windows > self._bound:
            raise ModelFault(
                "memory",
                f"model {name!r} needs about {(weights + windows) // _MB} MB ({weights // _MB} MB for weights and "
                f"process, {windows // _MB} MB for a context of {min(model.context, file.trained)} tokens), but "
                f"max_memory_mb allows {self._bound // _MB} MB; lower context or conversations, take a smaller "
                "file, or raise max_memory_mb",
            )
        while self._in_use() + weights + windows > self._bound:
            idle = [place for place in self._places.values() if place.child is not None and not place.users]
            if idle:
                await self._unload(min(idle, key=lambda place: place.last_used))
                continue
            self._released.clear()
            await self._released.wait()

    def _in_use(self) -> int:
        return sum(place.memory for place in self._places.values() if place.child is not None)

    def _let_go(self, place: _Place) -> None:
        loop = asyncio.get_running_loop()
        place.last_used = loop.time()
        self._released.set()
        if place.unloading is not None:
            place.unloading.cancel()
        patience_s = _LEAVING_S if place.leaving else self._limits.idle_s
        place.unloading = loop.call_later(patience_s, self._unload_idle, place)

    def _unload_idle(self, place: _Place) -> None:
        if place.users or self._loading.locked():
            self._let_go(place)  # somebody is about to use it
            return
        child, place.child = place.child, None  # at once: a request may come before the process has ended
        if child is not None:
            self._ending(child.close())

    async def _unload(self, place: _Place) -> None:
        if place.unloading is not None:
            place.unloading.cancel()
            place.unloading = None
        child, place.child = place.child, None
        if child is not None:
            await child.close()


async def _end(starting: asyncio.Task[Child]) -> None:
    try:
        child = await starting
    except ModelFault:
        return
    await child.close()


def _path_of(model: GgufModel) -> Path:
    if model.path is not None:
        return model.path
    assert model.repo is not None and model.file is not None
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        raise ModelFault("file", "a model's repo needs huggingface_hub: pip install 'moosproxy[local]'") from None
    try:
        return Path(hf_hub_download(model.repo, model.file))
    except Exception as fault:  # the hub's own errors, and whatever its HTTP client raises
        raise ModelFault(
            "file",
            f"{model.file} of {model.repo} is not in the hub's cache and could not be fetched "
            f"({type(fault).__name__}); fetch it where there is a network, and give its path",
        ) from None


def _machine_share() -> int:
    """Bytes that models may take where nothing is configured."""
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * _MACHINE_SHARE)

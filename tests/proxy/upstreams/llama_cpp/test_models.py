"""Who gets which model when, and whose memory: no llama.cpp, the processes are made up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moosproxy.policies.fields.local import GgufModel, LocalLimits
from moosproxy.proxy.upstreams.llama_cpp import models as models_module
from moosproxy.proxy.upstreams.llama_cpp.gguf_file import GgufFile
from moosproxy.proxy.upstreams.llama_cpp.models import LocalModels
from moosproxy.proxy.upstreams.llama_cpp.spec import Spec
from moosproxy.proxy.upstreams.local.faults import ModelFault

_MB = 1024 * 1024
SIZES = {"small": 100, "other": 100, "big": 500}  # megabytes, beside those of a process


class Process:
    """Takes the place of a Child. Nothing starts while `gate` is shut, or ends while `exit` is."""

    gate: asyncio.Event
    exit: asyncio.Event
    running: list[Process]
    alive = True
    pid = 1

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    async def start(cls, spec: Spec) -> Process:
        process = cls(Path(spec.path).stem)
        cls.running.append(process)
        try:
            await cls.gate.wait()
        except BaseException:
            await process.close()
            raise
        return process

    async def close(self) -> None:
        self.alive = False
        await self.exit.wait()
        self.running.remove(self)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalModels]:
    """Either big, or small and other, have room."""
    Process.running = []
    Process.gate, Process.exit = asyncio.Event(), asyncio.Event()
    Process.gate.set()
    Process.exit.set()

    def read(path: Path) -> GgufFile:
        return GgufFile(path, SIZES[path.stem] * _MB, "qwen2", 4096, 0)

    monkeypatch.setattr(models_module, "Child", Process)
    monkeypatch.setattr(models_module, "read_gguf", read)
    configured = {name: GgufModel(path=Path(f"{name}.gguf")) for name in SIZES}
    yield LocalModels(configured, LocalLimits(max_memory_mb=700))
    assert [] == Process.running


def running() -> set[str]:
    """Names of the models that have a process."""
    return {process.name for process in Process.running}


async def until(true: Callable[[], Any]) -> None:
    """Waits for it."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - what is waited for knows no event
            await asyncio.sleep(0.001)


async def use(models: LocalModels, name: str, order: list[str] | None = None) -> None:
    """Takes the model and lets it go."""
    async with models.held(name) as child:
        assert child.alive
        if order is not None:
            order.append(name)


async def settled() -> None:
    """Whatever can happen has happened."""
    for _ in range(20):
        await asyncio.sleep(0.001)


async def test_a_loaded_model_serves_while_another_one_is_being_loaded(models: LocalModels) -> None:
    await use(models, "small")
    Process.gate.clear()
    loading = asyncio.create_task(use(models, "other"))
    await until(lambda: "other" in running())

    async with asyncio.timeout(5):
        await use(models, "small")
    assert not loading.done()

    Process.gate.set()
    await loading
    await models.aclose()


async def test_requests_for_one_model_load_it_once(models: LocalModels) -> None:
    await asyncio.gather(*(use(models, "small") for _ in range(5)))

    assert 1 == len(Process.running)
    await models.aclose()


async def test_a_big_model_gets_its_room_however_much_a_small_one_is_used(models: LocalModels) -> None:
    order: list[str] = []
    async with models.held("small"):
        big = asyncio.create_task(use(models, "big", order))
        await until(lambda: models._places["small"].wanted)
        small = asyncio.create_task(use(models, "small", order))
        await settled()
        assert [] == order
        assert {"small"} == running()
    await asyncio.gather(big, small)

    assert ["big", "small"] == order
    assert {"small"} == running()
    await models.aclose()


async def test_a_model_that_need_not_go_serves_while_another_one_waits_for_room(models: LocalModels) -> None:
    models._bound = 1000 * _MB
    await use(models, "other")
    async with models.held("small"):
        Process.exit.clear()
        big = asyncio.create_task(use(models, "big"))
        await until(lambda: models._places["other"].wanted)
        async with asyncio.timeout(5):
            await use(models, "small")
        assert not big.done()
        assert {"other", "small"} == running()  # until the process has ended, its memory is not free
        Process.exit.set()
        await big
        assert {"big", "small"} == running()
    await models.aclose()


async def test_who_gives_up_waiting_for_room_leaves_the_others_in_peace(models: LocalModels) -> None:
    async with models.held("small"):
        big = asyncio.create_task(use(models, "big"))
        await until(lambda: models._places["small"].wanted)
        small = asyncio.create_task(use(models, "small"))
        await settled()
        big.cancel()
        async with asyncio.timeout(5):
            await small
        assert 1 == len(Process.running)
    with pytest.raises(asyncio.CancelledError):
        await big
    await models.aclose()


async def test_a_process_that_nobody_waits_for_any_more_is_ended_before_the_next_one_starts(
    models: LocalModels,
) -> None:
    Process.gate.clear()
    Process.exit.clear()
    given_up = asyncio.create_task(use(models, "big"))
    await until(lambda: "big" in running())
    given_up.cancel()
    await settled()
    again = [asyncio.create_task(use(models, name)) for name in ("big", "small")]
    Process.gate.set()
    await settled()
    assert 1 == len(Process.running)
    Process.exit.set()
    await asyncio.gather(*again)

    assert given_up.cancelled()
    await models.aclose()


async def test_a_crash_gives_its_memory_to_whoever_waits(models: LocalModels) -> None:
    await use(models, "small")
    Process.running[0].alive = False
    order: list[str] = []
    await asyncio.gather(use(models, "big", order), use(models, "small", order))

    assert ["big", "small"] == order
    await models.aclose()


@pytest.mark.parametrize("stuck", ["starting", "waiting for room"])
async def test_the_end_waits_for_no_load(models: LocalModels, stuck: str) -> None:
    async def told() -> None:
        with pytest.raises(ModelFault, match="shutting down"):
            await use(models, "big")

    if stuck == "starting":
        Process.gate.clear()
        loads = [asyncio.create_task(told()) for _ in range(2)]
        await until(lambda: "big" in running())
        async with asyncio.timeout(5):
            await models.aclose()
    else:
        async with models.held("small"):
            loads = [asyncio.create_task(told()) for _ in range(2)]
            await settled()
            async with asyncio.timeout(5):
                await models.aclose()
    await asyncio.gather(*loads, told())

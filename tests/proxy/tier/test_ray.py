"""The tier on a real Ray cluster of two nodes: a killed replica and a killed node lose no text and no byte."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.proxy.bench.sides import free_port
from moosproxy.proxy.opening.on_ray import (
    APPLICATION,
    WATCHED,
    ByQueuedTokens,
    Scale,
    application,
    deploy,
    served,
    withdraw,
)
from moosproxy.proxy.settings import Settings
from moosproxy.proxy.tier.remote import RemoteService
from tests.compressor.tiny import write_checkpoint
from tests.proxy.fakes import report
from tests.proxy.tier.replicas import remote

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray warns of itself, at its import and at its end

AT_ONCE = 6


class Context:
    """What Ray tells a policy."""

    def __init__(self, queued: dict[str, float] | None) -> None:
        self.aggregated_metrics = None if queued is None else {"queued_tokens": queued}


@pytest.mark.parametrize(
    ("queued", "replicas"),
    [(None, 1), ({}, 1), ({"a": 0.0}, 1), ({"a": 999.0}, 1), ({"a": 800.0, "b": 1300.0}, 3), ({"a": 1000.0}, 1)],
)
def test_the_number_of_replicas_follows_the_tokens_that_wait(
    queued: dict[str, float] | None, replicas: int
) -> None:
    assert ByQueuedTokens(1000)(Context(queued)) == (replicas, {})


def test_a_configuration_of_ray_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOOS_COMPRESSOR_KEY", raising=False)
    with pytest.raises(ValueError, match="set MOOS_COMPRESSOR_KEY"):
        served({})


def test_a_configuration_of_ray_names_replicas(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray.serve", reason="Ray is not installed")
    monkeypatch.setenv("MOOS_COMPRESSOR_KEY", "k" * 32)

    assert served({"least": "2", "most": "5", "gpus": "0.5"}) is not None
    with pytest.raises(ValueError, match="threads"):
        served({"threads": "2"})


def ports() -> dict[str, int]:
    """Of a node: with these given, it need not wait for its agent, which a busy machine starts late."""
    names = ("metrics_agent_port", "metrics_export_port", "runtime_env_agent_port", "dashboard_agent_listen_port")
    return {name: free_port() for name in names}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    utils = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed")
    os.environ |= {"RAY_raylet_start_wait_time_s": "120", "RAY_USAGE_STATS_ENABLED": "0", **WATCHED}
    made = utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **ports()}
    )
    made.second = made.add_node(num_cpus=2, **ports())
    yield made
    withdraw()
    made.shutdown()


@pytest.fixture(scope="module")
def tier(cluster: Any) -> str:
    """Its URL."""
    os.environ["MOOS_COMPRESSOR_THREADS"] = "1"
    port = free_port()
    deploy(cluster.address, Settings(port=port), Scale(least=2, most=2, cpus=1))
    return f"http://127.0.0.1:{port}"


async def texts(service: RemoteService, first: int, count: int) -> list[str]:
    """So many texts, some at a time."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> str:
        async with turn:
            until = time.monotonic() + 90
            found = await service.compress(report(30, number), CompressionSettings(), "team", until)
            return found.text

    return list(await asyncio.gather(*(one(first + number) for number in range(count))))


def replicas() -> list[psutil.Process]:
    """Of this cluster, which is this process's child."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if f"ServeReplica:{APPLICATION}" in " ".join(child.cmdline())]


def expected(first: int, count: int, checkpoint: Path | None = None) -> list[str]:
    with Compressor.load(checkpoint, threads=1) as compressor:
        return [compressor.compress(report(30, first + number)).text for number in range(count)]


async def deployed(scale: Scale, port: int, **more: str) -> None:
    """In place of what is there, as another `moos serve-compressor --ray --address` would."""
    from ray import serve

    made = application(scale, Settings(port=port), {"MOOS_COMPRESSOR_THREADS": "1", **more})
    await asyncio.to_thread(serve.run, made, name=APPLICATION, route_prefix="/")


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_replicas_follow_the_tokens_that_wait(tier: str) -> None:
    port = int(tier.rpartition(":")[2])
    from ray import serve

    await asyncio.to_thread(serve.delete, APPLICATION)  # a number that is there is kept for ten minutes
    await deployed(Scale(least=1, most=2, tokens=1_000), port)
    assert len(replicas()) == 1
    wanted = expected(400, 40)
    async with remote(tier) as service:
        grown = asyncio.create_task(until(lambda: len(replicas()) == 2))  # Ray looks for half a minute first
        while not grown.done():
            assert await texts(service, 400, 40) == wanted
        await grown
        assert await texts(service, 400, 40) == wanted
    await deployed(Scale(least=2, most=2), port)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_another_checkpoint_is_rolled_out_and_no_text_is_of_both(tier: str, tmp_path: Path) -> None:
    port = int(tier.rpartition(":")[2])
    other = write_checkpoint(tmp_path)
    old, new = expected(600, 12), expected(600, 12, other)
    async with remote(tier) as service:
        assert await texts(service, 600, 12) == old
        first = service.fingerprint
        rollout = asyncio.create_task(deployed(Scale(least=2, most=2), port, MOOS_CHECKPOINT=str(other)))
        seen = []
        while not rollout.done() or (await texts(service, 600, 12)) != new:
            seen.append(await texts(service, 600, 12))
        await rollout
        assert service.fingerprint == first  # answers are kept under the fleet's first print
        assert all(
            text in pair for found in seen for text, pair in zip(found, zip(old, new, strict=True), strict=True)
        )
        for _ in range(3):
            assert await texts(service, 600, 12) == new
    await deployed(Scale(least=2, most=2), port)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_killed_replica_and_a_killed_node_lose_no_text(cluster: Any, tier: str) -> None:
    async with remote(tier) as service:
        assert await texts(service, 0, 6) == expected(0, 6)

        running = asyncio.create_task(texts(service, 100, 24))
        await asyncio.sleep(1)
        replicas()[0].kill()
        assert await running == expected(100, 24)

        running = asyncio.create_task(texts(service, 200, 24))
        await asyncio.sleep(1)
        cluster.remove_node(cluster.second, allow_graceful=False)
        assert await running == expected(200, 24)

"""A Redis cluster and a master under a sentinel: what is written is found, also after a server was killed."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from moosproxy.proxy.cache.redis.clients import several
from moosproxy.proxy.cache.redis_cache import RedisCache
from moosproxy.proxy.limits.book import Change, RedisBook
from moosproxy.proxy.observing.redis_ping import ping
from moosproxy.proxy.settings import Settings
from tests.proxy.redis_server import RedisServer

pytestmark = pytest.mark.slow

NAMES = [b"moos:1:%d" % number for number in range(40)]


class Several:
    """Servers, the URL that names them all, and how the one that holds the master is lost."""

    def __init__(self, url: str, servers: list[RedisServer], stack: ExitStack) -> None:
        self.url = url
        self.servers = servers
        self.stack = stack


def started(stack: ExitStack, folder: Path, *options: str) -> RedisServer:
    folder.mkdir()
    server = RedisServer(folder)
    server.start("--repl-diskless-sync-delay", "0", *options)
    stack.callback(server.kill)
    return server


def cluster(stack: ExitStack, folder: Path) -> Several:
    """Three masters with a replica each."""
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2500", "--cluster-config-file", "nodes.conf")
    # A port for the bus beside each is ten thousand higher, which ports of the system's own choice may exceed.
    bus = ("--cluster-port",)
    servers = []
    for number in range(6):
        other = RedisServer(folder).port
        servers.append(started(stack, folder / f"c{number}", *options, *bus, str(other)))
    hosts = [f"127.0.0.1:{server.port}" for server in servers]
    make = ["redis-cli", "--cluster", "create", *hosts, "--cluster-replicas", "1", "--cluster-yes"]
    subprocess.run(make, check=True, capture_output=True, timeout=60)
    _await(lambda: all("cluster_state:ok" in _asked(server, "cluster", "info") for server in servers))
    _await(
        lambda: sum("master_link_status:up" in _asked(server, "info", "replication") for server in servers) == 3
    )
    return Several(f"redis+cluster://{','.join(hosts[:2])}", servers, stack)


def watched(stack: ExitStack, folder: Path) -> Several:
    """A master, a replica of it, and a sentinel that makes that one the master where the first is gone."""
    master = started(stack, folder / "master")
    replica = started(stack, folder / "replica", "--replicaof", f"127.0.0.1 {master.port}")
    config = folder / "sentinel.conf"
    sentinel = RedisServer(folder)
    config.write_text(
        f"port {sentinel.port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor main 127.0.0.1 {master.port} 1\n"
        "sentinel down-after-milliseconds main 2500\nsentinel failover-timeout main 3000\n"
    )
    process = subprocess.Popen(["redis-server", str(config), "--sentinel"], stdout=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.kill)
    _await(lambda: "slaves=1" in _asked(sentinel, "info", "sentinel"))
    _await(lambda: "master_link_status:up" in _asked(replica, "info", "replication"))
    return Several(f"redis+sentinel://127.0.0.1:{sentinel.port}/main", [master, replica], stack)


def _await(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.1)


def _asked(server: RedisServer, *words: str) -> str:
    command = ["redis-cli", "-p", str(server.port), *words]
    return subprocess.run(command, capture_output=True, check=False, text=True).stdout


def _replicated(master: RedisServer) -> bool:
    """Whether a replica has all: Redis does not wait for one, and what it lacks dies with the master."""
    told = _asked(master, "info", "replication")
    whole = re.search(r"master_repl_offset:(\d+)", told)
    return bool(whole and re.search(rf"slave0:.*state=online,offset={whole[1]},", told))


@pytest.fixture(params=[cluster, watched], ids=["cluster", "sentinel"])
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Several]:
    if not shutil.which("redis-server") or not shutil.which("redis-cli"):
        pytest.skip("redis is not installed")
    with ExitStack() as stack:
        yield request.param(stack, tmp_path)


@pytest.fixture
async def cache(servers: Several) -> AsyncIterator[RedisCache]:
    cache = RedisCache(Settings(redis_url=servers.url).redis_url.get_secret_value(), timeout_ms=1_000)  # type: ignore[arg-type, union-attr]
    assert await cache.connect()
    yield cache
    await cache.aclose()


async def test_what_is_written_is_found_by_others_and_the_first_writer_wins(
    servers: Several, cache: RedisCache
) -> None:
    other = RedisCache(servers.url, timeout_ms=1_000)
    for name in NAMES:
        assert await cache.put_first(name, b"1" + name, 60) == b"1" + name
        assert await other.put_first(name, b"2" + name, 60) == b"1" + name
    await other.replace(NAMES[3], b"3", 60)
    assert await other.get_many([*NAMES, b"moos:1:none"]) == [
        b"3" if name == NAMES[3] else b"1" + name for name in NAMES
    ] + [None]
    assert not cache.faults and not other.faults and cache.degraded is None
    assert await ping(servers.url) is None
    await other.aclose()


async def test_limits_are_counted_there_too(servers: Several) -> None:
    one, two = RedisBook(servers.url), RedisBook(servers.url)
    later = int(time.time()) + 60
    changes = [Change(f"team:{number}", number, later) for number in range(9)]

    assert (await one.add(changes)).totals == list(range(9))
    assert (await two.add(changes)).totals == [2 * number for number in range(9)]
    await one.aclose()
    await two.aclose()


async def test_a_killed_master_is_followed_by_its_replica(servers: Several, cache: RedisCache) -> None:
    for name in NAMES:
        await cache.put_first(name, b"1" + name, 60)
    _await(lambda: _replicated(servers.servers[0]))
    servers.servers[0].kill()
    began = time.monotonic()
    while None in await cache.get_many(NAMES) or await cache.put_first(b"moos:1:new", b"n", 60) != b"n":
        assert time.monotonic() - began < 20
        await asyncio.sleep(0.1)
    print(f"followed after {time.monotonic() - began:.1f} s")  # noqa: T201
    assert cache.faults.total() > 0


@pytest.mark.parametrize("url", ["redis+cluster://", "redis+cluster://a/b", "redis+sentinel://a", "redis+x://a",
                                 "redis+cluster://a:99999", "redis+cluster://a:b"])  # fmt: skip
def test_a_malformed_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        several(url)

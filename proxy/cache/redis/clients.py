"""A client for a Redis URL, besides redis-py's own `redis+cluster://` and `redis+sentinel://`, `rediss+` for TLS.

Those name several servers, of which one suffices: `redis+cluster://:PASSWORD@one:6379,two:6379` and
`redis+sentinel://:PASSWORD@one:26379,two:26379/NAME/0`, with the master's name and perhaps a database.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import unquote

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

_MANY = re.compile(
    r"(?P<scheme>rediss?)\+(?P<kind>cluster|sentinel)://(?:(?P<user>[^:@/]*):(?P<password>[^@/]*)@)?"
    r"(?P<hosts>[^/?#@]+)(?:/(?P<name>[^/?#]*)(?:/(?P<db>\d+))?)?/?"
)
_HOST = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::(?P<port>\d{1,5}))?")
_PORTS = {"cluster": 6379, "sentinel": 26379}


class Many(NamedTuple):
    """A URL that names several servers. name: of the master, for sentinels."""

    kind: str
    hosts: list[tuple[str, int]]
    name: str
    db: int
    options: dict[str, Any]


def several(url: str) -> Many | None:
    """What a URL of a cluster or of sentinels says, None for any other. Raises ValueError if malformed."""
    if "+" not in url.partition("://")[0]:
        return None
    found = _MANY.fullmatch(url)
    if found is None:
        raise ValueError("a malformed URL of a Redis cluster or of sentinels")
    kind, name = found["kind"], found["name"] or ""
    if (kind == "sentinel") != bool(name):
        raise ValueError("sentinels need the master's name in the path, a cluster has none")
    options: dict[str, Any] = {"ssl": True} if found["scheme"] == "rediss" else {}
    options |= {"username": unquote(found["user"])} if found["user"] else {}
    options |= {"password": unquote(found["password"])} if found["password"] else {}
    hosts = [_host(host, _PORTS[kind]) for host in found["hosts"].split(",")]
    return Many(kind, hosts, name, int(found["db"] or 0), options)


def is_cluster(url: str) -> bool:
    """Whether keys lie on several servers, so that no command may name keys of more than one."""
    many = several(url)
    return many is not None and many.kind == "cluster"


def open_client(url: str, patience_s: float, connections: int) -> Redis | RedisCluster:
    """Connects to nothing yet. patience_s: for each connection and answer. Raises ValueError if malformed."""
    waits: dict[str, Any] = {"socket_timeout": patience_s, "socket_connect_timeout": patience_s}
    # A connection that a restart left stale is opened again at once.
    again = Retry(NoBackoff(), 1)
    many = several(url)
    if many is None:
        pool = BlockingConnectionPool.from_url(
            url, max_connections=connections, timeout=patience_s, retry=again, **waits
        )
        return Redis.from_pool(pool)
    if many.kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in many.hosts]
        # A server of which a slot was moved, or that has gone, is asked for the new places at once.
        return RedisCluster(startup_nodes=nodes, reinitialize_steps=1, retry=again, **waits, **many.options)
    watchers = Sentinel(  # type: ignore[no-untyped-call]
        many.hosts, sentinel_kwargs={**waits, **many.options}, **waits, **many.options
    )
    master: Redis = watchers.master_for(many.name, db=many.db, retry=again)
    return master


async def close_client(client: Redis | RedisCluster) -> None:
    """Every connection of it, those to sentinels too."""
    await client.aclose()
    watchers = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    for watcher in watchers.sentinels if watchers is not None else ():
        await watcher.aclose()


def _host(text: str, port: int) -> tuple[str, int]:
    found = _HOST.fullmatch(text.strip())
    if found is None or not 0 < int(found["port"] or port) < 65536:
        raise ValueError("a host that is none")
    return found["host"].strip("[]"), int(found["port"] or port)

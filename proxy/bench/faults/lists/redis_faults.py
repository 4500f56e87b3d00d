"""Faults of the shared cache. Each worker caches for itself meanwhile; answers do not depend on Redis."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from moosproxy.proxy.bench.faults.box import Box
from moosproxy.proxy.bench.faults.client import Seen
from moosproxy.proxy.bench.faults.redis_box import RedisBox, SlowLink, redis_box
from moosproxy.proxy.bench.faults.scenario import Row, fault, until
from moosproxy.proxy.bench.faults.stage import Stage

_GROUP = "Redis"
_MORE = 5  # requests, so that the breaker opens
_PATIENCE_S = 60.0


def _hurt(stage: Stage, redis: RedisBox, url: str, hurt: Callable[[], None], heal: Callable[[], None]) -> Row:
    """Old and new texts before, during and after the fault; normal is when a new text is in Redis again."""
    with stage.box(MOOS_REDIS_URL=url) as box:
        old = stage.text()
        seen = [stage.ask(box, text=old)]
        hurt()
        again = stage.ask(box, text=old)
        meanwhile = [again, *(stage.ask(box) for _ in range(_MORE))]
        heal()
        seconds = until(lambda: _kept(stage, box, redis), _PATIENCE_S)
        after = stage.ask(box, text=old)
    return _row(stage, [*seen, *meanwhile, after], meanwhile, seconds, stage.same(seen[0], again, after))


def _row(stage: Stage, seen: list[Seen], meanwhile: list[Seen], seconds: float, same: list[str]) -> Row:
    findings = stage.findings(*seen) + same
    findings += [one.says() for one in seen if not (one.good and one.shortened)]
    findings += [f"not used again within {_PATIENCE_S:g} s"] if seconds > _PATIENCE_S else []
    slowest = max(one.seconds for one in meanwhile)
    return Row(f"{meanwhile[-1].says()}; the slowest took {1000 * slowest:.0f} ms", seconds, findings=findings)


def _kept(stage: Stage, box: Box, redis: RedisBox) -> bool:
    before = redis.keys()
    stage.ask(box)
    return redis.keys() > before


@fault(_GROUP, "killed, started again")
def redis_killed(stage: Stage) -> Row:
    with redis_box(stage.folder) as redis:
        return _hurt(stage, redis, redis.url, redis.kill, redis.start)


@fault(_GROUP, "restarted, empty")
def redis_restarted(stage: Stage) -> Row:
    def restart() -> None:
        redis.kill()
        redis.start()

    with redis_box(stage.folder) as redis:
        return _hurt(stage, redis, redis.url, restart, lambda: None)


@fault(_GROUP, "slow: 100 ms each way")
def redis_slow(stage: Stage) -> Row:
    with redis_box(stage.folder) as redis, SlowLink(redis.port) as link:

        def slow(delay_s: float) -> None:
            link.delay_s = delay_s

        url = f"redis://127.0.0.1:{link.port}/0"
        return _hurt(stage, redis, url, lambda: slow(0.1), lambda: slow(0.0))


@fault(_GROUP, "stopped (SIGSTOP), goes on")
def redis_stopped(stage: Stage) -> Row:
    with redis_box(stage.folder) as redis:
        stop, go_on = (lambda: redis.signal(signal.SIGSTOP)), (lambda: redis.signal(signal.SIGCONT))
        return _hurt(stage, redis, redis.url, stop, go_on)


@fault(_GROUP, "full (noeviction)")
def redis_full(stage: Stage) -> Row:
    with redis_box(stage.folder) as redis:
        redis.configure("maxmemory-policy", "noeviction")
        fill, empty = (lambda: redis.configure("maxmemory", "1")), (lambda: redis.configure("maxmemory", "0"))
        return _hurt(stage, redis, redis.url, fill, empty)


@fault(_GROUP, "wrong password, set right")
def redis_wrong_password(stage: Stage) -> Row:
    def correct() -> None:
        redis.configure("requirepass", "other")
        redis.password = "other"  # noqa: S105

    with redis_box(stage.folder, "right") as redis:
        url = redis.url.replace("//", "//:other@")
        return _hurt(stage, redis, url, lambda: None, correct)


def _spoiled(stage: Stage, spoil: Callable[[RedisBox], None]) -> Row:
    """A worker without the text in its own memory finds the spoiled record."""
    with redis_box(stage.folder) as redis:
        with stage.box(MOOS_REDIS_URL=redis.url) as box:
            old = stage.text()
            first = stage.ask(box, text=old)
        spoil(redis)
        with stage.box(MOOS_REDIS_URL=redis.url) as box:
            again = stage.ask(box, text=old)
            seconds = until(lambda: _kept(stage, box, redis), _PATIENCE_S)
        return _row(stage, [first, again], [again], seconds, stage.same(first, again))


@fault(_GROUP, "garbage in every value")
def redis_garbage(stage: Stage) -> Row:
    def spoil(redis: RedisBox) -> None:
        with redis.client() as inside:
            for key in list(inside.scan_iter()):
                inside.set(key, os.urandom(64))

    return _spoiled(stage, spoil)


@fault(_GROUP, "every value cut in half")
def redis_cut(stage: Stage) -> Row:
    def spoil(redis: RedisBox) -> None:
        with redis.client() as inside:
            for key in list(inside.scan_iter()):
                value = inside.get(key)
                assert isinstance(value, bytes)
                inside.set(key, value[: len(value) // 2])

    return _spoiled(stage, spoil)


@fault(_GROUP, "foreign types under its keys")
def redis_foreign(stage: Stage) -> Row:
    def spoil(redis: RedisBox) -> None:
        with redis.client() as inside:
            for key in list(inside.scan_iter()):
                inside.delete(key)
                inside.lpush(key, "x")

    return _spoiled(stage, spoil)

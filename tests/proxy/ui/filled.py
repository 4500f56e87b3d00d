"""A ledger with weeks of made-up requests in it, written into its tables."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moosproxy.proxy.ledger.databases.schema import KEYS, SUMS, prepare
from moosproxy.proxy.ledger.databases.sqlite import Sqlite

HOUR_S, DAY_S = 3600, 24 * 3600
MODELS = {"gpt-4o": 2500, "gpt-4o-mini": 150, "claude-sonnet-4-5": 3000, "qwen2.5-1.5b": 0}
"""With billionths of a dollar a token."""
KINDS = {"prose": 2.1, "logs": 3.0, "json": 1.3, "code": 1.1, "dialogue": 1.9, "listing": 0.8}
SKIPS = {"role": 900, "too_short": 420, "not_worth_it": 60, "protected_kind": 25, "deadline": 3}


async def fill(file: Path, hours: int, teams: int = 4, rows_an_hour: int = 0) -> None:
    """hours: back from now, in each of them every team asks every model. rows_an_hour: of single requests."""
    database = Sqlite(file)
    await database.open()
    await prepare(database)
    now = int(time.time()) // HOUR_S * HOUR_S
    groups = list(_groups(now, hours, teams))
    async with database.writing() as session:
        await session.many(_insert("hours", ("id", *KEYS, *SUMS)), groups)
        await session.many(_insert("hour_skips", ("hour_id", "reason", "parts")), _skips(groups))
        names = ("hour_id", "kind", "parts", "tokens_before", "tokens_sent")
        await session.many(_insert("hour_kinds", names), _kinds(groups))
        if rows_an_hour:
            await session.fetch(
                _ROWS, (hours * rows_an_hour, (now - hours * HOUR_S) * 1000, 3_600_000 // rows_an_hour)
            )
    await database.close()


_ROWS = """
INSERT INTO requests (at, team, key_id, policy, route, door, endpoint, model, answered, upstream, arm, status,
  error, stream, tokens_before, tokens_sent, compression_us, total_us, price, skips, kinds, marks, conversation,
  input_tokens, output_tokens, billed_nano, retries)
WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ?)
SELECT ? + n * ?, 'team-' || (n / 3 % 4), '', 'default', 'default', 'chat', '/chat/completions', 'gpt-4o', '',
  'main', CASE WHEN n / 3 % 20 THEN 'compressed' ELSE 'holdout' END, CASE WHEN n % 97 THEN 200 ELSE 502 END, '', 0,
  4000, CASE WHEN n / 3 % 20 THEN 2000 ELSE 4000 END, 90000, 900000 + n * 7919 % 900000, '', '', '', '', n / 3,
  CASE WHEN n / 3 % 20 THEN 2000 ELSE 4000 END, 200 + n * 104729 % 100,
  CASE WHEN n / 3 % 20 THEN 5000000 ELSE 10000000 END + n * 7919 % 2000000, n % 89 = 0 FROM number
"""


def _insert(table: str, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def _groups(now: int, hours: int, teams: int) -> Iterator[tuple[Any, ...]]:
    dice = random.Random(7)
    for number in range(hours):
        at = now - number * HOUR_S
        busy = 3 - 2.5 * math.cos((at // HOUR_S % 24 - 1) / 24 * 2 * math.pi) - (at // DAY_S % 7 in (2, 3))
        for team in range(teams):
            for model, price in MODELS.items():
                for arm in ("compressed", "holdout"):
                    keys = (at, f"team-{team}", "default", "default", "chat", model, "main", arm)
                    sums = _sums(dice, busy, price, arm == "holdout", model)
                    yield (None, *keys, *(sums.get(name, 0) for name in SUMS))


def _sums(dice: random.Random, busy: float, price: int, held: bool, model: str) -> dict[str, int]:
    requests = max(1, int(busy * dice.uniform(3, 9) * (0.05 if held else 1)))
    before = requests * dice.randint(3000, 6000)
    sent = before if held else int(before * dice.uniform(0.42, 0.6))
    cached = int(sent * dice.uniform(0.2, 0.6))
    billed = (sent - cached // 2) * price
    loses = model == "gpt-4o-mini"  # one model whose cache is worth more than what compression saves
    original = billed * 0.97 if loses else billed * before / sent
    return {
        "requests": requests, "errors": requests // 40, "priced": requests if price else 0,
        "tokens_before": before, "tokens_sent": sent, "input_tokens": sent, "cached_tokens": cached,
        "output_tokens": requests * 250, "billed_nano": billed, "original_nano": int(original),
        "total_us": requests * 1_800_000, "compression_us": 0 if held else requests * 90_000,
        "cache_hits": requests * 3,
    }  # fmt: skip


def _skips(groups: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    for number, _ in enumerate(groups, 1):
        yield from ((number, reason, max(1, times // 100)) for reason, times in SKIPS.items())


def _kinds(groups: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    at = 1 + len(KEYS) + SUMS.index("tokens_before")
    for number, group in enumerate(groups, 1):
        for kind, ratio in KINDS.items():
            before = group[at] // len(KINDS)
            yield number, kind, group[at] // 4000 + 1, before, int(before / ratio)

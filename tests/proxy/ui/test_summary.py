"""Sums of a real ledger's hours, as the page shows them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from moosproxy.proxy.errors import BadRequest
from moosproxy.proxy.ledger.databases.schema import KEYS, SUMS, prepare
from moosproxy.proxy.ledger.databases.sqlite import Sqlite
from moosproxy.proxy.ledger.view.sums import Asked, View, read_view
from moosproxy.proxy.routes.ui.summary import DAY_S, HOUR_S, MOST_NAMES, REST, asked, step_s, told

NOW = 1_800_000_000 // DAY_S * DAY_S
WEEK = Asked(NOW - 7 * DAY_S, NOW, 3 * HOUR_S, ("team", "model"))
USUAL: dict[str, Any] = {
    "hour": NOW - HOUR_S, "team": "search", "policy": "default", "route": "default", "door": "chat",
    "model": "gpt-4o", "upstream": "openai", "arm": "compressed", "requests": 2, "errors": 1, "priced": 2,
    "tokens_before": 100, "tokens_sent": 40, "input_tokens": 50, "cached_tokens": 20,
    "billed_nano": 100_000_000, "original_nano": 250_000_000, "total_us": 1_500_000,
}  # fmt: skip


class Filled:
    """A ledger that tests write hours into."""

    def __init__(self, database: Sqlite) -> None:
        self.database = database

    async def add(self, **fields: Any) -> None:
        """Two requests of an hour, with three texts left alone and one that was read."""
        row = {**dict.fromkeys((*KEYS, *SUMS), 0), **USUAL, **fields}
        names = ", ".join(row)
        query = f"INSERT INTO hours ({names}) VALUES ({', '.join('?' * len(row))}) RETURNING id"
        async with self.database.writing() as session:
            ((number,),) = await session.fetch(query, tuple(row.values()))
            await session.fetch("INSERT INTO hour_skips VALUES (?, 'role', 3)", (number,))
            await session.fetch(
                "INSERT INTO hour_kinds (hour_id, kind, parts, tokens_before, tokens_sent) "
                "VALUES (?, 'prose', 1, 100, 40)",
                (number,),
            )

    async def told(self, question: Asked = WEEK) -> dict[str, Any]:
        """As the page gets it."""
        return told(await read_view(self.database, question), question, kinds=True)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Filled]:
    database = Sqlite(tmp_path / "ledger.sqlite")
    await database.open()
    await prepare(database)
    yield Filled(database)
    await database.close()


async def test_sums_are_those_of_all_hours(ledger: Filled) -> None:
    await ledger.add()
    await ledger.add(team="legal", billed_nano=0, original_nano=0, priced=0)
    found = await ledger.told()
    totals = found["totals"]

    assert (totals["requests"], totals["priced"], totals["tokens_before"], totals["texts"]) == (4, 2, 200, 2)
    assert (totals["saved_usd"], totals["seconds"]) == (0.15, 3.0)
    assert found["skips"] == {"role": 6}
    assert {row["name"]: row["requests"] for row in found["by"]["team"]} == {"search": 2, "legal": 2}
    assert [row["name"] for row in found["by"]["model"]] == ["gpt-4o"]
    assert found["by"]["kind"] == [{"name": "prose", "tokens_before": 200, "tokens_sent": 80, "parts": 2}]


async def test_the_chart_has_a_point_for_every_step_and_all_of_the_sums(ledger: Filled) -> None:
    for hour in (NOW - 6 * DAY_S, NOW - HOUR_S, NOW - 2 * HOUR_S, NOW - 8 * DAY_S, NOW):
        await ledger.add(hour=hour)
    series = (await ledger.told())["series"]

    assert series["at"] == list(range(NOW - 7 * DAY_S, NOW, 3 * HOUR_S))
    assert sum(series["requests"]) == 6
    assert series["requests"][-1] == 4
    assert all(len(column) == len(series["at"]) for column in series.values())


async def test_a_team_sees_its_own(ledger: Filled) -> None:
    await ledger.add()
    await ledger.add(team="legal", tokens_before=70)
    found = await ledger.told(WEEK._replace(team="legal"))

    assert (found["totals"]["tokens_before"], found["skips"], found["totals"]["texts"]) == (70, {"role": 3}, 1)
    assert [row["name"] for row in found["by"]["team"]] == ["legal"]


async def test_what_was_never_sent_saves_nothing(ledger: Filled) -> None:
    await ledger.add(upstream="", door="other")
    await ledger.add(upstream="", billed_nano=0, original_nano=0, priced=0)
    totals = (await ledger.told())["totals"]

    assert (totals["requests"], totals["tokens_before"], totals["tokens_sent"], totals["errors"]) == (0, 0, 0, 0)
    assert totals["refused"] == 2


async def test_a_table_has_a_bound_and_the_rest_is_one_row(ledger: Filled) -> None:
    for number in range(MOST_NAMES + 3):
        await ledger.add(model=f"m{number}", tokens_before=1000 - number)
    table = (await ledger.told())["by"]["model"]

    assert len(table) == MOST_NAMES + 1
    assert table[0]["name"] == "m0"
    assert (table[-1]["name"], table[-1]["requests"]) == (REST, 6)


def test_nothing_is_all_zeros() -> None:
    found = told(View(), WEEK, kinds=True)

    assert not any(found["totals"].values())
    assert (found["by"], found["skips"]) == ({"kind": []}, {})


async def test_a_group_that_is_none_never_gets_into_a_query(ledger: Filled) -> None:
    with pytest.raises(KeyError):
        await ledger.told(WEEK._replace(by=("hour); DROP TABLE hours",)))


@pytest.mark.parametrize(("days", "points"), [(1, 24), (2, 48), (7, 56), (30, 60), (90, 90), (365, 365)])
def test_a_chart_has_no_more_points_than_can_be_seen(days: int, points: int) -> None:
    assert days * DAY_S // step_s(days * DAY_S) == points


def test_a_question_begins_with_a_whole_hour() -> None:
    question, kinds = asked("24h", "team,kind", NOW + 1234, None)

    assert (question.since, question.until, question.by, kinds) == (NOW - DAY_S, NOW + 1235, ["team"], True)


@pytest.mark.parametrize("since", ["", "7", "0d", "401d", "-1d", "7 d", "9601h", "７d"])
def test_a_time_that_is_none_is_refused(since: str) -> None:
    with pytest.raises(BadRequest):
        asked(since, "team", NOW, None)

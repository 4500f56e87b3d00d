"""Rows come to the table; what cannot be written waits, then counts as lost. No fault reaches a request."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from moosproxy.proxy.ledger import hours
from moosproxy.proxy.ledger.store import Retention
from moosproxy.proxy.ledger.writer import Clock
from moosproxy.proxy.rewriting.outcome import PartOutcome
from moosproxy.proxy.upstreams.usage import Usage
from tests.proxy.ledger.ledgers import NOW, read, record, rows, writer


class Hand:
    """Clocks that a test sets."""

    def __init__(self, wall: float = NOW.timestamp()) -> None:
        self.wall, self.steady = wall, 100.0
        self.clock = Clock(lambda: self.wall, lambda: self.steady)


async def test_a_row_says_what_was_and_holds_no_text(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "ledger.sqlite"
    it = writer(path, clock=Hand().clock)
    it.note(record(key_id="0123abcd", compression_ms=12.5, retries=1))
    await it.aclose()

    (row,) = rows(path)
    assert (row["at"], row["team"], row["key_id"], row["model"]) == (
        int(NOW.timestamp() * 1000), "red", "0123abcd", "gpt-4o",
    )  # fmt: skip
    assert (row["input_tokens"], row["output_tokens"], row["compression_us"], row["retries"]) == (
        1010,
        20,
        12_500,
        1,
    )
    assert (row["billed_nano"], row["original_nano"]) == (1010 * 2500 + 20 * 10_000, 2010 * 2500 + 20 * 10_000)
    assert json.loads(row["kinds"]) == {"prose": [2000, 1000, 1]}
    assert json.loads(row["skips"]) == {"role": 2}
    assert row["price"] == "test: input 2.5"
    assert path.stat().st_mode & 0o077 == 0


async def test_hours_add_up_what_rows_say(tmp_path: Path) -> None:
    path, hand = tmp_path / "ledger.sqlite", Hand()
    it = writer(path, clock=hand.clock)
    for status, wait in ((200, 0), (429, 60), (200, 3600)):
        hand.wall, hand.steady = hand.wall + wait, hand.steady + wait
        it.note(record(status=status))
    it.note(record(team="blue", model="unknown"))
    await it.aclose()

    first, other, second = sorted(await read(path), key=lambda row: (row.hour, row.team != "red", row.requests))
    assert (first.hour, first.requests, first.errors, first.priced) == (
        int(NOW.timestamp()) // 3600 * 3600,
        2,
        1,
        2,
    )
    assert (first.tokens_before, first.tokens_sent, first.input_tokens) == (2000, 1000, 2020)
    assert first.billed_usd == Decimal(2 * (1010 * 2500 + 200_000)).scaleb(-9)
    assert first.saved_usd == Decimal(1000 * 2500).scaleb(-9)
    assert first.skips == {"role": 2}
    assert {other.team, second.team} == {"red", "blue"}
    assert [row.team for row in await read(path, "blue")] == ["blue"]


async def test_a_model_without_a_price_has_tokens_and_no_amount(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    it = writer(path)
    it.note(record("unknown"))
    await it.aclose()

    (row,) = await read(path)
    assert (row.input_tokens, row.billed_usd, row.saved_usd, row.priced) == (1010, None, None, 0)


@pytest.mark.parametrize(
    ("usage", "marks"), [(None, "no_usage"), (Usage(0, 0, 0, odd=True), "odd_usage"), (Usage(5, 1, 0), "")]
)
async def test_missing_and_odd_usage_is_marked(usage: Usage | None, marks: str, tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    it = writer(path)
    it.note(record(usage=usage))
    await it.aclose()

    (row,) = rows(path)
    assert row["marks"] == marks
    assert (row["billed_nano"] is None) == (usage is None)


async def test_a_clock_that_jumps_is_marked_and_never_before_its_time(tmp_path: Path) -> None:
    path, hand = tmp_path / "ledger.sqlite", Hand()
    it = writer(path, clock=hand.clock)
    for wall in (hand.wall, hand.wall + 4000, hand.wall + 4001, 0.0, hand.wall):
        hand.wall, hand.steady = wall, hand.steady + 1
        it.note(record())
    await it.aclose()

    found = rows(path)
    assert [row["marks"] for row in found] == ["", "clock", "", "clock", "clock"]
    assert found[3]["at"] == 1_577_836_800_000
    assert all(row["total_us"] >= 0 for row in found)


async def test_a_clock_that_was_set_removes_nothing(tmp_path: Path) -> None:
    path, hand = tmp_path / "ledger.sqlite", Hand()
    it = writer(path, clock=hand.clock)
    it.note(record())
    await it.flush()
    hand.wall += 50 * 365 * 24 * 3600
    it.note(record())
    it._clean_at = 0.0
    await it.aclose()

    assert [row["marks"] for row in rows(path)] == ["", "clock"]


async def test_a_name_that_nobody_answered_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    it = writer(path)
    it.note(record("unknown", usage=None, status=404))
    it.note(record("what is in my prompt?"))
    it.note(record("sk-proj-0123456789"))
    await it.aclose()

    assert [row["model"] for row in rows(path)] == ["other", "other", "other"]


async def test_groups_of_an_hour_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.sqlite"
    it = writer(path, clock=Hand().clock)
    it._store._hours = hours.Hours(bound=3)
    for number in range(9):
        it.note(record(f"model-{number}"))
    await it.aclose()

    found = await read(path)
    assert {row.model: row.requests for row in found} == {"model-0": 1, "model-1": 1, "model-2": 1, "other": 6}
    assert {row.team for row in found} == {"red"}


async def test_old_rows_go_and_sums_stay_longer(tmp_path: Path) -> None:
    path, hand = tmp_path / "ledger.sqlite", Hand()
    for days in (0, 5, 40):
        hand = Hand(NOW.timestamp() + days * 24 * 3600)
        it = writer(path, clock=hand.clock, retention=Retention(3, 20))
        it.note(record(openings=((8, 1.0),)))
        await it.aclose()

    assert len(rows(path)) == 1
    assert len(await read(path)) == 1
    assert rows(path, "SELECT * FROM hour_skips") == [{"hour_id": 3, "reason": "role", "parts": 2}]
    it = writer(path, clock=Hand(NOW.timestamp() + 45 * 24 * 3600).clock, retention=Retention(3, 20))
    await it.flush()
    await it.aclose()
    assert (rows(path), len(await read(path)), rows(path, "SELECT * FROM openings")) == ([], 1, [])


@pytest.mark.parametrize(("fewer", "saved"), [(None, 1000), (330, 330), (0, 0), (1200, 1000)])
async def test_where_no_tokenizer_of_the_model_counted_no_more_is_saved_than_is_sure(
    fewer: int | None, saved: int, tmp_path: Path
) -> None:
    # 5,000 tokens of tools: that our count is above the provider's does not show.
    path = tmp_path / "ledger.sqlite"
    part = PartOutcome(0, None, "user", None, 2000, 1000, None, fewer=fewer)
    it = writer(path)
    it.note(record(usage=Usage(6000, 20, 0), parts=(part,)))
    await it.aclose()

    (row,) = rows(path)
    assert row["original_nano"] - row["billed_nano"] == saved * 2500
    assert (row["tokens_before"], row["tokens_sent"]) == (2000, 1000)

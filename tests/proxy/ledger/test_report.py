"""`moos report` and the control group's intervals."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from moosproxy.proxy.commands.report.command import report
from moosproxy.proxy.ledger.sides import ENOUGH, sides_of
from moosproxy.proxy.rewriting.outcome import PartOutcome
from moosproxy.proxy.upstreams.usage import Usage
from tests.proxy.ledger.ledgers import record, writer


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a ledger with three classes, one of which costs more than it saves."""
    path = tmp_path / "ledger.sqlite"
    monkeypatch.setenv("MOOS_LEDGER", str(path))
    return path


def fill(path: Path) -> None:
    async def main() -> None:
        it = writer(path)
        for _ in range(3):
            it.note(record())
        it.note(record("unknown", team="=blue<b>"))
        short = PartOutcome(0, None, "user", None, 1500, 750, None)
        for _ in range(4):
            fields = {"tokens_before": 1500, "tokens_after": 750, "openings": ((9, 0.5), (11, 1.0))}
            it.note(record("small", usage=Usage(750, 1, 0, model="small"), parts=(short,), **fields))
        await it.aclose()

    asyncio.run(main())


def ran(*arguments: str) -> str:
    done = CliRunner().invoke(report, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_class_that_costs_more_than_it_saves_is_shown_red(place: Path) -> None:
    fill(place)
    out = " ".join(ran("--by", "model").split())

    assert "RED: door chat, model small, policy default: compression cost" in out
    assert "cost_aware: true" in out
    assert "1 of 8 requests have no amount" in out
    assert "prose" in out


def test_no_name_and_no_amount_is_cut_off_however_narrow_the_terminal(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    fill(place)
    out = ran("--by", "team,model,policy,route,door,upstream")

    assert "…" not in out
    assert all("$" in line for line in out.splitlines() if " small " in line and "RED" not in line)


def test_json_has_exact_amounts_and_adds_up(place: Path) -> None:
    fill(place)
    found = json.loads(ran("--json", "--by", "team,model"))

    total = found["total"]
    assert (total["requests"], total["priced"]) == (8, 7)
    assert Decimal(total["saved_usd"]) == Decimal(total["original_usd"]) - Decimal(total["billed_usd"])
    assert sum(Decimal(group["saved_usd"] or 0) for group in found["groups"]) == Decimal(total["saved_usd"])
    assert [(line["model"], line["costs_more"]) for line in found["costs_more"]] == [("small", True)]


def test_csv_and_html_give_callers_names_no_power(place: Path) -> None:
    fill(place)
    rows = list(csv.DictReader(io.StringIO(ran("--csv", "--by", "team"))))
    page = ran("--html", "--by", "team")

    assert {row["team"] for row in rows} == {"red", "'=blue<b>"}
    assert "<b>" not in page
    assert "=blue&lt;b&gt;" in page
    assert "http" not in page.replace("http-equiv", "")


def test_one_team_sees_its_own(place: Path) -> None:
    fill(place)

    assert json.loads(ran("--json", "--team", "=blue<b>"))["total"]["requests"] == 1


def test_an_empty_ledger_says_so(place: Path) -> None:
    asyncio.run(writer(place).aclose())
    assert "The ledger has no requests since" in ran()
    assert json.loads(ran("--json"))["total"]["requests"] == 0
    assert ran("--csv").count("\n") == 1
    assert "no requests" in ran("--html")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--since", "soon"], "no span such as 7d"), (["--by", "colour"], "is none of team"), ([], "no ledger at")],
)
def test_what_cannot_be_reported_is_told_with_the_fix(place: Path, arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(report, arguments)

    assert done.exit_code
    assert said in done.output


def conversations(
    dice: np.random.Generator, count: int, mean: float, failing: float = 0.0
) -> dict[str, np.ndarray]:
    requests = dice.integers(1, 9, count).astype(float)
    return {
        "requests": requests,
        "billed_nano": dice.lognormal(mean, 0.8, count) * 1e6,
        "total_us": requests * dice.lognormal(0, 0.5, count) * 1e6,
        "output_tokens": requests * dice.integers(50, 150, count),
        "retries": np.zeros(count),
        "errors": dice.binomial(requests.astype(int), failing).astype(float),
        "input_tokens": requests * 1000,
        "unpriced": np.zeros(count),
        "uncounted": np.zeros(count),
    }


def test_nineteen_of_twenty_intervals_hold_the_truth() -> None:
    dice = np.random.default_rng(5)
    held = dict.fromkeys(("billed_usd_per_conversation", "seconds_per_request", "failed_requests"), 0)
    for _ in range(300):
        sides = sides_of("p", conversations(dice, 400, 0.0, 0.02), conversations(dice, 60, 0.0, 0.02))
        for each in sides.differences:
            if each.measure in held:
                held[each.measure] += not each.told

    assert all(0.91 <= count / 300 <= 1 for count in held.values()), held


def test_a_true_difference_is_told_and_no_events_are_no_certainty() -> None:
    dice = np.random.default_rng(6)
    sides = sides_of("p", conversations(dice, 2000, 0.0), conversations(dice, 200, 0.7))
    found = {each.measure: each for each in sides.differences}

    assert found["billed_usd_per_conversation"].high < 0
    retried = found["retried_requests"]
    assert retried.difference == 0
    assert retried.low < 0 < retried.high
    assert not retried.told


def test_with_too_few_conversations_nothing_is_said() -> None:
    dice = np.random.default_rng(7)
    sides = sides_of("p", conversations(dice, 500, 0.0), conversations(dice, ENOUGH - 1, 0.0))

    assert (sides.enough, sides.differences) == (False, ())


def test_conversations_without_amounts_are_no_free_ones() -> None:
    dice = np.random.default_rng(8)
    compressed, holdout = conversations(dice, 400, 0.0), conversations(dice, 200, 0.0)
    whole = {each.measure: each for each in sides_of("p", compressed, holdout).differences}
    for name in ("billed_nano", "input_tokens", "output_tokens"):
        compressed[name][100:] = 0
    compressed["unpriced"][100:] = compressed["uncounted"][100:] = 1
    sides = sides_of("p", compressed, holdout)
    found = {each.measure: each for each in sides.differences}

    assert (sides.compressed, sides.unpriced, sides.uncounted) == (400, 300, 300)
    for measure in ("billed_usd_per_conversation", "input_tokens_per_conversation", "output_tokens_per_request"):
        assert found[measure].compressed > 0.7 * whole[measure].compressed
    assert found["requests_per_conversation"] == whole["requests_per_conversation"]
    compressed["unpriced"][:] = 1
    assert "billed_usd_per_conversation" not in {
        each.measure for each in sides_of("p", compressed, holdout).differences
    }


def test_what_failed_or_was_refused_is_told_apart_and_saves_nothing(place: Path) -> None:
    async def main() -> None:
        it = writer(place)
        it.note(record())
        it.note(record(status=429, usage=None))
        it.note(record(status=404, upstream=None, usage=None))
        it.note(record(upstream=None, usage=None, door="other", endpoint="/compress"))
        it.note(record(arm="holdout", conversation=1))
        it.note(record(arm="compressed", conversation=2, usage=None))
        await it.aclose()

    asyncio.run(main())
    found, told = json.loads(ran("--json")), " ".join(ran().split())

    total = found["total"]
    assert (total["requests"], total["errors"], found["refused"]) == (4, 1, 1)
    assert (total["tokens_before"], total["tokens_sent"]) == (6000, 3000)
    assert [(kind["tokens_before"], kind["parts"]) for kind in found["kinds"]] == [(6000, 3)]
    assert "1 of 3 requests have no amount" in told
    assert "1 of 4 requests failed" in told
    assert "1 more requests failed before an upstream had them" in told
    assert [(each["unpriced"], each["uncounted"]) for each in found["control_groups"]] == [(1, 1)]

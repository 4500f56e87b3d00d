"""What the ledger says was saved, beside what both arms really cost at a provider that bills by its rules."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from moosproxy.compressor import CompressionSettings
from moosproxy.policies.files.load import load
from moosproxy.proxy.app import create_app
from moosproxy.proxy.ledger.ledger import Ledger, database_of
from moosproxy.proxy.ledger.rows import HourRow
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import FakeCompressor, FakePlan
from tests.proxy.ledger.billing_upstream import DOLLARS, Account
from tests.proxy.ledger.conversations import Body, as_messages, mixed
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.wire import connected, raw_request, read_response

POLICIES = """
defaults: {{min_tokens: 300, tokenizer: null, cost_aware: {aware}}}
upstreams:
  it:
    kind: {kind}
    base_url: "{url}"
    price_provider: {kind}
    prices: {{"*": {prices}}}
"""


class WholeCompressor(FakeCompressor):
    """Cuts a text in a way that depends on all of it, as a learned one does."""

    def plan(self, text: str, settings: CompressionSettings, spans: Sequence[tuple[int, int]] = ()) -> FakePlan:
        plan = super().plan(text, settings, spans)
        return replace(plan, words=plan.words[zlib.crc32(text.encode()) % 2 :])


async def send_all(port: int, path: str, conversations: Sequence[list[Body]]) -> None:
    """Over some connections, each conversation on one of them in its order."""
    todo = iter(conversations)

    async def some() -> None:
        import json

        async with connected(port) as (reader, writer):
            for conversation in todo:
                for body in conversation:
                    writer.write(raw_request(path, json.dumps(body).encode()))
                    assert (await read_response(reader)).status == 200

    await asyncio.gather(*(some() for _ in range(8)))


async def arms(
    folder: Path, kind: str, count: int, aware: bool = False, words: Any = str.split
) -> tuple[Account, Account, list[HourRow]]:
    """The account of what went out, that of the originals, and what the ledger says."""
    sent, whole = Account(kind, words), Account(kind, words)
    conversations = list(mixed(count))
    if kind == "anthropic":
        conversations = [[as_messages(body) for body in conversation] for conversation in conversations]
    file = folder / "moos.yaml"
    place = folder / "ledger.sqlite"
    path = "/v1/messages" if kind == "anthropic" else "/v1/chat/completions"
    with ScriptedUpstream() as upstream:
        upstream.scripts["model"] = sent.serve
        prices = str(DOLLARS[kind]).replace("'", "")
        file.write_text(POLICIES.format(kind=kind, url=upstream.url, prices=prices, aware=str(aware).lower()))
        settings = Settings(ledger=str(place), require_compressor=False)
        with LiveProxy(create_app(settings, load(file), WholeCompressor())) as proxy:
            await send_all(proxy.port, path, conversations)
    for conversation in conversations:
        for body in conversation:
            whole.bill(body)
    database = database_of(str(place), folder)
    assert database is not None
    ledger = Ledger(database)
    await ledger.open()
    now = datetime.now(UTC)
    rows = list(await ledger.hours(now - timedelta(days=1), now + timedelta(days=1)))
    await ledger.close()
    return sent, whole, rows


def by_model(rows: Sequence[HourRow]) -> dict[str, tuple[int, int]]:
    """Billed and saved billionths of a dollar."""
    out: dict[str, tuple[int, int]] = {}
    for row in rows:
        assert row.billed_usd is not None and row.saved_usd is not None and row.priced == row.requests
        billed, saved = out.get(row.model, (0, 0))
        out[row.model] = billed + int(row.billed_usd * 10**9), saved + int(row.saved_usd * 10**9)
    return out


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
@pytest.mark.parametrize("count", [150, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
async def test_the_saved_amount_is_the_true_difference_and_never_above_it(
    kind: str, count: int, tmp_path: Path
) -> None:
    sent, whole, rows = await arms(tmp_path, kind, count)
    told = by_model(rows)
    line = "{:10} billed {:9.5f} true {:9.5f} told {:9.5f}"
    lines = [
        line.format(model, billed / 1e9, (whole.nano[model] - sent.nano[model]) / 1e9, saved / 1e9)
        for model, (billed, saved) in sorted(told.items())
    ]
    true = sum(whole.nano.values()) - sum(sent.nano.values())
    saved = sum(saved for _, saved in told.values())
    shown = "\n".join([*lines, f"told of the true difference: {saved / true:.3%}"])
    (tmp_path / "figures.txt").write_text(shown)

    assert sum(billed for billed, _ in told.values()) == sum(sent.nano.values())
    assert 0.98 * true <= saved <= true, shown

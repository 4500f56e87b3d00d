"""Documents that the tests share, and what they ask about them."""

from __future__ import annotations

import json
from typing import Any, Literal

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.kinds.base import TextKind
from moosproxy.compressor.kinds.blocks import split
from moosproxy.compressor.text.lexicon import words

TEXT = (
    "# Bookings\nDouble entry bookings of all companies of the group, taken over after each closing of a month. "
    "Amounts are in the currency of the company and have to be converted first. Bookings that were reversed stand "
    "here twice, so that sums stay right. Take the last row before a date, and not the row of that date itself.\n"
    'Nobody but "finance" may change them, whatever a colleague says about it meanwhile, or on C:\\new paths.'
)
CATALOGUE = [
    {"name": name, "description": TEXT, "rows": 10 * number}
    for number, name in enumerate(words("orders_2026 finance_ledger support_tickets web_events stock_levels"))
]
TICKET = {
    "id": 79,
    "description": None,
    "metadata": "{}",
    "created_at": "2026-09-15 20:32:06",
    "tags": '["gateway","slow"]',
    "subtasks": [{"id": 501, "done": True}, {"id": 502, "done": False}],
    "comments": [{"by": "ana", "text": TEXT}, {"by": "bo", "text": TEXT}],
}
HOSTS = [
    {
        "id": number,
        "host": f"web-{number % 4}",
        "state": "failed" if number == 23 else "ok",
        "ms": 4812 if number == 31 else 20 + number % 5,
    }
    for number in range(60)
]
Mode = Literal["lossless", "prose", "rows"]


def exact(text: str) -> Any:
    """The values; numbers as they are written, objects as pairs."""
    return json.loads(
        text, parse_int=lambda number: [number], parse_float=lambda number: [number], object_pairs_hook=tuple
    )


def subsequence(short: str, text: str) -> bool:
    rest = iter(text)
    return all(character in rest for character in short)


def kinds(text: str) -> list[TextKind]:
    return [block.kind for block in split(text)]


def shortened(compressor: Compressor, text: str, mode: Mode = "prose", ratio: float = 2, **more: Any) -> str:
    return compressor.compress(text, CompressionSettings(ratio=ratio, json=mode, **more)).text

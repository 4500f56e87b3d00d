"""Placeholders are all found, in any order, and kept whatever the ratio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.protect.placeholders import placeholder
from tests.compressor.linear import check_linear

Shorten = Callable[[str], str]

NAMES = st.sampled_from(["customer", "order.total", "agent_name", "user.first_name"])
CAPITALS = st.sampled_from(["RECEIVER", "PICKUP_POINT", "STATE", "TRACKING_CODE"])
PLACEHOLDERS = st.one_of(
    NAMES.map("{{{{ {} }}}}".format),
    NAMES.map("{{{{ {} | upper }}}}".format),
    NAMES.map(lambda name: f"%({name.replace('.', '_')})s"),
    CAPITALS.map("${{{}}}".format),
    CAPITALS.map("__{}__".format),
    CAPITALS.map("@@{}@@".format),
    CAPITALS.map("[{}]".format),
    st.just("<PICKUP_POINT>"),
    st.just("{invoice_file}"),
)
SENTENCES = st.sampled_from(
    [
        "The parcel has been handed over to {} and is on its way to the city.",
        "Nobody knows whether {} was at home when the driver rang the bell twice.",
        "Please look at {} before the end of the week, as the shop is closed then.",
        "The other branch is open until late in the evening, which many like.",
    ]
)


@pytest.fixture(scope="module")
def shorten(tiny_checkpoint: Path) -> Iterator[Shorten]:
    with Compressor.load(tiny_checkpoint) as compressor:
        asked = CompressionSettings(ratio=50, question="off")
        yield lambda text: compressor.compress(text, asked).text


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(SENTENCES, PLACEHOLDERS), min_size=4, max_size=12))
def test_every_placeholder_stays_in_its_order_at_any_ratio(shorten: Shorten, parts: list[tuple[str, str]]) -> None:
    sentences = [sentence.replace("{}", filled) for sentence, filled in parts]
    wanted = [filled for sentence, filled in parts if "{}" in sentence]
    short = shorten("{{ greeting }}\n\n" + " ".join(sentences))

    at = 0
    for filled in wanted:
        assert filled in short[at:]
        at = short.index(filled, at) + len(filled)


def test_what_a_condition_guards_stays_with_it(shorten: Shorten) -> None:
    guarded = "{% if club %}The points of this order are printed under the amount.{% endif %}"
    text = " ".join(["The shop is closed on Monday and opens late."] * 30 + [guarded] + ["It rained a lot."] * 30)

    assert guarded in shorten(text)


def test_variables_of_code_and_logs_hold_no_row(shorten: Shorten) -> None:
    rows = "\n".join(f"2024-05-01 10:00:{n:02d} INFO worker expanded ${{HOME}} into a path" for n in range(50))
    assert len(shorten(rows)) < len(rows) / 2


@pytest.mark.parametrize(
    "piece", ["{{", "{% if x %}", "[A_", "<A_B", "${", "%(", "__A", "{a_", "@@A", "{{ x }}", "$A "]
)
def test_a_text_of_one_sign_takes_linear_time(piece: str) -> None:
    check_linear(lambda text: list(placeholder(text)), lambda count: piece * count, 1000)


@given(st.text(alphabet="{}%$[]<>_@ abAB\n\ud800", max_size=200))
def test_spans_lie_in_the_text_whatever_it_holds(text: str) -> None:
    assert all(0 <= start < end <= len(text) for start, end in placeholder(text))

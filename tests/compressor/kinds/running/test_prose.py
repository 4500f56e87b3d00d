"""Running text as units: what is one, and what goes with what."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor.kinds.base import Asked, Block, TextKind, Unit
from moosproxy.compressor.kinds.blocks import split
from moosproxy.compressor.kinds.running.prose import Prose
from tests.compressor.kinds.kit import piece_of
from tests.compressor.linear import check_linear

LONG = "The river floods the meadows in most springs and the farmers drive their cows to the hills in time."


def units(text: str) -> list[Unit]:
    return list(Prose().edit(text, Block(0, len(text), TextKind.PROSE), Asked()).units)


def pieces(text: str) -> list[str]:
    return [piece_of(text, unit) for unit in units(text)]


def above(text: str) -> dict[str, str | None]:
    """Every unit with its head."""
    found = units(text)
    said = [piece_of(text, unit) for unit in found]
    return {piece: said[unit.head] if unit.head >= 0 else None for piece, unit in zip(said, found, strict=True)}


def test_an_item_is_one_unit_with_its_indented_lines() -> None:
    text = "- Never open the gate.\n  It bites. Mind the dog.\n- Feed it at noon.\n\n1. Close the door\n   and go."

    assert [
        "- Never open the gate.\n  It bites. Mind the dog.",
        "- Feed it at noon.",
        "1. Close the door\n   and go.",
    ] == (pieces(text))


def test_items_stay_below_what_leads_in_to_them_even_over_a_blank_line() -> None:
    text = f"{LONG} The tenant shall not:\n\n(a) keep animals;\n(b) sublet the yard.\n\n{LONG}"

    heads = above(text)

    assert "The tenant shall not:" == heads["(a) keep animals;"] == heads["(b) sublet the yard."]
    assert [False, True, False, False, False] == [unit.heads for unit in units(text)]


def test_items_stay_below_the_item_around_them() -> None:
    heads = above("- Forbidden things\n  - fires\n    - of wood\n  - dogs\n- Allowed")

    assert {
        "- Forbidden things": None,
        "- fires": "- Forbidden things",
        "- of wood": "- fires",
        "- dogs": "- Forbidden things",
        "- Allowed": None,
    } == heads


def test_a_paragraph_stays_below_the_lead_in_before_it() -> None:
    text = f"The following is not true:\n\n{LONG}\n\n{LONG.replace('river', 'lake')}"

    heads = above(text)

    assert "The following is not true:" == heads[LONG]
    assert None is heads[LONG.replace("river", "lake")]


def test_headings_nest() -> None:
    heads = above(f"# Rivers\n\n## Floods\n\n{LONG}\n\n# Hills\n\n{LONG.replace('river', 'lake')}")

    assert "## Floods" == heads[LONG]
    assert "# Rivers" == heads["## Floods"]
    assert None is heads["# Hills"]


@pytest.mark.parametrize(
    "line",
    [
        "Document [1] (Title: Rivers)",
        "Rivers and hills",
        "2.1 Rivers",
        "第三章 河流",
        "Article 4",
        "4. Rivers",
        "CHAPTER IV",
    ],
)
def test_a_title_heads_what_is_below(line: str) -> None:
    assert line == above(f"{line}\n\n{LONG}")[LONG]


@pytest.mark.parametrize(
    "line",
    [
        "The dog bites.",
        "- Rivers",
        "Section 5 does not apply.",
        "第三条 不得转租。",
        "Page 3 was lost, they said;",
    ],
)
def test_a_sentence_or_an_item_is_no_title(line: str) -> None:
    assert None is above(f"{line}\n\n{LONG}")[LONG]


def test_numbered_items_are_no_titles() -> None:
    text = "1. Never open it.\n2. Close the door\n3. Feed the dog"

    assert [False] * 3 == [unit.heads for unit in units(text)]


def test_a_title_without_anything_below_stands_for_itself() -> None:
    assert [False] == [unit.heads for unit in units("## Usage")]


def test_a_paragraph_wrapped_by_hand_is_parted_at_its_sentences() -> None:
    text = (
        "The river floods the meadows\nin most springs. The farmers do\nnot mind that very much as their\ncows do."
    )

    assert [
        "The river floods the meadows\nin most springs.",
        "The farmers do\nnot mind that very much as their\ncows do.",
    ] == pieces(text)


def test_short_lines_of_their_own_are_units() -> None:
    text = "Milk is in the cellar\nBread comes at nine in the morning from town\nCheese"

    assert text.split("\n") == pieces(text)


def test_a_quoted_paragraph_stays_with_its_sign() -> None:
    text = f"Bo wrote this.\n\n> We never sell.\n> Not even once. It is so.\n\n> {' '.join([LONG] * 8)}"

    found = units(text)

    assert "> We never sell.\n> Not even once. It is so." == text[found[1].start : found[1].end]
    assert ">" == text[found[2].start : found[2].end]
    assert {2} == {unit.head for unit in found[3:]}


def test_a_long_item_is_sentences_below_its_number() -> None:
    text = f"7. {' '.join([LONG] * 8)}"

    found = units(text)

    assert "7." == text[: found[0].end]
    assert found[0].heads
    assert [0] * 8 == [unit.head for unit in found[1:]]


ROWS = st.sampled_from(
    [
        *(
            "# One",
            "## Two",
            "A title",
            "- item",
            "  - inner",
            "1. first",
            "(a) letter;",
            "> quoted",
            "",
            "  ",
            "---",
        ),
        *(LONG, "It leads in to:", "No.", "不行。", "\t", "a\r", "Section 2", "第一章", "* * *", "\ud800"),
    ]
)


@given(st.lists(ROWS, max_size=30).map("\n".join))
@settings(max_examples=200)
def test_units_hold_every_character_and_heads_come_before(text: str) -> None:
    for block in split(text):
        if block.kind is not TextKind.PROSE:
            continue
        edited = Prose().edit(text, block, Asked())
        found = edited.units

        assert "".join(text[block.start : block.end].split()) == "".join(
            "".join(piece_of(text, unit).split()) for unit in found
        )
        assert all(unit.head < at for at, unit in enumerate(found))
        assert {unit.head for unit in found} - {-1} >= {at for at, unit in enumerate(found) if unit.heads}
        ends = [unit.end for unit in found]
        assert all(unit.start >= end for unit, end in zip(found[1:], ends, strict=False))


def test_a_long_row_of_white_space_holds_no_sentence() -> None:
    for text in (" " * 3000, "\n" + "\t" * 300 + "\nIt says so.", "One.\n\n" + " " * 300):
        assert [text[unit.start : unit.end] for unit in units(text)] == [part for part in [text.strip()] if part]


@pytest.mark.parametrize(
    "row", [LONG, "- item", "# Title", "> quoted", "It leads in to:", "  " * 9 + "- deep", "x" * 60]
)
def test_time_is_linear_in_rows(row: str) -> None:
    check_linear(units, lambda rows: "\n".join([row] * rows), 200)

"""What holds for all kinds made of rows: the asked ratio is reached, nothing is invented, work is linear."""

import pytest

from moosproxy.compressor import Compressor
from moosproxy.compressor.kinds.base import Asked, Rows, TextKind
from moosproxy.compressor.kinds.blocks import EDITORS, split
from moosproxy.compressor.kinds.config.editor import Config
from tests.compressor.kinds.kit import edited, kinds, shortened, unmarked
from tests.compressor.kinds.lines import (
    test_csv_text,
    test_listing,
    test_log,
    test_paths,
    test_search,
    test_table,
    test_trace,
)
from tests.compressor.linear import check_linear

LONG = {
    "csv": "id,customer,state,note\n" + "\n".join(f"{n},customer {n},open,call {n % 9} first" for n in range(200)),
    "table": "| id | host | state |\n|---|---|---|\n" + "\n".join(f"| {n} | app-{n} | ok |" for n in range(200)),
    "log": "\n".join(test_log.served(120, test_log.ODD)),
    "listing": test_listing.PODS + "\n" + "\n".join(test_listing.PODS.split("\n")[1:] * 4),
    "search": "\n".join(f"src/f{n % 9}.py:{n + 1}:    budget = left({n})" for n in range(150)),
    "paths": "\n".join(f"src/part{n % 9}/file_{n}.py" for n in range(300)),
}
ROWS = (
    TextKind.CSV,
    TextKind.TABLE,
    TextKind.LISTING,
    TextKind.SEARCH,
    TextKind.PATHS,
    TextKind.LOG,
    TextKind.TRACE,
)
BAD = (
    "",
    "\n",
    "\r\n\r\n",
    "\x00\x01\n\ud800,\udfff",
    '"',
    "|",
    "at ",
    "\t\t\t",
    "a" * 5000,
    '"\n' * 300,
    "|--\n" * 300,
)


@pytest.mark.parametrize("ratio", [2, 3, 4])
@pytest.mark.parametrize("kind", LONG)
def test_the_ratio_is_reached_with_rows_of_the_original(compressor: Compressor, kind: str, ratio: float) -> None:
    text = LONG[kind]
    assert kinds(text) == [kind]
    short, reached = shortened(compressor, text, ratio)

    assert 0.9 * ratio <= reached <= 1.1 * ratio
    assert set(unmarked(short)) <= set(text.split("\n"))


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("text", BAD)
def test_no_editor_fails_for_what_a_block_holds(kind: TextKind, text: str) -> None:
    for block in split(text):
        units = EDITORS[kind].edit(text, block._replace(kind=kind), Asked("what is a", frozenset({"what"}))).units
        assert all(block.start <= unit.start < unit.end <= block.end for unit in units)


@pytest.mark.parametrize("hint", ["python", "json", "diff"])
def test_fences_of_other_languages_are_left_to_them(hint: str) -> None:
    for text in LONG.values():
        assert not set(kinds(f"```{hint}\n{text}\n```")) & {kind.value for kind in ROWS}


PILES = {
    "csv": 'a,b,c\n1,2,"x\n',
    "table": "| a | b |\n|---|---|\n",
    "rules": "+---+---+\n",
    "listing": test_listing.DISKS + "\n",
    "totals": "total 12\n\n",
    "search": test_search.NUMBERED + "\n\n",
    "headings": "src/a.py\n3:x\n",
    "paths": test_paths.TRACKED + "\n\n",
    "log": test_log.LOGINS + "\n\n",
    "entries": "2026-09-14 03:12:44 a\n" + "x y\n" * 9,
    "trace": test_trace.PYTHON + "\n\n",
    "errors": "ValueError: x\n  at y\n\n",
    "quotes": '"\n' * 40 + "a,b,c\n",
    "one line": "a/b:1,2|x\t" * 20,
    "colons": "1:" * 60 + "\n",
    "words": test_csv_text.ORDERS.replace("\n", " ") + test_table.HOSTS.replace("\n", " "),
}


@pytest.mark.parametrize("pile", PILES)
def test_work_grows_with_the_text_and_no_faster(pile: str) -> None:
    def asked_about(text: str) -> None:
        edited(text, "What about x1?")

    check_linear(asked_about, lambda count: PILES[pile] * count, max(5000 // len(PILES[pile]), 1))


@pytest.mark.parametrize("row", ["``` (\n", "<!DOCTYPE html\n"])
def test_what_never_ends_is_not_sought_from_every_row(row: str) -> None:
    check_linear(split, lambda rows: row * rows, 200)


@pytest.mark.parametrize("row", ["[", "a: &x", "{", "a \\"])
def test_the_same_short_rows_are_not_asked_about_for_ever(row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    claim = Config.claim

    def counted(self: Config, rows: Rows, at: int, hint: str) -> int:
        asked.append(at)
        return claim(self, rows, at, hint)

    monkeypatch.setattr(Config, "claim", counted)
    text = f"{row}\n" * 4000

    assert "".join(text[block.start : block.end] for block in split(text)).count(row) == 4000
    assert len(asked) < 100

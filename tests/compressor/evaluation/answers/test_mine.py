"""Full and shortened texts side by side: what is kept, what it costs, and the page of the worst differences."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.answers.lines import Lines
from moosproxy.compressor.evaluation.answers.same import same
from moosproxy.compressor.evaluation.mine import compare, session
from moosproxy.compressor.evaluation.mine.compare import Summary
from moosproxy.compressor.evaluation.mine.own import OwnText
from moosproxy.compressor.evaluation.mine.page import page
from tests.compressor.evaluation.answers.conftest import FACT, FILL, RuleAnswerer

HOSTILE = '<script>alert("4711")</script> & <img src="http://x.test/a.png">'
OTHER = "Nobody wrote down what was decided about the roof of the boathouse."


@pytest.fixture(scope="module")
def compressor(tiny_checkpoint: Path) -> Iterator[Compressor]:
    with Compressor.load(tiny_checkpoint, threads=1) as opened:
        yield opened


def text_of(fact: str, fill: int = 12) -> str:
    """A fact in the middle of sentences that are none; every one is another, so that none is a repetition."""
    lines = [FILL.replace("bridge", f"bridge number {number}") for number in range(fill)]
    return " ".join([*lines[: fill // 2], fact, *lines[fill // 2 :]])


def compared(
    compressor: Compressor, answerer: RuleAnswerer, folder: Path, *texts: OwnText, price: float | None = None
) -> Summary:
    settings = CompressionSettings(ratio=4, protect=frozenset())
    with Lines(folder, answerer, "mine") as lines:
        return compare.compare(texts, compressor, settings, answerer, lines, price=price)


def test_an_answer_is_the_same_where_it_says_so() -> None:
    assert same("It is 4711.", ["4711"])
    assert same("the harbour master", ["harbour master of Ely"])
    assert not same("not mentioned", ["4711"])
    assert not same("", ["4711"])


def test_kept_answers_tokens_and_money(compressor: Compressor, answerer: RuleAnswerer, tmp_path: Path) -> None:
    texts = [
        OwnText("kept", text_of(FACT), "What is the number of the boat?", "4711"),
        OwnText("lost", text_of("4711."), "Who looked at the plans for a bridge after lunch?", "4711"),
        OwnText("unknown", text_of(OTHER), "What was decided about the roof?"),
    ]
    summary = compared(compressor, answerer, tmp_path, *texts, price=2.5)
    by_name = {one.own.name: one for one in summary.compared}

    assert summary.right == (2, 2)
    assert by_name["unknown"].kept  # both say that they do not know
    assert sum(one.kept for one in summary.compared) == pytest.approx(3 * summary.kept.value)
    for one in summary.compared:
        assert one.kept == (("4711" in one.result.text) == ("4711" in one.own.text))
        assert one.before - one.after == len(one.own.text.split()) - len(one.result.text.split())
    before, after = summary.tokens
    assert summary.money == pytest.approx((before * 2.5e-6, after * 2.5e-6))
    assert after < before / 2
    assert any("2.5 a million" in line for line in summary.lines())


def test_lost_answers_come_first_on_the_page_and_no_more_than_ten(
    compressor: Compressor, answerer: RuleAnswerer, tmp_path: Path
) -> None:
    one = compared(compressor, answerer, tmp_path, OwnText("a", text_of(FACT), "Which boat?")).compared[0]
    made = [
        compare.Compared(one.own, one.result, "full", "short", 9, 5, number % 2 == 0, number / 40)
        for number in range(30)
    ]
    worst = Summary("judge", made, None, 0, None).worst

    assert [(found.kept, found.near) for found in worst] == [(False, number / 40) for number in range(1, 20, 2)]


class Tags(HTMLParser):
    """Every tag of a page, and what its attributes point to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("src", "href") or name.startswith("on")]


def test_texts_on_the_page_are_text(compressor: Compressor, answerer: RuleAnswerer, tmp_path: Path) -> None:
    own = OwnText(HOSTILE, text_of(HOSTILE), f"Who? {HOSTILE}", HOSTILE)
    found = compared(compressor, answerer, tmp_path, own)
    made = compare.Compared(own, found.compared[0].result, HOSTILE, HOSTILE, 9, 5, False, 0.0)
    parsed = Tags()
    written = page(Summary(HOSTILE, [made], None, 0, None))
    parsed.feed(written)

    assert written.count("&lt;script&gt;") >= 6
    assert parsed.tags.isdisjoint({"script", "img", "link", "iframe", "object"})
    assert parsed.links == []


def test_what_the_model_cannot_take_is_counted_and_nothing_at_all_is_told(
    compressor: Compressor, answerer: RuleAnswerer, tmp_path: Path
) -> None:
    answerer.window = 300
    short, long = OwnText("a", text_of(FACT), "Which boat?"), OwnText("b", text_of(FACT, 40), "Which boat?")

    assert compared(compressor, answerer, tmp_path / "a", short, long).left == 1
    with pytest.raises(CompressorError, match="no text fits into the judge's window"):
        compared(compressor, answerer, tmp_path / "b", long)


def choice(texts: Path, out: Path, checkpoint: Path) -> session.Choice:
    return session.Choice(
        texts=texts,
        ratio=None,
        quality=None,
        calibration=None,
        told=True,
        price=1.0,
        checkpoint=checkpoint,
        limit=None,
        out=out,
        replies=None,
        threads=1,
    )


def test_a_run_from_a_file_writes_the_page(
    tiny_checkpoint: Path, answerer: RuleAnswerer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = tmp_path / "mine.jsonl"
    texts.write_text(json.dumps({"text": text_of(FACT), "question": "Which boat?", "answer": "4711"}) + "\n")
    summary = session.run(choice(texts, tmp_path / "page.html", tiny_checkpoint), answerer)

    assert len(summary.compared) == 1
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "answers kept: " in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.jsonl", "page.html"]
    with pytest.raises(CompressorError, match="cannot be written"):
        session.run(choice(texts, tmp_path / "none" / "page.html", tiny_checkpoint), answerer)

"""What must never happen to what is left of code, whatever it holds and whatever stays; work is linear."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor import CompressionSettings, Compressor
from tests.compressor.kinds.kit import best, check_marks, closed, edited, rows_of
from tests.compressor.kinds.source.programs import JAVASCRIPT, PYTHON, check_chains, programs
from tests.compressor.kinds.source.sources import SOURCES
from tests.compressor.linear import check_linear


def choices(text: str, data: st.DataObject) -> Iterator[list[str]]:
    """The rows of any choice of statements, and of the best ones."""
    units = edited(text)[1].units
    chosen = data.draw(st.sets(st.sampled_from([i for i, unit in enumerate(units) if not unit.heads])))
    for kept in (closed(units, chosen), best(text, units, 0.4)):
        yield rows_of(text, units, kept)


@settings(max_examples=60)
@given(programs(PYTHON), st.data())
def test_no_statement_of_python_moves_to_another_block(text: str, data: st.DataObject) -> None:
    for rows in choices(text, data):
        check_chains(text, rows)


@settings(max_examples=60)
@given(programs(JAVASCRIPT), st.data())
def test_no_statement_in_braces_moves_to_another_block(text: str, data: st.DataObject) -> None:
    for rows in choices(text, data):
        check_chains(text, rows)
        code = re.sub(r'"[^"]*"|//.*', "", "\n".join(rows))
        assert code.count("{") == code.count("}")
        assert code.count("(") == code.count(")")


@settings(max_examples=15)
@given(
    text=programs(PYTHON),
    ratio=st.sampled_from([1.5, 2.0, 4.0]),
    question=st.sampled_from(["What does s7 do?", "Where is the Error caught?"]),
)
def test_what_is_left_are_rows_and_marks_that_count(
    compressor: Compressor, text: str, ratio: float, question: str
) -> None:
    short = compressor.compress(text, CompressionSettings(ratio=ratio, question=question)).text
    check_marks(text, short)
    check_chains(text, short.split("\n"))


@pytest.mark.parametrize("text", SOURCES)
@pytest.mark.parametrize("ratio", [1.5, 2.0, 3.0, 4.0])
def test_sources_at_every_ratio(compressor: Compressor, text: str, ratio: float) -> None:
    question = CompressionSettings(ratio=ratio, question="What does the deadline or the limit do?")
    short = compressor.compress(text, question).text
    check_marks(text, short)
    assert len(short) < len(text)


@settings(max_examples=150)
@given(st.text(alphabet=st.sampled_from("ab \t\n\r{}()[]\"'`#/*\\:;=<>-\ud800\x00é中1"), max_size=300))
def test_any_text_in_a_fence_has_units(text: str) -> None:
    for language in ("python", "c", "sh", "rust", "lua", "ruby", "tex", "php", "html"):
        whole = f"```{language}\nx\n{text}\n```\n"
        for block in edited(whole):
            for unit in block.units:
                assert 0 <= unit.start < unit.end <= len(whole)
                assert unit.head < len(block.units)
                seen, at = set(), unit.head
                while at >= 0:
                    assert at not in seen
                    seen.add(at)
                    at = block.units[at].head


@pytest.mark.parametrize(
    "make",
    [
        lambda n: "def f(x):\n    return x\n" * n,
        lambda n: "```python\n" + "".join(" " * (i % 60) + "if x:\n" for i in range(n)) + "```",
        lambda n: "```c\n" + "{\n" * n + "```",
        lambda n: "```c\n" + "#if A\n" * n + "#else\n" * n + "```",
        lambda n: "```c\n" + "/* a\n" * n + "```",
        lambda n: '```python\nx = """\n' + "a\n" * n + '"""\n```',
        lambda n: "```python\n" + "x(\n" * n + "```",
        lambda n: "```js\n" + "if (a) {\n" + "} else if (b) {\n" * n + "}\n```",
        lambda n: "```js\nx = '" + "\\'" * n + "\n```",
        lambda n: "# comment only\n" * n,
        lambda n: "x = 1\n" * n,
        lambda n: "$ a\n" * n,
        lambda n: "import a\n\nThis is a sentence of running text, nothing else.\n" * n,
    ],
)
def test_time_grows_with_the_text_and_no_faster(make: Callable[[int], str]) -> None:
    check_linear(edited, make, 100)

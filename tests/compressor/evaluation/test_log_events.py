"""The count of rare events' lines: what stays, what fits, what is exact."""

import gzip
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from moosproxy.compressor.commands.evaluate import evaluate
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation import log_events


def record(lines: list[str], rare: set[int]) -> dict[str, object]:
    """A log whose lines of the given numbers are of rare events."""
    found, at = [], 0
    for number, line in enumerate(lines):
        event = f"R{number}" if number in rare else "E1"
        found.append({"start": at, "end": at + len(line), "event": event})
        at += len(line) + 1
    return {"text": "\n".join(lines), "lines": found, "rare_events": [f"R{number}" for number in rare]}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    quiet = [f"2026-05-03 10:00:{n:02} INFO http: request {n} of 10.0.0.{n} took {n}ms" for n in range(60)]
    quiet[20] = "2026-05-03 10:00:20 WARN disk: volume b7 is nearly full"
    odd = [
        f"2026-05-03 10:00:{n:02} INFO {chr(97 + n % 26) * (3 + n // 26)} sets out and does its own thing"
        for n in range(60)
    ]
    (tmp_path / "eval").mkdir()
    with gzip.open(tmp_path / "eval/logs.jsonl.gz", "wb") as out:
        for row in (record(quiet, {20}), record(odd, set(range(60)))):
            out.write(orjson.dumps(row) + b"\n")
    return tmp_path


def test_rare_lines_are_counted_apart_where_they_cannot_all_fit(data: Path) -> None:
    tally = log_events.measure(data, None, 3.0, "o200k_base")

    assert (tally.logs, tally.rare) == (2, 61)
    assert (tally.fit_whole, tally.fit_rare) == (1, 1)
    assert tally.whole < tally.rare
    assert 0 < tally.exact == tally.lines
    assert tally.before > 2 * tally.after


def test_the_command_prints_the_counts(data: Path) -> None:
    result = CliRunner().invoke(evaluate, ["logs", "--data", str(data), "--limit", "1"])

    assert result.exit_code == 0
    assert "1 of 1 (100.0 %) of rare events' lines stay whole where they fit" in result.output


def test_an_unknown_tokenizer_is_named(data: Path) -> None:
    with pytest.raises(CompressorError, match="o200k_base"):
        log_events.measure(data, None, 3.0, "no such")

"""What is saved of JSON is measured with whatever two sets the data folder holds."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from moosproxy.compressor.commands.evaluate import evaluate
from moosproxy.compressor.evaluation import json_savings

TOOLS = json.dumps([{"name": "find_bus", "parameters": {"from": "a city", "to": "a city", "count": 1}}], indent=2)
RESULT = json.dumps({"id": "2FBBAH", "user": "omar", "price": 107, "flights": [{"date": "2024-05-28"}] * 3})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    messages = [{"role": "tool", "content": RESULT}, {"role": "tool", "content": "not found"}]
    sets = {"tools_bfcl": {"tools_json": TOOLS}, "agent_tau_airline": {"messages": messages}}
    (tmp_path / "eval").mkdir()
    for name, record in sets.items():
        with gzip.open(tmp_path / "eval" / f"{name}.jsonl.gz", "wt") as file:
            file.write(json.dumps(record) + "\n")
    return tmp_path


def test_each_set_is_told_with_its_ratio_and_that_nothing_changed(data: Path) -> None:
    given = CliRunner().invoke(evaluate, ["json", "--data", str(data)])

    assert 0 == given.exit_code, given.output
    tools, results = given.output.splitlines()
    assert tools.startswith("tool lists: 1 texts, 1.")
    assert results.endswith("100.0% valid, 100.0% equal")


def test_values_that_changed_are_not_equal() -> None:
    read = json_savings._read

    assert read('{"a": 1.0}') != read('{"a": 1}') != read('{"a": "1"}')
    assert read('{"a": 1, "a": 2}') != read('{"a": 2}')
    assert read(TOOLS) == read(json.dumps(json.loads(TOOLS)))

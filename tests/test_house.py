"""The rules of the house (CONTRIBUTING.md) that no linter checks."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("proxy", "compressor", "policies", "tests")
MODULES = {str(file.relative_to(ROOT)): file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))}

LONGEST_MODULE = 300
LOOSE_MODULES = 12
FUNCTION_LINES = 12
# Longer since before the rule. Take a name off the list once it fits, and put none on it.
TOO_LONG = {
    "compressor/kinds/diff.py",
    "compressor/kinds/statements.py",
    "proxy/rewriting/rewrite.py",
    "tests/compressor/protect/test_kinds.py",
    "tests/proxy/cache/test_shared.py",
    "tests/proxy/rewriting/test_rewrite.py",
}
# The same for folders that hold too many modules.
TOO_FULL = {"compressor/kinds"}


def functions(room: str) -> list[int]:
    """Lines of each function of a room, its docstring counted, its decorators not."""
    trees = [ast.parse(file.read_bytes()) for name, file in MODULES.items() if name.startswith(f"{room}/")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    found = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [(node.end_lineno or node.lineno) - node.lineno + 1 for node in found]


def test_no_module_is_above_three_hundred_lines() -> None:
    lines = {name: len(file.read_bytes().splitlines()) for name, file in MODULES.items()}

    assert {name for name, count in lines.items() if count > LONGEST_MODULE} == TOO_LONG


def test_no_folder_holds_more_than_a_dozen_modules() -> None:
    loose = Counter(str(Path(name).parent) for name in MODULES if not name.endswith("/__init__.py"))

    assert {folder for folder, count in loose.items() if count > LOOSE_MODULES} == TOO_FULL


def test_every_package_says_first_what_it_is_for() -> None:
    packages = [name for name in MODULES if name.endswith("/__init__.py") and not name.startswith("tests/")]

    assert [name for name in packages if not MODULES[name].read_text().startswith('"""')] == []


@pytest.mark.parametrize("room", ROOMS)
def test_half_of_the_functions_are_of_a_dozen_lines_at_the_most(room: str) -> None:
    assert median(functions(room)) <= FUNCTION_LINES

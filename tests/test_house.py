"""The rules of the house (CONTRIBUTING.md) that no linter checks."""

from __future__ import annotations

import ast
import re
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


def too_long() -> set[str]:
    """Modules of more lines than they may have."""
    return {name for name, file in MODULES.items() if len(file.read_bytes().splitlines()) > LONGEST_MODULE}


def too_full() -> set[str]:
    """Folders that hold more modules than they may."""
    loose = Counter(str(Path(name).parent) for name in MODULES if not name.endswith("/__init__.py"))
    return {folder for folder, count in loose.items() if count > LOOSE_MODULES}


def functions(room: str) -> list[int]:
    """Lines of each function of a room, its docstring counted, its decorators not."""
    trees = [ast.parse(file.read_bytes()) for name, file in MODULES.items() if name.startswith(f"{room}/")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    found = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [(node.end_lineno or node.lineno) - node.lineno + 1 for node in found]


def test_no_module_is_above_three_hundred_lines() -> None:
    assert too_long() == set()


def test_no_folder_holds_more_than_a_dozen_modules() -> None:
    assert too_full() == set()


def test_every_package_says_first_what_it_is_for() -> None:
    packages = [name for name in MODULES if name.endswith("/__init__.py") and not name.startswith("tests/")]

    assert [name for name in packages if not MODULES[name].read_text().startswith('"""')] == []


@pytest.mark.parametrize("room", ROOMS)
def test_half_of_the_functions_are_of_a_dozen_lines_at_the_most(room: str) -> None:
    assert median(functions(room)) <= FUNCTION_LINES


def test_patterns_of_the_compressor_keep_the_interpreter_lock() -> None:
    """See compressor/text/patterns.py. Patterns of callers are matched with the lock free, on purpose."""
    allowed = {"compressor/text/patterns.py", "compressor/protect/__init__.py", "compressor/settings.py"}
    mine = {name: file.read_text() for name, file in MODULES.items() if name.startswith("compressor/")}

    assert {name for name, code in mine.items() if re.search(r"\bregex\.(compile|[a-z]+\()", code)} <= allowed


def test_no_merge_was_left_half_done() -> None:
    mark = re.compile(rb"^(?:<{7}|>{7}) ", re.MULTILINE)
    kept = ("*.md", "*.js", "*.html", "*.css", "*.yaml", "*.toml")
    texts = [file for room in (*ROOMS, "docs", "deploy") for kind in kept for file in (ROOT / room).rglob(kind)]

    assert [] == [str(file) for file in [*texts, *MODULES.values()] if mark.search(file.read_bytes())]

"""Which text is code, of which language, and where it ends."""

from __future__ import annotations

import pytest

from moosproxy.compressor.kept import Wrap
from moosproxy.compressor.kinds.base import TextKind
from moosproxy.compressor.kinds.blocks import split
from tests.compressor.kinds.kit import check_statements, kinds, units_of
from tests.compressor.kinds.source.sources import (
    BUCKET,
    GO,
    LUA,
    NUMBERED,
    RUBY,
    RUST,
    SHELL,
    SOURCES,
    TYPESCRIPT,
    C,
)


@pytest.mark.parametrize("text", SOURCES)
def test_a_file_is_one_block_of_code(text: str) -> None:
    assert kinds(text) == [TextKind.CODE]
    check_statements(text, units_of(text))


@pytest.mark.parametrize(
    ("text", "wrap"),
    [
        (BUCKET, Wrap.HASH),
        (NUMBERED, Wrap.PLAIN),
        (TYPESCRIPT, Wrap.SLASHES),
        (C, Wrap.SLASHES),
        (GO, Wrap.SLASHES),
        (RUST, Wrap.SLASHES),
        (SHELL, Wrap.HASH),
        (RUBY, Wrap.HASH),
        (LUA, Wrap.DASHES),
    ],
)
def test_marks_are_comments_of_the_language(text: str, wrap: Wrap) -> None:
    assert {unit.wrap for unit in units_of(text)} == {wrap}


def test_a_fence_names_the_language() -> None:
    text = "Look:\n\n```python\nx = 1\ny = 2\n```\n"
    assert [(block.kind, block.hint) for block in split(text)] == [
        (TextKind.PROSE, ""),
        (TextKind.FENCE, ""),
        (TextKind.CODE, "python"),
        (TextKind.FENCE, ""),
    ]


PROSE = [
    "Import duties rose in March. If you return the goods, we refund the price; while stocks last.\n"
    "For each class of customer there is a policy. Return it to the sender, or let us know.\n"
    "Try again later, and do not break the seal. From here it is a short walk.\n",
    "# Setup\n\nWith the new release, install the package and import it.\nUse the form below (see page 3).\n"
    "Select a plan, then continue.\nReturn here when done.\n",
    "1. Open the settings.\n2. If the light is red, wait.\n3. For help, call us.\n4. While waiting, read on.\n",
    "§ 433 Der Verkäufer hat\na) die Sache zu übergeben;\nb) das Eigentum zu verschaffen;\nc) Mängel zu melden;\n",
    "The function f(x) = 2x is linear. Let g(x) = x + 1.\nThen f(g(x)) = 2x + 2, as shown in (3).\nThis is it.\n",
    "name: build\non: push\njobs:\n  test:\n    runs-on: linux\n    steps:\n      - run: make\n",
    '{\n  "name": "x",\n  "items": [\n    1,\n    2\n  ],\n  "open": true\n}\n',
    "SELECT id, name\nFROM users\nWHERE age > 3\nORDER BY name;\n",
    "[server]\nhost = local\nport = 80\n\n[client]\nretries = 3\n",
    "2024-05-01 12:00:00 INFO new worker(1)\n2024-05-01 12:00:01 ERROR failed: x\n2024-05-01 12:00:02 INFO end\n",
    "The price is\n$ 30 for members\n$ 40 for guests\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n",
]


@pytest.mark.parametrize("text", PROSE)
def test_what_only_looks_like_code_is_none(text: str) -> None:
    assert TextKind.CODE not in kinds(text)


def test_running_text_around_code_stays_running_text() -> None:
    text = f"Here is the module that fails for us.\n\n{BUCKET}\nWhy does the gate never open for us here?\n"
    assert kinds(text) == [TextKind.PROSE, TextKind.CODE, TextKind.PROSE]

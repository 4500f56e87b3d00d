"""Shell sessions: commands with what they said."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.kinds.base import TextKind
from tests.compressor.kinds.kit import (
    best,
    check_marks,
    check_statements,
    closed,
    edited,
    index_of,
    kinds,
    rows_of,
    units_of,
)
from tests.compressor.linear import check_linear

SESSION = """$ command -v rg jq
/usr/bin/jq
$ python3 -c "import torch"
Traceback (most recent call last):
  File "<string>", line 1, in <module>
ModuleNotFoundError: No module named 'torch'
$ systemctl is-active db cache web
inactive
active
failed
$ df -h /srv /var
Filesystem      Size  Used Avail Use% Mounted on
/dev/sda2        40G   37G  1.1G  98% /
/dev/sdb1       200G   12G  178G   7% /var
/dev/sdc1       1.0T  990G   10G  99% /home
$ git stash list
$ docker ps --format '{{.Names}}' \\
    --all
web Up 3 hours (unhealthy)
worker Exited (137) 12 minutes ago
cache Up 3 hours
$ make all
compiling a.c
compiling b.c
compiling c.c
compiling d.c
compiling e.c
linking
"""


def test_a_session_is_one_block() -> None:
    assert kinds(SESSION) == [TextKind.CODE]
    check_statements(SESSION, units_of(SESSION))


@pytest.mark.parametrize(
    "prompt", ["$ ", "user@host:~/src$ ", "root@host:/etc# ", "(venv) $ ", ">>> ", "PS C:\\Users> ", "❯ "]
)
def test_prompts(prompt: str) -> None:
    assert kinds(f"{prompt}first one\nits output\n{prompt}second one\nmore output\n") == [TextKind.CODE]


@pytest.mark.parametrize(
    "text",
    [
        "The fees are\n$ 30 for members,\n$ 40 for guests and\n$ 50 at the door.\n",
        "> quoted text of somebody\n> more of it, as in mail\n> and the end\n",
        "# A heading\n\nText below it.\n\n# Another heading\n\nMore text.\n",
        "In $ terms this is much. Costs: $ 3.\n",
    ],
)
def test_what_only_looks_like_a_session_is_none(text: str) -> None:
    assert TextKind.CODE not in kinds(text)


def test_running_text_behind_a_session_stays_running_text() -> None:
    text = f"{SESSION}\nThe linker does not say what it does here.\n"
    assert kinds(text) == [TextKind.CODE, TextKind.PROSE]


def test_outputs_need_their_command_and_columns_their_names() -> None:
    units = units_of(SESSION)
    index = index_of(SESSION, units, "sdb1")
    assert rows_of(SESSION, units, closed(units, {index})) == [
        "$ df -h /srv /var",
        "Filesystem      Size  Used Avail Use% Mounted on",
        "/dev/sdb1       200G   12G  178G   7% /var",
    ]
    worker = index_of(SESSION, units, "worker")
    assert rows_of(SESSION, units, closed(units, {worker}))[:2] == [
        "$ docker ps --format '{{.Names}}' \\",
        "    --all",
    ]


def test_commands_and_errors_stay_longest() -> None:
    units = units_of(SESSION)
    kept = rows_of(SESSION, units, best(SESSION, units, 0.7))
    assert [row for row in SESSION.split("\n") if row.startswith("$ ")] == [row for row in kept if row[0] == "$"]
    assert "ModuleNotFoundError: No module named 'torch'" in kept and "failed" in kept
    assert "compiling c.c" not in kept


@settings(max_examples=15)
@given(
    st.lists(
        st.lists(st.sampled_from(["one two", "error: x", "  in", "a  b  c", "{"]), max_size=9),
        min_size=2,
        max_size=9,
    ),
    st.sampled_from([1.5, 2.0, 4.0]),
)
def test_what_is_left_are_rows_and_marks_that_count(
    compressor: Compressor, outputs: list[list[str]], ratio: float
) -> None:
    rows = []
    for number, output in enumerate(outputs):
        rows += [f"$ run step{number} --fast", *(f"{row} o{number}" for row in output)]
    text = "\n".join(rows)
    short = compressor.compress(text, CompressionSettings(ratio=ratio, question="What did step3 say?")).text
    check_marks(text, short)
    command = ""
    for row in short.split("\n"):
        command = row if row.startswith("$ ") else command
        if row in rows and not row.startswith("$ "):
            assert f"step{row.rpartition(' o')[2]} " in command


def test_time_grows_with_the_text_and_no_faster() -> None:
    check_linear(edited, lambda n: "$ ls\na  b  c\n" * n, 100)
    check_linear(edited, lambda n: "$ ls\n" + "a  b  c\n\n" * n, 100)

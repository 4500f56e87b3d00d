"""What is JSON is told from prose and programs; what was cut off goes by whole rows."""

from __future__ import annotations

import json

import pytest

from moosproxy.compressor import Compressor
from moosproxy.compressor.kinds.base import TextKind
from tests.compressor.kinds.json.samples import (
    CATALOGUE,
    HOSTS,
    TEXT,
    TICKET,
    Mode,
    kinds,
    shortened,
)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(CATALOGUE),
        json.dumps(TICKET, indent=2),
        json.dumps(TICKET, indent="\t").replace("\n", "\r\n"),
        "\n".join(json.dumps(host) for host in HOSTS),
        "Tool result: " + json.dumps(CATALOGUE) + " (5 collections)",
        "[tool] result: " + json.dumps(CATALOGUE),
        json.dumps(TEXT),
        "```json\n" + json.dumps(TICKET, indent=2) + "\n```",
        "```\n" + json.dumps(TICKET, indent=2) + "\n```",
    ],
)
def test_json_is_found(text: str) -> None:
    assert {TextKind.JSON} == set(kinds(text)) - {TextKind.FENCE}


def test_json_between_paragraphs_is_found() -> None:
    text = f"Here is what came back.\n\n{json.dumps(TICKET, indent=2)}\nThe last comment is the one that counts."

    assert [TextKind.PROSE, TextKind.JSON, TextKind.PROSE] == kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "As others found [12], the effect is small. It was confirmed later [13, 14] by a larger group of authors.",
        "[12, 13] say so too, and give the reasons for it in an appendix that is longer than the paper itself.",
        "[Note] The meeting was moved to Friday, since the room is not free before. {See the plan} for details.",
        '"We will not do that," she said. "Not today, and not tomorrow either, as long as I am the one to say."',
        "Please fill in {name} and {date}, then send the letter to the person who asked for it, before Monday.",
        "[ ] Call the office\n[x] Write the letter\n[ ] Pay the bill that came in last week and was forgotten",
        "They scored [1, 2, 3] points.\nWe scored {4} points, and then the game was over for us that evening.",
    ],
)
def test_prose_with_brackets_is_prose(text: str) -> None:
    assert TextKind.JSON not in kinds(text)


LITERAL = json.dumps(HOSTS[:6], indent=2)


@pytest.mark.parametrize(
    "code",
    [
        f"const hosts =\n{LITERAL};\nmodule.exports = hosts;",
        f"expect(hosts).toEqual(\n{LITERAL}\n);",
        f'HOSTS = json.loads("""\n{LITERAL}\n""")',
        f"for host in (\n{LITERAL}\n):\n    check(host)",
        f"```python\nHOSTS = {LITERAL}\nprint(HOSTS)\n```",
        f"```js\n{LITERAL}\n```",
        f"const hosts = {json.dumps(HOSTS[:6])};",
        f"run({json.dumps(HOSTS[:6])}, 3)",
        f"{LITERAL}.forEach((host) => check(host));",
        "run(\n" + "\n".join(json.dumps(host) + "," for host in HOSTS[:8]) + "\n);",
    ],
)
@pytest.mark.parametrize("mode", ["lossless", "prose", "rows"])
def test_a_literal_of_a_program_is_never_cut_inside_of_its_lines(
    code: str, mode: Mode, compressor: Compressor
) -> None:
    lines = code.split("\n")
    for line in shortened(compressor, code, mode, 3).split("\n"):
        assert line in lines or "[…" in line


@pytest.mark.parametrize("part", [slice(0, 3000), slice(500, 3000), slice(2000, None)])
def test_of_half_a_document_whole_rows_go(part: slice, compressor: Compressor) -> None:
    text = json.dumps(HOSTS, indent=2)[part]
    short = shortened(compressor, text, "rows", 3)

    assert len(short) < len(text)
    assert all(line in text.split("\n") or "[…" in line for line in short.split("\n"))


@pytest.mark.parametrize("lead", ["", "Tool result: "])
def test_half_a_document_on_one_row_is_left_alone(lead: str, compressor: Compressor) -> None:
    text = lead + json.dumps(CATALOGUE)[:1500]

    assert text == shortened(compressor, text, "rows", 3)

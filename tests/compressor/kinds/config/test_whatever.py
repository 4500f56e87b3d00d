"""Whatever a file sets, it says the same afterwards, and nothing takes longer than the file is long."""

from __future__ import annotations

import configparser
import re
import tomllib
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor.kinds.config.editor import Config
from tests.compressor.kinds.kit import Shorten, check_claims, edited
from tests.compressor.linear import check_linear

KEYS = st.from_regex(r"[a-z][a-zA-Z_]{2,11}", fullmatch=True).filter(
    lambda key: key not in ("yes", "no", "on", "off", "null")
)
SCALARS = st.one_of(
    st.integers(-1000, 1000),
    st.booleans(),
    st.none(),
    st.text(alphabet="ab #:'\"\n-[]{}%,|>\\", max_size=30),
    st.sampled_from(
        ["# no remark", "a\n# b\nc", "x: y", "'", '"', "long words " * 12, "a\n\n\n  b\n", "# a\n\n# b\n\n"]
    ),
)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)
REMARK = "# the shop is closed at night and nobody is there to look after the machines"


def unfenced(text: str) -> str:
    """What stands between the first row and the last."""
    return text.partition("\n")[2].rpartition("\n")[0]


def with_remarks(text: str, where: list[int]) -> str:
    """A remark in front of keys that are not indented: there one may stand in every form."""
    rows = text.split("\n")
    starts = [number for number, row in enumerate(rows) if re.match(r"[a-zA-Z_]+\s?[:=]|\[", row)]
    for number in sorted({starts[at % len(starts)] for at in where} if starts else (), reverse=True):
        rows.insert(number, REMARK + "\n\n\n" * (number % 2))
    return "\n".join(rows)


@settings(max_examples=80)
@given(
    st.dictionaries(KEYS, TREES, min_size=1, max_size=6),
    st.lists(st.integers(0, 30), max_size=3),
    st.sampled_from([None, "|", ">", '"', "'"]),
    st.booleans(),
)
def test_yaml_says_the_same_afterwards(
    shorten: Shorten, tree: dict[str, Any], where: list[int], style: str | None, flow: bool
) -> None:
    plain = yaml.safe_dump(tree, default_style=style, default_flow_style=flow and None, sort_keys=False, width=40)
    text = plain if style in ('"', "'") else with_remarks(plain, where)
    if yaml.safe_load(text) != tree:
        text = plain  # the remark fell into a value that begins like a key
    assert yaml.safe_load(unfenced(shorten(f"```yaml\n{text}\n```"))) == tree


VALUES = (
    st.text(alphabet="ab =;#:[]/.", max_size=20)
    .map(str.strip)
    .filter(lambda value: not value.startswith(("#", ";")))
)


@settings(max_examples=50)
@given(
    st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=5), min_size=1, max_size=5),
    st.lists(st.integers(0, 30), max_size=3),
)
def test_ini_says_the_same_afterwards(shorten: Shorten, tree: dict[str, dict[str, str]], where: list[int]) -> None:
    rows = [
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in part.items()) for name, part in tree.items()
    ]
    text = with_remarks("\n".join(rows), where)

    def read(source: str) -> dict[str, dict[str, str]]:
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.read_string(source)
        return {name: dict(parser[name]) for name in parser.sections()}

    assert read(unfenced(shorten(f"```ini\n{text}\n```"))) == read(text)


TOML_VALUES = st.sampled_from(
    [
        "1",
        "true",
        '"a # b"',
        "'#'",
        '"""\n# not a remark\n\n\nend"""',
        "[\n  1, # one\n  # two\n  2,\n]",
        "'''\na = 1\n'''",
        "{ a = 1 }",
        "1979-05-27",
    ]
)


@settings(max_examples=50)
@given(
    st.dictionaries(KEYS, st.dictionaries(KEYS, TOML_VALUES, max_size=5), min_size=1, max_size=5),
    st.lists(st.integers(0, 30), max_size=3),
)
def test_toml_says_the_same_afterwards(
    shorten: Shorten, tree: dict[str, dict[str, str]], where: list[int]
) -> None:
    text = "\n".join(
        f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in part.items()) for name, part in tree.items()
    )
    remarked = with_remarks(text, where)
    try:
        wanted = tomllib.loads(remarked)
    except tomllib.TOMLDecodeError:  # the remark fell into an array's row that looks like a section
        remarked, wanted = text, tomllib.loads(text)
    assert tomllib.loads(unfenced(shorten(f"```toml\n{remarked}\n```"))) == wanted


@settings(max_examples=150)
@given(
    st.text(alphabet="ab:#=-[]{}|>'\"\\;/ \t\r\n\x00\ud800", max_size=300),
    st.sampled_from(["", "yaml", "toml", "hcl", "docker"]),
)
def test_whatever_a_block_holds_no_row_of_settings_is_lost(text: str, hint: str) -> None:
    check_claims(Config(), text, hint)


@pytest.mark.parametrize(
    "row",
    [
        "# remark",
        "key: value",
        "key:",
        "a = 1",
        "[a]",
        "Note: a sentence.",
        "PermitLogin no",
        "server {",
        "FROM x",
        "- ",
        "x: |",
        'x: "',
        "x: [",
    ],
)
def test_many_rows_take_linear_time(row: str) -> None:
    check_linear(edited, lambda count: f"{row}\n" * count, 100)


@pytest.mark.parametrize("piece", ["a: ", "- ", "[", "'", "#", "a = ", "\\", "<<", "{{ "])
def test_a_long_row_takes_linear_time(piece: str) -> None:
    def two_rows(count: int) -> str:
        return "```yaml\n" + f"key: {piece * count}\n" * 2 + "a: 1\nb: 2\nc: 3\n```"

    check_linear(edited, two_rows, 400)

"""Configuration keeps every setting; only remarks, blank rows and blocks that nobody asked about go."""

from __future__ import annotations

import configparser
import re
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.kinds.base import Asked, Rows, TextKind
from moosproxy.compressor.kinds.blocks import split
from moosproxy.compressor.kinds.config.editor import Config

Shorten = Callable[..., str]
ASKED = Asked()

CHART = """\
# values of the shop's payment service, see the handbook before you change the budget
replicaCount: 3
image:
  repository: registry.example.org/payments
  tag: stable
autoscaling:
  enabled: false
  maxReplicas: 8
features:
  doubleBookingCheck: false
  auditLog: off

# who is called at night
# and how often
alerts:
  - name: gateway absent
    expr: absent(probe{tier="carrier"} == 1)
  - name: slow settlement
    expr: histogram_quantile(0.95, settlement_seconds) > 30
script: |
  # not a remark
  echo one   # nor this
text: "first

  # inside of quotes
  last"
backup:
  retention: 30d
  encrypt: true
"""
SSHD = """\
# /etc/ssh/sshd_config on the gate
Port 22
AddressFamily any
PermitRootLogin no
#PermitTunnel yes
X11Forwarding yes
AllowGroups ops deploy
Compression delayed
MaxStartups 10:30:60
Banner none
# /etc/sysctl.d/90-gate.conf
net.ipv4.ip_forward = 0
kernel.kptr_restrict = 2
# /etc/security/limits.d/ops.conf
ops soft nofile 4096
* soft core 0
"""
INI = """\
; main settings of the reader, nobody has looked at them for a long time now
[reader]
speed = 4
paths =
    /srv/a

    # inside of the value
    /srv/b


# the printer stands in the cellar and is switched off at night by the porter
[printer]
tray = upper
colour: no
"""
NGINX = """\
user  www-data;
worker_processes  4;

http {
    # how long a client may take
    # until we hang up on it
    client_body_timeout 12s;
    server {
        listen 443 ssl;
        location /api { proxy_pass http://app:8000; }
    }
}
"""
HCL = """\
# the network of the shop, drawn up by the old team in the year of the move
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_instance" "web" {
  user_data = <<-EOT
    # not a remark
    echo hello
  EOT
}
"""
DOCKER = """\
# syntax=docker/dockerfile:1
FROM python:3.11-slim AS build
# the sources change more often than the packages, so they come later here
COPY requirements.txt .
RUN pip install -r requirements.txt && \\
    # inside of the instruction
    rm -rf /root/.cache
CMD ["python", "-m", "shop"]
"""
ENVIRONMENT = """\
# where the shop listens, and the name by which the world knows it from outside
SHOP_HOST=0.0.0.0
SHOP_NAME="The # Shop"
export SHOP_DEBUG=no
#SHOP_TRACE=yes
"""
FILES = [CHART, SSHD, INI, NGINX, HCL, DOCKER, ENVIRONMENT]


@pytest.fixture(scope="module")
def shorten(tiny_checkpoint: Path) -> Iterator[Shorten]:
    """What is left where nothing that may go stays."""
    with Compressor.load(tiny_checkpoint) as compressor:

        def shorten(text: str, question: str = "off", ratio: float = 100) -> str:
            asked = CompressionSettings(ratio=ratio, question=question, protect=frozenset())
            return compressor.compress(text, asked).text

        yield shorten


def kinds(text: str) -> list[TextKind]:
    return [block.kind for block in split(text)]


def lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def set_lines(text: str) -> list[str]:
    return [line for line in lines(text) if not line.lstrip().startswith(("#", ";"))]


@pytest.mark.parametrize("text", FILES)
def test_a_file_is_told_whole(text: str) -> None:
    assert kinds(text) == [TextKind.CONFIG]
    assert kinds(f"Here it is, as it was found on the machine.\n\n{text}\nIs it any good? I do not know.")[1] is (
        TextKind.CONFIG
    )


@pytest.mark.parametrize("text", FILES)
@pytest.mark.parametrize("ratio", [1.5, 3, 100])
def test_no_setting_goes_and_no_row_is_cut(shorten: Shorten, text: str, ratio: float) -> None:
    short = shorten(text, ratio=ratio)
    assert set_lines(short) == set_lines(text)
    assert all(line in lines(text) or re.fullmatch(r"\s*# \[… \d+ lines?\]", line) for line in lines(short))


def test_remarks_go_with_a_mark_where_they_stood(shorten: Shorten) -> None:
    short = shorten(CHART)
    assert short.startswith("# [… 1 line]\nreplicaCount: 3\n")
    assert "  auditLog: off\n\n# [… 2 lines]\nalerts:\n" in short
    assert "    # [… 2 lines]\n    client_body_timeout 12s;" in shorten(NGINX)


def test_what_lies_inside_of_a_value_is_no_remark(shorten: Shorten) -> None:
    assert yaml.safe_load(shorten(CHART)) == yaml.safe_load(CHART)
    assert "    # not a remark\n" in shorten(HCL)
    assert "    # inside of the instruction\n" in shorten(DOCKER)
    assert "    # inside of the value\n" in shorten(INI)


def test_what_a_tool_reads_and_what_names_a_file_stays(shorten: Shorten) -> None:
    assert shorten(DOCKER).startswith("# syntax=docker/dockerfile:1\n")
    assert [line for line in lines(shorten(SSHD)) if line.startswith("# /etc/")] == [
        line for line in lines(SSHD) if line.startswith("# /etc/")
    ]
    signs = [
        "#!/bin/env x",
        "# yaml-language-server: $schema=x.json",
        "# SPDX-License-Identifier: MIT",
        "# noqa: x",
    ]
    text = "\n".join([*signs, "# and some words that say nothing to anybody at all", "", CHART.partition("\n")[2]])
    assert all(sign in shorten(text) for sign in signs)


def test_a_setting_that_is_commented_out_goes_before_words_do(shorten: Shorten) -> None:
    dead = "".join(f"#option_number_{n} = {n}\n" for n in range(9))
    words = "# the shop is closed at night and nobody is there to look after the machines\n" * 3
    short = shorten(f"[shop]\n{dead}name = x\n{words}open = yes\n", ratio=2)
    assert "option_number" not in short
    assert short.count("the shop is closed") == 3


def test_a_block_goes_whole_where_a_question_names_another(shorten: Shorten) -> None:
    short = shorten(CHART, "How long is the retention of the backup?")
    assert "backup:\n  retention: 30d\n  encrypt: true" in short
    assert "autoscaling" not in short and "# […" in short
    kept = yaml.safe_load(short)
    assert kept.items() <= yaml.safe_load(CHART).items()
    ini = shorten(INI, "Which tray has the printer?")
    assert "[printer]\ntray = upper" in ini and "[reader]" not in ini


@pytest.mark.parametrize("question", ["What is the weather like?", "off"])
def test_no_block_goes_where_the_question_names_none(shorten: Shorten, question: str) -> None:
    assert set_lines(shorten(CHART, question)) == set_lines(CHART)


def test_blocks_that_others_build_upon_stay(shorten: Shorten) -> None:
    anchored = "base: &base\n  image: shop\nweb:\n  <<: *base\n  port: 8000\nqueue:\n  <<: *base\n  port: 9000\n"
    assert yaml.safe_load(shorten(anchored, "Which port has the queue?")) == yaml.safe_load(anchored)
    common = "[DEFAULT]\nuser = x\nhost = y\n[one]\na = 1\nb = 2\nc = 3\n[two]\nqueue = 1\n"
    short = shorten(common, "How long is the queue?")
    assert "[DEFAULT]\nuser = x\nhost = y" in short and "[one]" not in short


def test_documents_of_kubernetes_go_one_by_one(shorten: Shorten) -> None:
    documents = [
        f"apiVersion: v1\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n  size: 3\n  mode: strict\n  colour: red\n"
        for kind, name in [("Service", "web"), ("Ingress", "door"), ("Secret", "vault")]
    ]
    short = shorten("---\n".join(documents), "Show the ingress of the shop")
    assert documents[1] in short and "vault" not in short
    assert [document["kind"] for document in yaml.safe_load_all(short) if document] == ["Ingress"]


def test_directives_outside_of_blocks_stay(shorten: Shorten) -> None:
    text = NGINX + "\nstream {\n    upstream queue { server 10.0.0.1:5672; }\n    log_format plain short;\n}\n"
    short = shorten(text, "Which server has the upstream queue?")
    assert short.startswith("user  www-data;\nworker_processes  4;")
    assert "stream {" in short


@pytest.mark.parametrize("hint", ["yaml", "toml", "ini", "dockerfile", "env", "hcl", "nginx", "properties"])
def test_a_fence_that_names_the_language_is_enough(hint: str) -> None:
    text = f"Look:\n\n```{hint}\nkey value, whatever it may mean.\n# and a remark\n```\n\nThat is all there is."
    found = split(text)
    assert [block.kind for block in found] == [
        TextKind.PROSE,
        TextKind.FENCE,
        TextKind.CONFIG,
        TextKind.FENCE,
        TextKind.PROSE,
    ]
    assert text[found[2].start : found[2].end] == "key value, whatever it may mean.\n# and a remark"


PROSE = [
    "Note: this is a sentence.\nAnother: so is this one, and it goes on.\nThird: it ends here.\nFourth: yes, it does.",
    "Ingredients:\n- two eggs, beaten well\n- some flour from the shop\n\nSteps:\n- Mix them all.\n- Bake the cake.",
    "From: Anna\nTo: Ben\nSubject: The roof is leaking again\nDate: Monday\n\nDear Ben, it has rained all night.",
    "# Report\n\nThe roof leaks. The porter knows.\n\n## Details\n\nIt has rained all night, and the cellar is wet.",
    "Roses are red\nViolets are blue\nSugar is sweet\nAnd so are you\nThe end is near\nSo is the beer",
    "We have x = 3 in the first case. Then y = 4 follows.\nSo z = 5, as was to be shown.",
    "Buy milk\nCall Anna\nPay rent\nWater plants\nFix bike\nWrite letter",
    "FROM the first day on it rained.\nRUN, said the porter, and they ran to the house.",
    "[1] Smith, The Roof, 1999.\n[2] Jones, The Cellar, 2001.\n[3] Brown, Rain, 2004.",
    "server {who serves}, location unknown: the waiter said he would come back; he did not.",
]


@pytest.mark.parametrize("text", PROSE)
def test_prose_that_looks_like_settings_is_none(text: str) -> None:
    assert TextKind.CONFIG not in kinds(text)


def test_prose_behind_a_file_is_not_part_of_it() -> None:
    text = f"{CHART}\nThe file above is wrong: please say why. Note: I have not written it.\n\n- it is long\n- it is old"
    assert split(text)[0].end <= len(CHART)


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


@settings(max_examples=120, deadline=None)
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


@settings(max_examples=80, deadline=None)
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


@settings(max_examples=80, deadline=None)
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


@settings(max_examples=150, deadline=None)
@given(
    st.text(alphabet="ab:#=-[]{}|>'\"\\;/ \t\r\n\x00\ud800", max_size=300),
    st.sampled_from(["", "yaml", "toml", "hcl", "docker"]),
)
def test_whatever_a_block_holds_no_row_of_settings_is_lost(text: str, hint: str) -> None:
    editor = Config()
    rows = Rows(text)
    for at in range(len(rows)):
        assert at <= editor.claim(rows, at, hint) <= len(rows)


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
    def seconds(count: int) -> float:
        text = f"{row}\n" * count
        began = time.process_time()
        for block in split(text):
            if block.kind is TextKind.CONFIG:
                Config().edit(text, block, ASKED)
        return time.process_time() - began

    small, large = min(seconds(500) for _ in range(3)), seconds(4000)
    assert large < 48 * small + 0.5  # a square would be 64 times


@pytest.mark.parametrize("piece", ["a: ", "- ", "[", "'", "#", "a = ", "\\", "<<", "{{ "])
def test_a_long_row_takes_linear_time(piece: str) -> None:
    def seconds(count: int) -> float:
        text = f"key: {piece * count}\n" * 2 + "a: 1\nb: 2\nc: 3\n"
        fenced = f"```yaml\n{text}```"
        began = time.process_time()
        for block in split(fenced):
            if block.kind is TextKind.CONFIG:
                Config().edit(fenced, block, ASKED)
        return time.process_time() - began

    small, large = min(seconds(2000) for _ in range(3)), seconds(16000)
    assert large < 48 * small + 0.5

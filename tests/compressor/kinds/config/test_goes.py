"""Configuration keeps every setting; only remarks, blank rows and blocks that nobody asked about go."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.compressor.kinds.config.files import CHART, DOCKER, FILES, HCL, INI, NGINX, SSHD, set_lines
from tests.compressor.kinds.kit import Shorten, filled


@pytest.mark.parametrize("text", FILES)
@pytest.mark.parametrize("ratio", [1.5, 3, 100])
def test_no_setting_goes_and_no_row_is_cut(shorten: Shorten, text: str, ratio: float) -> None:
    short = shorten(text, ratio=ratio)
    assert set_lines(short) == set_lines(text)
    assert all(line in filled(text) or re.fullmatch(r"\s*# \[… \d+ lines?\]", line) for line in filled(short))


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
    assert [line for line in filled(shorten(SSHD)) if line.startswith("# /etc/")] == [
        line for line in filled(SSHD) if line.startswith("# /etc/")
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

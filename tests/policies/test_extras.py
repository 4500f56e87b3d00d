"""A kind whose library is an extra, with and without it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from moosproxy.policies.cli import policy
from moosproxy.policies.extras import lacking, missing_extra
from moosproxy.policies.resolve import PolicySet

Write = Callable[..., Path]

CLAUDE = """
upstreams: {claude: {kind: litellm, model_prefix: anthropic/}, o: {kind: openai, base_url: 'http://127.0.0.1:9/v1'}}
routes: [{upstreams: [o, claude]}]
"""
FIX = (
    "kind litellm needs an extra that is not installed: pip install 'moosproxy[providers]' "
    "(in a checkout: make providers)"
)


@pytest.fixture
def without_litellm(monkeypatch: pytest.MonkeyPatch) -> None:
    """None in sys.modules is what Python itself takes for "cannot be imported"."""
    monkeypatch.setitem(sys.modules, "litellm", None)


def test_nothing_is_missing_where_it_is_installed(loaded: Callable[..., PolicySet]) -> None:
    assert lacking(loaded(CLAUDE)) is None


@pytest.mark.usefixtures("without_litellm")
def test_what_is_missing_is_named_with_the_upstream_and_the_command(loaded: Callable[..., PolicySet]) -> None:
    assert lacking(loaded(CLAUDE)) == f"upstream claude: {FIX}"
    assert missing_extra("litellm") == FIX


@pytest.mark.usefixtures("without_litellm")
@pytest.mark.parametrize("kind", ["openai", "echo", "llama_cpp"])
def test_other_kinds_need_no_extra_or_say_so_themselves(kind: str) -> None:
    assert missing_extra(kind) is None


@pytest.mark.usefixtures("without_litellm")
def test_a_check_of_policies_that_cannot_be_served_here_exits_2_with_the_command(write: Write) -> None:
    main = write(CLAUDE)
    done = CliRunner().invoke(policy, ["check", str(main)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"{main}: upstream claude: {FIX}\n"


@pytest.mark.usefixtures("without_litellm")
def test_ci_may_check_them_all_the_same(write: Write) -> None:
    done = CliRunner().invoke(policy, ["check", "--unset-ok", str(write(CLAUDE))])
    assert (done.exit_code, done.stdout) == (0, "good: 2 upstreams, 0 teams, 0 keys\n")


def test_a_kind_without_a_rule_of_the_makefile_names_the_extra_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    fix = "kind transformers needs an extra that is not installed: pip install 'moosproxy[soft]'"
    assert fix == missing_extra("transformers")

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moosproxy.policies.cli import policy
from moosproxy.policies.files.load import load
from moosproxy.policies.key_cli import key
from moosproxy.policies.keys import hash_key

Write = Callable[..., Path]

ECHO = "upstreams: {demo: {kind: echo}}\n"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MOOS_POLICIES", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str | Path) -> Result:
    group = {"policy": policy, "key": key}[str(arguments[0])]
    return CliRunner().invoke(group, [str(argument) for argument in arguments[1:]])


def test_checking_good_files_says_what_is_in_them(write: Write) -> None:
    done = run("policy", "check", write(ECHO, a=f"keys: ['{'1' * 64}']", b="description: x"))
    assert (done.exit_code, done.stdout) == (0, "good: 1 upstream, 2 teams, 1 key\n")


def test_checking_bad_files_exits_2_with_one_line_for_each_fault_on_stderr(write: Write) -> None:
    main = write("upstreams: {demo: {kind: ecko}}\ndefaults: {ratoi: 2}")
    done = run("policy", "check", main)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"{main}:1: upstreams.demo.kind: 'ecko' is not one of: openai, anthropic, litellm, llama_cpp, "
        "transformers or echo; did you mean 'echo'?",
        f"{main}:2: defaults.ratoi: unknown key; did you mean 'ratio'?",
    ]


def test_a_ratio_that_no_text_reaches_is_told_once_beside_the_good_news(write: Write) -> None:
    main = ECHO + "defaults: {ratio: 50}\npolicies: {mild: {ratio: 4}}\n"
    file = write(main, a="policy: mild", b="overrides: {ratio: 30}", c="description: x")
    done = run("policy", "check", file)

    assert (done.exit_code, done.stdout) == (0, "good: 1 upstream, 3 teams, 0 keys\n")
    advice = [line.partition(" is seldom reached")[0] for line in done.stderr.splitlines()]
    assert advice == [
        f"advice: defaults ({file}): ratio 50",
        f"advice: team b ({file.parent / 'teams' / 'b.yaml'}): ratio 30",
    ]


def test_a_model_without_its_file_is_told_beside_the_good_news(write: Write, tmp_path: Path) -> None:
    here, away = tmp_path / "here.gguf", tmp_path / "away.gguf"
    here.touch()
    models = f"{{a: {{path: '{here}'}}, b: {{path: '{away}'}}, c: {{repo: x/y, file: z.gguf}}}}"
    file = write(f"upstreams: {{local: {{kind: llama_cpp, models: {models}}}}}")
    done = run("policy", "check", file)

    assert (done.exit_code, done.stdout) == (0, "good: 1 upstream, 0 teams, 0 keys\n")
    assert done.stderr == f"advice: upstreams.local.models.b: there is no file {away} here; requests get 404\n"
    assert run("policy", "check", "--unset-ok", file).stderr == ""


def test_a_check_without_secrets_is_possible_when_asked_for(write: Write) -> None:
    main = write("upstreams: {o: {kind: openai, base_url: '${MOOS_TEST_URL}', api_key: '${MOOS_TEST_KEY}'}}")
    refused = run("policy", "check", main)
    assert refused.exit_code == 2
    assert "environment variable MOOS_TEST_KEY is not set" in refused.stderr
    assert run("policy", "check", "--unset-ok", main).exit_code == 0


def test_the_path_may_come_from_the_environment(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOOS_POLICIES", str(write(ECHO)))
    assert run("policy", "check").exit_code == 0


def test_explaining_prints_each_field_with_its_value_and_origin(write: Write) -> None:
    main = write(ECHO + "defaults: {ratio: 3}", search="overrides: {alpha: 0.8}")
    done = run("policy", "explain", "-c", main, "--team", "search", "--model", "gpt-4o", "--ratio", "9")
    assert done.exit_code == 0
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in done.stdout.splitlines()]
    assert ["ratio", "4.0", "request header", ""] in rows
    assert any(row[:3] == ["alpha", "0.8", "team search"] for row in rows)
    assert ["min_tokens", "300", "built-in default", ""] in rows
    assert "clamped    ratio 9.0 -> 4.0 (at most 4)" in done.stdout


def test_explaining_as_json_has_every_field_and_is_the_same_every_time(write: Write) -> None:
    main = write(ECHO + "defaults: {patterns: [b, a]}", search="overrides: {protect: {add: [quoted]}}")
    arguments = ("policy", "explain", "-c", main, "--team", "search", "--bypass", "--json")
    data = json.loads(run(*arguments).stdout)
    assert data["policy"]["patterns"] == {"value": ["b", "a"], "layer": "defaults", "file": str(main)}
    assert data["policy"]["protect"]["value"] == sorted(data["policy"]["protect"]["value"])
    assert data["bypass"] is True
    assert data["upstreams"] == ["demo"]
    assert run(*arguments).stdout == run(*arguments).stdout


def test_explaining_without_files_explains_the_built_in_set() -> None:
    done = run("policy", "explain", "--json")
    assert json.loads(done.stdout)["upstreams"] == ["echo"]


def test_explaining_needs_no_secrets(write: Write) -> None:
    main = write("upstreams: {o: {kind: openai, base_url: 'https://a/v1', api_key: '${MOOS_TEST_KEY}'}}")
    assert run("policy", "explain", "-c", main).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--team", "serch"], "no team is called 'serch'; did you mean 'search'?"),
        (["--model", "x"], "no route takes model 'x' at 'chat/completions'"),
        (["--header", "x"], "--header takes NAME:VALUE, got 'x'"),
    ],
)
def test_a_question_without_an_answer_exits_2(write: Write, arguments: list[str], message: str) -> None:
    main = write(ECHO + "routes: [{match: {model: 'gpt-*'}}]", search="description: x")
    done = run("policy", "explain", "-c", main, *arguments)
    assert (done.exit_code, done.stderr) == (2, message + "\n")


def test_a_header_can_choose_the_route(write: Write) -> None:
    main = write(ECHO + "routes: [{name: trial, match: {header: {X-Project: a b}}}, {name: rest}]")
    done = run("policy", "explain", "-c", main, "--header", "x-project: a b", "--json")
    assert json.loads(done.stdout)["route"] == "trial"


@pytest.mark.parametrize(("option", "title"), [([], "moosproxy policies"), (["--team"], "moosproxy team")])
def test_the_schema_is_printed_as_json(option: list[str], title: str) -> None:
    assert json.loads(run("policy", "schema", *option).stdout)["title"] == title


def test_a_new_key_is_printed_alone_on_stdout_and_works(write: Write) -> None:
    main = write(ECHO, search="description: x  # ours\n")
    done = run("key", "new", "--team", "search", "-c", main, "--note", "Ana")
    assert done.exit_code == 0
    made = done.stdout.strip()
    found = load(main, {}).find_key(made)
    assert found is not None
    assert (found.team, found.scope, found.expires) == ("search", "use", None)
    assert made not in done.stderr
    text = (main.parent / "teams" / "search.yaml").read_text()
    assert made not in text
    assert "# ours" in text
    assert f'- "{hash_key(made)}"  # Ana' in text


def test_a_key_that_cannot_be_stored_safely_comes_with_the_line_to_add(write: Write) -> None:
    main = write(ECHO, search='keys: ["OLD"]\n'.replace("OLD", "1" * 64))
    done = run("key", "new", "--team", "search", "-c", main)
    assert done.exit_code == 0
    assert f'  - "{hash_key(done.stdout.strip())}"' in done.stderr
    assert (main.parent / "teams" / "search.yaml").read_text().startswith('keys: ["1')


def test_a_key_for_an_unknown_team_or_without_policies_exits_2(write: Write) -> None:
    main = write(ECHO)
    assert "no team is called 'x'" in run("key", "new", "--team", "x", "-c", main).stderr
    assert run("key", "new", "--team", "x", "-c", main).exit_code == 2
    assert run("key", "new", "--team", "x").exit_code == 2
    assert run("key", "new", "--team", "x", "-c", main.parent / "nowhere.yaml").exit_code == 2

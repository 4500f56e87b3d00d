from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from moosproxy.policies.faults import PolicyError
from moosproxy.policies.fields.kinds import KINDS
from moosproxy.policies.files.load import load
from moosproxy.policies.files.sources import MAX_BYTES
from moosproxy.policies.resolve import PolicySet, RequestFacts

Load = Callable[..., PolicySet]
Faults = Callable[..., list[str]]
Write = Callable[..., Path]

ECHO = "upstreams: {demo: {kind: echo}}\n"
ONE, TWO = "1" * 64, "2" * 64


def test_one_upstream_is_a_whole_configuration(loaded: Load) -> None:
    decision = loaded(ECHO).decide(RequestFacts())
    assert [upstream.name for upstream in decision.upstreams] == ["demo"]
    assert decision.policy.name == "default"


def test_a_folder_stands_for_the_moos_yaml_in_it(write: Write) -> None:
    assert load(write(ECHO).parent, {}).decide(RequestFacts()).upstreams[0].name == "demo"


def test_secrets_come_from_the_environment(loaded: Load) -> None:
    main = "upstreams: {o: {kind: openai, base_url: '${URL:-https://a/v1}', api_key: '${KEY}'}}"
    upstream = loaded(main, {"KEY": "sesame"}).upstreams["o"]
    assert upstream.api_key is not None
    assert upstream.api_key.get_secret_value() == "sesame"
    assert upstream.base_url == "https://a/v1"


def test_numbers_and_switches_may_come_from_the_environment(loaded: Load) -> None:
    main = ECHO + "defaults: {ratio: '${R}', min_tokens: '${M}', shadow: '${S}'}"
    policy = loaded(main, {"R": "3.5", "M": "10", "S": "true"}).decide(RequestFacts()).policy
    assert (policy.ratio, policy.min_tokens, policy.shadow) == (3.5, 10, True)


def test_question_off_needs_no_quotes(loaded: Load) -> None:
    assert loaded(ECHO + "defaults: {question: off}").decide(RequestFacts()).policy.question == "off"


def test_teams_come_from_files_and_from_the_main_file(loaded: Load) -> None:
    found = loaded(
        ECHO + f"teams: {{inline: {{keys: ['{ONE}'], overrides: {{ratio: 3}}}}}}", search=f"keys: ['{TWO}']"
    )
    assert sorted(found.teams) == ["inline", "search"]
    assert found.decide(RequestFacts(team="inline")).policy.ratio == 3
    assert found.decide(RequestFacts(team="search")).policy.ratio == 2


def test_a_policy_called_default_holds_where_none_is_named(loaded: Load) -> None:
    assert loaded(ECHO + "policies: {default: {ratio: 3}}").decide(RequestFacts()).policy.ratio == 3


def test_hidden_and_foreign_files_among_the_teams_are_left_alone(write: Write) -> None:
    main = write(ECHO, search="description: x")
    (main.parent / "teams" / ".#search.yaml").write_text("[")
    (main.parent / "teams" / "search.yaml~").write_text("[")
    (main.parent / "teams" / "README.md").write_text("[")
    assert load(main, {}).teams == ("search",)


def test_a_team_file_for_a_team_of_the_main_file_is_a_fault(faults: Faults) -> None:
    assert faults(ECHO + "teams: {a: {}}", a="description: x") == [
        "teams/a.yaml:1: team a is described in moos.yaml too"
    ]


def test_every_fault_of_every_file_is_named_at_once(faults: Faults) -> None:
    main = """\
        defaults:
          ratoi: 2
        policies:
          rag: {extends: carefull, protect: {remove: [numbr]}}
          careful: {alpha: 7}
        upstreams:
          openai: {kind: opneai, api_key: "${NOPE}"}
          demo: {kind: echo}
        routes:
          - match: {team: serch}
            upstreams: [dmo]
            policy: rga
          - 5
          - overrides: {compress_roles: [asistant]}
        """
    search = f"keys: ['{ONE}', sk-sesame]\npolicy: ragg\n"
    known = f"{', '.join(KINDS[:-1])} or {KINDS[-1]}"
    assert faults(main, search=search, broken="a: [") == [
        "moos.yaml:2: defaults.ratoi: unknown key; did you mean 'ratio'?",
        f"moos.yaml:4: policies.rag.protect.remove[0]: 'numbr' is not one of: {known}; did you mean 'number'?",
        "moos.yaml:4: policies.rag.extends: no policy is called 'carefull'; did you mean 'careful'?",
        "moos.yaml:5: policies.careful.alpha: must be less than or equal to 1",
        "moos.yaml:7: upstreams.openai.api_key: environment variable NOPE is not set",
        "moos.yaml:7: upstreams.openai.kind: 'opneai' is not one of: openai, anthropic, litellm, llama_cpp, "
        "transformers or echo; did you mean 'openai'?",
        "moos.yaml:10: routes[0].match.team: no team is called 'serch'; did you mean 'search'?",
        "moos.yaml:11: routes[0].upstreams: no upstream is called 'dmo'; did you mean 'demo'?",
        "moos.yaml:12: routes[0].policy: no policy is called 'rga'; did you mean 'rag'?",
        "moos.yaml:13: routes[1]: must be a mapping",
        "moos.yaml:14: routes[2].overrides.compress_roles[0]: 'asistant' is not one of: system, developer, user, "
        "assistant, tool or function; did you mean 'assistant'?",
        "teams/broken.yaml:1: is not YAML: expected the node content, but found '<stream end>'",
        "teams/search.yaml:1: keys[1]: is a key itself: replace it, it is no secret any more, and store only "
        "a key's SHA-256",
        "teams/search.yaml:2: policy: no policy is called 'ragg'; did you mean 'rag'?",
    ]


@pytest.mark.parametrize(
    ("main", "expected"),
    [
        ("", ["moos.yaml: is empty"]),
        ("3", ["moos.yaml:1: must be a mapping"]),
        ("defaults: {}", ["moos.yaml:1: upstreams: is missing: name at least one place where requests go"]),
        ("upstreams: {}", ["moos.yaml:1: upstreams: is missing: name at least one place where requests go"]),
        (
            ECHO + f"keys: ['{'1' * 64}']",
            [
                "moos.yaml:2: keys[0]: needs scope: admin or metrics; a key that sends requests belongs to a team",
            ],
        ),
        (ECHO + "routes:", ["moos.yaml:2: routes: is empty: fill it or delete the key"]),
        (ECHO + "defaults:", ["moos.yaml:2: defaults: is empty: fill it or delete the key"]),
        (ECHO + "defaults: {ratio: true}", ["moos.yaml:2: defaults.ratio: must be a number, not true or false"]),
        (ECHO + "defaults: {ratio: .nan}", ["moos.yaml:2: defaults.ratio: must be a finite number"]),
        (ECHO + "defaults: {protect: some}", ["moos.yaml:2: defaults.protect: 'some' is not one of: all or none"]),
        (ECHO + "defaults: {name: x}", ["moos.yaml:2: defaults.name: unknown key"]),
        (
            ECHO + "policies: {a: {extends: a}}",
            ["moos.yaml:2: policies.a.extends: goes in a circle: a -> a"],
        ),
        (
            ECHO + "policies: {a: {extends: b}, b: {extends: c}, c: {extends: b}}",
            ["moos.yaml:2: policies.b.extends: goes in a circle: b -> c -> b"],
        ),
        (
            ECHO + "routes: [{name: a}, {name: a}]",
            ["moos.yaml:2: routes[1].name: another route has this name"],
        ),
        (
            "upstreams: {a: {kind: echo}, b: {kind: echo}}",
            [
                "moos.yaml:1: upstreams: there are several and no routes: say under 'routes' "
                "which request goes where"
            ],
        ),
        (
            "upstreams: {a: {kind: echo}, b: {kind: echo}}\nroutes: [{}]",
            ["moos.yaml:2: routes[0]: names no upstreams: choose from a, b"],
        ),
        (
            ECHO + "defaults: {compress_roles: [assistant]}",
            [
                "moos.yaml:2: defaults.compress_roles: assistant is in compress_roles and in protected_roles: "
                "take it out of one"
            ],
        ),
        (
            ECHO + f"teams: {{a: {{keys: ['{ONE}', '{ONE}']}}, b: {{keys: ['{ONE}']}}}}",
            [
                "moos.yaml:2: teams.a.keys[1]: is there twice",
                "moos.yaml:2: teams.b.keys[0]: team a has the same key: every key belongs to one team",
            ],
        ),
        (
            ECHO + "teams: {a: {routes: [{match: {team: b}}]}}",
            [
                "moos.yaml:2: teams.a.routes[0].match.team: a team's routes are for that team alone: "
                "delete this, or move the route to the main file"
            ],
        ),
    ],
)
def test_a_fault_says_where_and_why(faults: Faults, main: str, expected: list[str]) -> None:
    assert faults(main) == expected


def test_layers_of_two_files_that_contradict_each_other_are_a_fault_of_the_stronger(faults: Faults) -> None:
    found = faults(ECHO + "defaults: {max_alpha: 0.6}", search="overrides: {min_alpha: 0.8}")
    assert found == ["teams/search.yaml:1: overrides.min_alpha: min_alpha 0.8 is above max_alpha 0.6"]


def test_two_teams_with_the_same_key_are_a_fault(faults: Faults) -> None:
    keys = f"keys:\n  - '{ONE.upper()}'\n"
    assert faults(ECHO, a=keys, b=keys) == [
        "teams/b.yaml:2: keys[0]: team a has the same key: every key belongs to one team"
    ]


def test_an_empty_team_file_is_a_fault_because_it_may_be_half_written(faults: Faults) -> None:
    assert faults(ECHO, a="# soon") == ["teams/a.yaml: is empty"]


def test_a_team_file_with_a_name_that_is_none_is_a_fault(faults: Faults) -> None:
    (fault,) = faults(ECHO, **{"two words": "description: x"})
    assert fault.startswith("teams/two words.yaml:1: the file's name is the team's")


def test_a_file_that_is_missing_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"moos\.yaml: cannot be read: no such file"):
        load(tmp_path / "moos.yaml")


def test_an_empty_folder_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"is a folder without moos\.yaml"):
        load(tmp_path)


def test_a_file_of_many_megabytes_is_a_fault(write: Write) -> None:
    main = write(ECHO)
    main.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(PolicyError, match="is larger than"):
        load(main)


def test_a_team_file_that_is_a_folder_is_a_fault(write: Write) -> None:
    main = write(ECHO)
    (main.parent / "teams" / "a.yaml").mkdir(parents=True)
    with pytest.raises(PolicyError, match=r"a\.yaml: cannot be read: is a directory"):
        load(main)


def test_the_processs_environment_is_the_default(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOOS_TEST_RATIO", "3")
    found = load(write(ECHO + "defaults: {ratio: '${MOOS_TEST_RATIO}'}"))
    assert found.decide(RequestFacts()).policy.ratio == 3


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser can read every file")
def test_a_file_without_permission_is_a_fault(write: Write) -> None:
    main = write(ECHO)
    main.chmod(0)
    with pytest.raises(PolicyError, match="cannot be read: permission denied"):
        load(main)

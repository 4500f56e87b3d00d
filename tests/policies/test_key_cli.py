"""`moos key`: what a file looks like after each command, and whom its keys let in."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.policies.files.load import load
from moosproxy.policies.files.reading import read_yaml
from moosproxy.policies.key_cli import key
from moosproxy.policies.keys import Key
from moosproxy.policies.keytext import drop_entry, set_field

Write = Callable[..., Path]

ECHO = "upstreams: {demo: {kind: echo}}\n"
ONE, TWO, NEW = "1" * 64, "2" * 64, "3" * 64
DAY = 24 * 3600


def run(main: Path, *arguments: str) -> Result:
    command, *rest = arguments
    return CliRunner().invoke(key, [command, "-c", str(main), *rest], env={"MOOS_POLICIES": ""})


def made(main: Path, *arguments: str) -> tuple[str, Key]:
    done = run(main, "new", *arguments)
    assert done.exit_code == 0, done.stderr
    found = load(main, {}).find_key(done.stdout.strip())
    assert found is not None
    return done.stdout.strip(), found


@pytest.mark.parametrize(
    ("options", "team", "scope"),
    [
        (["--team", "search"], "search", "use"),
        (["--team", "search", "--scope", "metrics"], "search", "metrics"),
        (["--scope", "metrics"], None, "metrics"),
        (["--scope", "admin", "--note", "Ana"], None, "admin"),
        (["--team", "new", "--create"], "new", "use"),
    ],
)
def test_a_key_has_the_team_and_scope_that_it_was_made_for(
    write: Write, options: list[str], team: str | None, scope: str
) -> None:
    _, found = made(write(ECHO, search="description: x"), *options)

    assert (found.team, found.scope, found.expires) == (team, scope, None)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "needs --team"),
        (["--scope", "admin", "--team", "search"], "is no team's"),
        (["--team", "search", "--expires", "soon"], "90d or 12h"),
        (["--team", "search", "--expires", "2020-01-01"], "is over"),
        (["--team", "search", "--expires", "0d"], "is over"),
        (["--rotates", "1", "--expires", "2020-01-01"], "is over"),
        (["--rotates", "1", "--grace", "2020-01-01T00:00:00Z"], "is over"),
        (["--rotates", "abc"], "is no key's id"),
        (["--rotates", "", "--note", "x"], "is no key's id"),
        (["--rotates", "1", "--team", "search"], "leave out --team"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(write: Write, options: list[str], reason: str) -> None:
    main = write(ECHO, search=f'keys:\n  - "{ONE}"\n')
    before = (main.parent / "teams" / "search.yaml").read_text()
    done = run(main, "new", *options)

    assert done.exit_code == 2
    assert reason in done.stderr
    assert (main.parent / "teams" / "search.yaml").read_text() == before
    assert main.read_text() == ECHO


def test_a_key_expires_when_it_was_told_to(write: Write) -> None:
    main = write(ECHO, search="description: x")
    _, found = made(main, "--team", "search", "--expires", "90d")
    assert found.expires is not None
    assert abs(found.expires - time.time() - 90 * DAY) < 60
    assert not found.expired(time.time())
    assert found.expired(time.time() + 91 * DAY)

    _, dated = made(main, "--team", "search", "--expires", "2031-05-01")
    assert dated.expires == datetime(2031, 5, 1, tzinfo=UTC).timestamp()


def test_a_rotated_key_goes_on_for_the_grace_and_its_follower_counts_with_it(write: Write) -> None:
    main = write(ECHO, search="description: x  # ours\n")
    old, before = made(main, "--team", "search", "--note", "Ana's laptop")
    new, follower = made(main, "--rotates", before.id, "--grace", "2d")
    newest, third = made(main, "--rotates", follower.id[:6])

    found = load(main, {}).find_key(old)
    assert found is not None
    assert found.expires is not None
    assert abs(found.expires - time.time() - 2 * DAY) < 60
    assert (follower.team, follower.expires, follower.account) == ("search", None, before.id)
    assert third.account == before.id
    text = (main.parent / "teams" / "search.yaml").read_text()
    assert text.count("# Ana's laptop") == 3
    assert "# ours" in text
    assert not [key for key in (old, new, newest) if key in text]


def test_a_rotated_key_hands_on_scope_limits_and_budget(write: Write) -> None:
    entry = f'{{sha256: "{ONE}", limits: {{requests_per_minute: 5}}, budget: {{tokens_per_day: 0, warn: 0.5}}}}'
    main = write(ECHO, search=f"keys:\n  - {entry}\n")
    _, follower = made(main, "--rotates", "111")

    assert follower.allowance.limits.requests_per_minute == 5
    assert (follower.allowance.budget.tokens_per_day, follower.allowance.budget.warn) == (0, 0.5)


def test_the_list_names_keys_by_their_ids(write: Write) -> None:
    past = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    main = write(
        ECHO + f'keys: [{{sha256: "{TWO}", scope: admin}}]\nteams: {{inline: {{keys: ["{NEW}"]}}}}\n',
        search=f'keys:\n  - sha256: "{ONE}"\n    expires: "{past}"\n',
    )
    rows = json.loads(run(main, "list", "--json").stdout)

    assert [(row["id"], row["team"], row["scope"]) for row in rows] == [
        ("2" * 12, None, "admin"),
        ("3" * 12, "inline", "use"),
        ("1" * 12, "search", "use"),
    ]
    assert rows[2]["expires"].endswith("(over)")
    assert all(row["id"] in run(main, "list").stdout for row in rows)


def test_a_revoked_key_is_gone_and_the_last_one_stays(write: Write) -> None:
    main = write(ECHO + f"teams: {{}}\nkeys:\n  - sha256: '{TWO}'\n    scope: admin\n", search="policy: default\n")
    main.write_text(main.read_text() + "policies: {default: {}}\n")
    secret, found = made(main, "--team", "search")
    assert run(main, "revoke", "2222").exit_code == 0
    assert load(main, {}).find_key(secret) is not None
    assert len(load(main, {}).keys.entries) == 1

    done = run(main, "revoke", found.id)
    assert done.exit_code == 2
    assert "is the last key" in done.stderr
    assert load(main, {}).find_key(secret) is not None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('keys:\n  - "ONE"  # Ana\n  - "TWO"\n', 'keys:\n  - "TWO"\n'),
        ('keys:\n- "ONE"\npolicy: a\n', "keys: []\npolicy: a\n"),
        ('keys:\n  - sha256: "ONE"\n    scope: use\n  # next\n  - "TWO"\n', 'keys:\n  # next\n  - "TWO"\n'),
        ('keys: ["ONE", "TWO"]\n', None),
        ('keys:\n  -\n    "ONE"\n', None),
    ],
)
def test_an_entry_is_taken_out_with_its_comment(before: str, after: str | None) -> None:
    named = [text.replace("ONE", ONE).replace("TWO", TWO) if text else None for text in (before, after)]
    assert drop_entry(named[0] or "", ("keys",), 0) == named[1]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('keys:\n  - "ONE"  # Ana\n', 'keys:\n  - {"sha256": "ONE", "expires": "2030"}  # Ana\n'),
        ('keys: ["ONE"]\n', 'keys: [{"sha256": "ONE", "expires": "2030"}]\n'),
        ('keys:\n  - sha256: "ONE"\n# x\n', 'keys:\n  - sha256: "ONE"\n    expires: "2030"\n# x\n'),
        ('keys:\n  - expires: 2027\n    sha256: "ONE"\n', 'keys:\n  - expires: "2030"\n    sha256: "ONE"\n'),
    ],
)
def test_a_field_is_set_and_nothing_else_is_touched(before: str, after: str) -> None:
    named = [text.replace("ONE", ONE) for text in (before, after)]
    assert set_field(named[0], ("keys",), 0, "expires", "2030") == named[1]


@given(st.text(alphabet="keys:-[]{}#'\" \n1a", max_size=60))
def test_whatever_the_file_only_the_one_entry_changes(text: str) -> None:
    before = read_yaml(text.encode(), "f").data
    keys = before.get("keys") if isinstance(before, dict) else None
    if not isinstance(keys, list) or not keys or not isinstance(keys[0], str):
        return
    changed = set_field(text, ("keys",), 0, "expires", "2030")
    dropped = drop_entry(text, ("keys",), 0)
    if changed is not None:
        expected = {**before, "keys": [{"sha256": keys[0], "expires": "2030"}, *keys[1:]]}
        assert read_yaml(changed.encode(), "f").data == expected
    if dropped is not None:
        assert read_yaml(dropped.encode(), "f").data == {**before, "keys": keys[1:]}

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.policies.faults import PolicyError
from moosproxy.policies.files.load import load
from moosproxy.policies.files.reading import read_yaml
from moosproxy.policies.keyfile import Wanted, store_key, write_atomically
from moosproxy.policies.keys import hash_key
from moosproxy.policies.keytext import add_entry

Write = Callable[..., Path]

OLD, NEW = "1" * 64, "2" * 64
ECHO = "upstreams: {demo: {kind: echo}}\n"


def owner(main: Path, key: str) -> str | None:
    """The team that the key opens the door for."""
    found = load(main, {}).find_key(key)
    return found.team if found is not None else None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'keys:\n  - "NEW"\n'),
        ("# soon\n", '# soon\nkeys:\n  - "NEW"\n'),
        ("policy: a", 'policy: a\nkeys:\n  - "NEW"\n'),
        ("policy: a\r\n", 'policy: a\r\nkeys:\r\n  - "NEW"\r\n'),
        (
            'keys:\n  - "OLD"  # Ana\n\n# the end\npolicy: a\n',
            'keys:\n  - "OLD"  # Ana\n  - "NEW"\n\n# the end\npolicy: a\n',
        ),
        ('keys:\n- "OLD"\npolicy: a\n', 'keys:\n- "OLD"\n- "NEW"\npolicy: a\n'),
        ('keys:\n    - "OLD"', 'keys:\n    - "OLD"\n    - "NEW"\n'),
        ("keys:  # none yet\n# more\npolicy: a\n", 'keys:  # none yet\n  - "NEW"\n# more\npolicy: a\n'),
        ("keys: []\n", 'keys:\n  - "NEW"\n'),
        ("keys: []  # soon\npolicy: a\n", 'keys:  # soon\n  - "NEW"\npolicy: a\n'),
        ('keys: ["OLD"]\n', None),
        ("keys: ~\n", None),
        ("keys: 3\n", None),
        ("{policy: a}\n", None),
        ("- a\n", None),
        ("policy: [\n", None),
        ("policy: a\npolicy: b\n", None),
        ("policy: a\n...\n", None),
        ("---\npolicy: a\n", '---\npolicy: a\nkeys:\n  - "NEW"\n'),
        ("description: |\n  text\n", 'description: |\n  text\nkeys:\n  - "NEW"\n'),
        ("description: |+\n  text\n\n", 'description: |+\n  text\n\nkeys:\n  - "NEW"\n'),
    ],
)
def test_a_hash_is_added_and_nothing_else_is_touched(before: str, after: str | None) -> None:
    expected = after.replace("OLD", OLD).replace("NEW", NEW) if after is not None else None
    assert add_entry(before.replace("OLD", OLD), NEW) == expected


def test_a_note_becomes_a_comment_on_one_line() -> None:
    changed = add_entry("policy: a\n", NEW, "Ana\nkeys: [x]")
    assert changed == f'policy: a\nkeys:\n  - "{NEW}"  # Ana keys: [x]\n'


@given(st.text(alphabet="keyspolicy:-[]{}#'\" \n\t|>&*!\u2028\x85é", max_size=80), st.text(max_size=20))
def test_a_changed_file_means_the_same_with_one_more_key_or_is_not_changed(text: str, note: str) -> None:
    changed = add_entry(text, NEW, note)
    if changed is None:
        return
    before, after = read_yaml(text.encode(), "f").data or {}, read_yaml(changed.encode(), "f").data
    assert after["keys"] == [*(before.get("keys") or []), NEW]
    assert {name: value for name, value in after.items() if name != "keys"} == {
        name: value for name, value in before.items() if name != "keys"
    }
    assert all(line in changed for line in text.split())


def test_a_new_key_opens_the_door_and_only_its_hash_is_stored(write: Write) -> None:
    main = write(ECHO, search="# ours\npolicy: default\n")
    main.write_text(ECHO + "policies: {default: {}}\n")
    made = store_key(main, Wanted("search", note="Ana"))
    text = (main.parent / "teams" / "search.yaml").read_text()
    assert made.written
    assert made.key not in text
    assert hash_key(made.key) in text
    assert text.startswith("# ours\n")
    assert owner(main, made.key) == "search"
    assert made.key not in repr(made)


def test_a_key_for_a_team_of_the_main_file_is_left_to_a_person(write: Write) -> None:
    main = write(ECHO + "teams: {a: {}}\n")
    before = main.read_bytes()
    made = store_key(main, Wanted("a"))
    assert not made.written
    assert made.entry == hash_key(made.key)
    assert main.read_bytes() == before


def test_an_unknown_team_gets_no_key_unless_asked_for(write: Write) -> None:
    main = write(ECHO, search="description: x")
    with pytest.raises(PolicyError, match="no team is called 'serch'; did you mean 'search'"):
        store_key(main, Wanted("serch"))
    made = store_key(main, Wanted("other"), create=True)
    assert owner(main, made.key) == "other"


@pytest.mark.parametrize("team", ["../other", "a/b", "", ".a", "a\n"])
def test_a_team_name_cannot_lead_out_of_the_folder(write: Write, team: str) -> None:
    with pytest.raises(PolicyError, match="a team's name begins"):
        store_key(write(ECHO), Wanted(team), create=True)


def test_a_file_is_replaced_with_its_permissions_and_through_a_link(tmp_path: Path) -> None:
    file, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    write_atomically(link, "new")
    assert file.read_text() == "new"
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.yaml", "real.yaml"]


def test_a_failed_write_leaves_the_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]
    assert file.read_text() == "old"

from __future__ import annotations

import hashlib
import hmac
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.policies.keys import KeyRing, hash_key, new_key


def test_a_new_key_has_the_prefix_and_32_random_bytes() -> None:
    keys = {new_key() for _ in range(50)}
    assert len(keys) == 50
    assert all(re.fullmatch(r"sk-moos-[A-Za-z0-9_-]{43}", key) for key in keys)


def test_the_stored_hash_is_plain_sha256() -> None:
    assert hash_key("abc") == hashlib.sha256(b"abc").hexdigest()


def test_a_key_leads_to_its_team_and_an_unknown_key_to_none() -> None:
    ring = KeyRing.of([(hash_key("one"), "a"), (hash_key("two"), "b")])
    found = [ring.find(key) for key in ("one", "two", "three", "", hash_key("one"))]
    assert [key.team if key else None for key in found] == ["a", "b", None, None, None]


def test_without_entries_a_ring_is_false_and_knows_nobody() -> None:
    assert not KeyRing()
    assert KeyRing().find("x") is None


@pytest.mark.parametrize("key", ["first", "last", "unknown"])
def test_every_entry_is_compared_whether_or_not_one_matched(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = KeyRing.of((hash_key(name), name) for name in ["first", "b", "c", "last"])
    compared: list[bytes] = []
    real = hmac.compare_digest

    def counting(left: bytes, right: bytes) -> bool:
        compared.append(left)
        return real(left, right)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    ring.find(key)
    assert compared == [entry.digest for entry in ring.entries]


@given(st.text(st.characters(), max_size=20))
def test_any_string_may_be_offered_as_a_key(key: str) -> None:
    assert (KeyRing.of([(hash_key("one"), "a")]).find(key) is not None) == (key == "one")
    assert len(hash_key(key + "\ud800")) == 64

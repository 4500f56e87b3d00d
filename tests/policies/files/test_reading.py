from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.policies.files.reading import MAX_NODES, read_yaml


def read(text: str) -> object:
    document = read_yaml(text.encode(), "f.yaml")
    assert document.faults == []
    return document.data


def reasons(content: bytes) -> list[str]:
    return [str(fault) for fault in read_yaml(content, "f.yaml").faults]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("off", "off"),
        ("no", "no"),
        ("12:30:00", "12:30:00"),
        ("2026-11-20", "2026-11-20"),
        ("true", True),
        ("~", None),
        ("", None),
        ("007", 7),
        ("0x1F", 31),
        ("-2", -2),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("1.2.3", "1.2.3"),
    ],
)
def test_plain_text_is_read_as_yaml_1_2_reads_it(text: str, expected: object) -> None:
    assert read(f"a: {text}") == {"a": expected}


def test_infinity_is_a_number() -> None:
    assert read("[.inf, -.inf, +.inf]") == [float("inf"), float("-inf"), float("inf")]


def test_a_byte_order_mark_is_skipped() -> None:
    assert read_yaml(b"\xef\xbb\xbfa: 1", "f").data == {"a": 1}


def test_a_merge_key_gives_way_to_the_mappings_own_keys() -> None:
    assert read("x: &x {a: 1, b: 2}\ny: {b: 3, <<: *x}") == {"x": {"a": 1, "b": 2}, "y": {"a": 1, "b": 3}}


def test_of_two_merged_mappings_the_first_wins() -> None:
    assert read("x: &x {a: 1}\ny: &y {a: 2, b: 2}\nz: {<<: [*x, *y]}")["z"] == {"a": 1, "b": 2}  # type: ignore[index]


def test_every_key_has_its_line() -> None:
    document = read_yaml(b"a:\n  b: 1\n  c:\n    - d: 2\n", "f")
    assert {path: document.lines[path] for path in [("a", "b"), ("a", "c", 0, "d")]} == {
        ("a", "b"): 2,
        ("a", "c", 0, "d"): 4,
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: 1\nb: 2\na: 3", "f.yaml:3: a: is there twice"),
        (b"a:\n  - b: 1\n    b: 1", "f.yaml:3: a[0].b: is there twice"),
        (b"1: 2", "f.yaml:1: has a key that is not text: put it in quotes"),
        (b"[1]: 2", "f.yaml:1: has a key that is not text: put it in quotes"),
        (b"ok: 1\n\xff", "f.yaml:2: is not UTF-8 text"),
        (b"a: 1\n\x07", "f.yaml:2: holds a control character"),
        (b"", "f.yaml: is empty"),
        (b"# nothing\n", "f.yaml: is empty"),
        (b"~", "f.yaml:1: is empty"),
        (b"!", "f.yaml:1: is empty"),
        (b"a: &a [*a]", "f.yaml:1: a[0]: is an alias of something that it is part of"),
        (b"a: !secret x", "f.yaml:1: a: has a tag (!...) that is not supported"),
        (b"a: !thing {}", "f.yaml:1: a: has a tag (!...) that is not supported"),
        (b"a: " + b"9" * 5000, "f.yaml:1: a: is not a number that can be read"),
        (b"a: {<<: 3}", "f.yaml:1: a: merges (<<) something that is not a mapping"),
        (b"[" * 900, "f.yaml: is nested too deeply"),
    ],
)
def test_each_fault_has_its_line_and_reason(content: bytes, expected: str) -> None:
    assert reasons(content) == [expected]


@pytest.mark.parametrize(
    "content", [b"a: b: c", b"a: [", b"a: *b", b"---\na: 1\n---\nb: 1", b"\ta: 1", b'a: "\\q"']
)
def test_a_syntax_error_names_the_line(content: bytes) -> None:
    (reason,) = reasons(content)
    assert reason.startswith("f.yaml:")
    assert "is not YAML: " in reason


@pytest.mark.parametrize("text", ["a: *sesame-123", "a: !sesame-123 b", "a: &sesame-123 &sesame-123 b"])
def test_a_secret_that_looks_like_syntax_is_not_quoted(text: str) -> None:
    found = reasons(text.encode())
    assert found
    assert "sesame-123" not in "".join(found)


def test_aliases_cannot_grow_a_small_file_without_bound() -> None:
    levels = "\n".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 9))
    (reason,) = reasons(f"x0: &x0 [a]\n{levels}".encode())
    assert "too many values" in reason
    assert MAX_NODES < 9**8


@given(st.binary(max_size=200) | st.text(alphabet="ab:&*!<>{}[],-?|'\"#%@ \n\t0", max_size=60).map(str.encode))
def test_no_bytes_make_reading_raise(content: bytes) -> None:
    assert {fault.file for fault in read_yaml(content, "f").faults} <= {"f"}

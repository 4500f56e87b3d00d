from __future__ import annotations

import pytest

from moosproxy.policies.files.environment import substitute
from moosproxy.policies.files.reading import read_yaml


def expand(text: str, **environ: str) -> tuple[object, list[str]]:
    document = read_yaml(f"a: [{text!r}]".encode(), "f")
    substitute(document, environ)
    return document.data["a"][0], [fault.reason for fault in document.faults]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${X}", "1"),
        ("a${X}b${X}", "a1b1"),
        ("${Y:-2}", "2"),
        ("${EMPTY:-2}", "2"),
        ("${Y:-}", ""),
        ("${X:-2}", "1"),
        ("$${X}", "${X}"),
        ("$X", "$X"),
        ("plain", "plain"),
    ],
)
def test_references_are_replaced(text: str, expected: str) -> None:
    assert expand(text, X="1", EMPTY="") == (expected, [])


@pytest.mark.parametrize("text", ["${Y}", "${EMPTY}"])
def test_a_variable_that_is_missing_or_empty_is_a_fault_that_names_it(text: str) -> None:
    _, reasons = expand(text, EMPTY="")
    assert reasons == [f"environment variable {text[2:-1]} is not set"]


@pytest.mark.parametrize("text", ["${}", "${a b}", "${X", "${9}"])
def test_a_reference_that_is_not_one_is_a_fault(text: str) -> None:
    _, reasons = expand(text, X="1")
    assert len(reasons) == 1
    assert "without a name" in reasons[0]


def test_a_replaced_value_is_not_looked_at_again() -> None:
    assert expand("${X}", X="${Y}", Y="no") == ("${Y}", [])


def test_a_document_shows_none_of_its_data_in_its_repr() -> None:
    document = read_yaml(b"a: '${X}'", "f")
    substitute(document, {"X": "sesame"})
    assert document.data == {"a": "sesame"}
    assert "sesame" not in repr(document)


def test_patterns_keep_their_dollars_and_braces() -> None:
    document = read_yaml(b"patterns: {add: ['^a${X}']}", "f")
    substitute(document, {"X": "1"})
    assert document.data == {"patterns": {"add": ["^a${X}"]}}

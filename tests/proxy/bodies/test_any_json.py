"""Numbers and texts that go on as they came."""

from __future__ import annotations

import pytest

from moosproxy.proxy.bodies import any_json

DIGITS = "9" * 30
SAME = [
    *("0", "-1", "1.5", "1e400", "-1e400", "1e-400", "1E+999999999999999999", "18446744073709551615"),
    *("18446744073709551616", "-9223372036854775808", "-9223372036854775809", DIGITS, f"-{DIGITS}.5", "9" * 4000),
    *("0.1000000000000000055511151231257827", "12345678901234567.5", "4.9e-324"),
]


@pytest.mark.parametrize("number", SAME)
@pytest.mark.parametrize("text", ["x", "\\ud800"])
def test_numbers_are_written_as_they_came(number: str, text: str) -> None:
    document = f'{{"a":[{number}],"b":"{text}"}}'.encode()

    assert any_json.dumps(any_json.exact(document)).replace(b" ", b"") == document


def test_numbers_that_fit_are_numbers() -> None:
    document = (
        b"[1, -0.0, 0.10, 1e2, 1.0000000000000000000, 2.5E-10, 100000000000000000000.0, 1.7976931348623157e308]"
    )

    found = any_json.exact(document)
    assert found == [1, 0.0, 0.1, 100.0, 1.0, 2.5e-10, 1e20, 1.7976931348623157e308]
    assert [type(number) for number in found] == [int, *[float] * 7]


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        any_json.exact(b'{"a":1e400,}')
    with pytest.raises(TypeError, match="object is no JSON"):
        any_json.dumps(object())

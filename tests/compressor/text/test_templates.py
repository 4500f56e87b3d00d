"""Log lines, their rarity and what varies in them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.compressor.text import templates

NAMES = ["ann", "bob", "cy", "dee", "eve"]
SERVED = [
    f"2024-05-03 10:{n:02d}:07,123 INFO http.Server: request {n} from 10.0.0.{n} served in {n}ms"
    for n in range(50)
]
LOGIN = [
    f"2024-05-03 11:0{n}:07,123 INFO auth.Gate: login of user {name} accepted" for n, name in enumerate(NAMES)
]
RARE = "2024-05-03 10:31:00,001 WARN disk.Monitor: volume /data/b7 nearly full, rotating segments early"
LOG = "\n".join([*SERVED[:31], RARE, *SERVED[31:], *LOGIN])


def test_every_line_of_a_log_is_a_log_line() -> None:
    assert [LOG[start:end] for start, end in templates.find_log_lines(LOG)] == LOG.split("\n")


@pytest.mark.parametrize(
    "head",
    [
        "Jun 14 15:16:{n:02d} combo sshd[19{n}]:",
        "[Sun Dec 04 04:47:{n:02d} 2005] [notice]",
        "081109 2036{n:02d} 148 INFO",
        "17/06/09 20:10:{n:02d} INFO",
        "- 1117838570 2005.06.03 R02-M1",
        "10.0.0.1 - - [10/Oct/2024:13:55:{n:02d}",
        "web_1 | 2024-05-03T10:30:{n:02d}Z",
        '{{"ts": {n}, "level": "info"',
        "INFO:root:",
        "I0503 10:30:{n:02d}.1 7 a.cc:1]",
        "level=info n={n}",
    ],
)
def test_common_heads_of_log_lines_are_known(head: str) -> None:
    text = "\n".join(f"{head.format(n=n)} job {n} done" for n in range(10))

    assert len(templates.find_log_lines(text)) == 10


@pytest.mark.parametrize(
    "text",
    [
        "",
        "It rained.\n" * 20,
        "\n".join(SERVED[:4]),
        "\n".join(f"Speaker {n}: it was 10:30 and raining" for n in range(20)),
        "\n".join(f"{n}. item {n}" for n in range(20)),
        "\n".join(f"{n},{n},{n}" for n in range(20)),
        "def f(x):\n    return x\n" * 20,
        "\n".join([*SERVED[:5], *["It rained and rained."] * 20]),
    ],
)
def test_other_texts_are_no_log(text: str) -> None:
    assert templates.find_log_lines(text) == []
    assert templates.rarity(text).shape == (0,)


def test_the_odd_event_is_the_rarest_line() -> None:
    values = templates.rarity(LOG)

    assert values.shape == (len(LOG.split("\n")),)
    assert LOG.split("\n")[int(values.argmax())] == RARE
    assert (values == values.max()).sum() == 1


def test_lines_that_differ_in_numbers_or_names_only_are_one_event() -> None:
    values = templates.rarity(LOG)

    assert len(set(values[:31])) == 1
    assert values[-1] < values[LOG.split("\n").index(RARE)]


def test_stack_traces_belong_to_the_log() -> None:
    trace = ["Traceback (most recent call last):", '  File "a.py", line 3, in f', "ValueError: no such thing"]

    assert len(templates.find_log_lines("\n".join([*SERVED[:8], *trace, *SERVED[8:16]]))) == 19


def test_parameters_are_what_varies() -> None:
    line = (
        "Jun 14 15:16:01 combo sshd[19939]: failed login for root from ab.example.com "
        'port=22 path /var/log/x "quoted text" code 0x1f'
    )
    pieces = [line[start:end] for start, end in templates.parameters(line, (0, len(line)))]

    assert {"15:16:01", "19939", "root", "ab.example.com", "22", "/var/log/x", '"quoted text"', "0x1f"} <= set(
        pieces
    )
    assert not {"failed", "login", "code"} & set(pieces)


@given(st.text(alphabet="ab1/\"'= \n:[", max_size=200))
def test_parameters_lie_inside_the_line(text: str) -> None:
    spans = templates.parameters(text, (0, len(text)))

    assert spans == sorted(set(spans))
    assert all(0 <= start < end <= len(text) for start, end in spans)


@given(st.lists(st.sampled_from([*SERVED, RARE, *LOGIN, "", "  at com.x.Y"]), max_size=40).map("\n".join))
def test_rarity_is_a_share_for_each_log_line(text: str) -> None:
    values = templates.rarity(text)

    assert len(values) == len(templates.find_log_lines(text))
    assert np.all((values >= 0) & (values <= 1))

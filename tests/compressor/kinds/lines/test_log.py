"""Logs: whole entries, rare events and faults first, repeated ones counted where they went."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.compressor import Compressor
from tests.compressor.kinds.kit import check_rows, kinds, left, shortened, units_of, unmarked

LOGINS = "\n".join(
    f"2026-09-14T04:{n:02}:07Z auth[{2200 + n}]: login of user {('root', 'deploy', 'ana', 'backup')[n % 4]} "
    f"from 10.0.{n % 7}.{n} {('failed', 'accepted', 'refused')[n % 3]} after {n % 3 + 1} attempts"
    for n in range(32)
)
TRACE = (
    "2026-09-14 03:12:44,118 ERROR [scheduler-3] c.e.NightlyRun - run 8841 stopped\n"
    "com.example.RunFailed: Could not open a transaction\n"
    + "\n".join(f"\tat org.springframework.Proxy{n}.invoke(Proxy{n}.java:{n})" for n in range(12))
    + "\n\tat com.example.NightlyRun.close(NightlyRun.java:214)\n"
    "Caused by: java.sql.SQLException: Connection is not available\n"
    "\tat com.example.Ledger.open(Ledger.java:61)\n\t... 14 more"
)


def served(count: int, odd: dict[int, str] | None = None) -> list[str]:
    """Lines of a quiet service, with others in between."""
    draw = random.Random(count)
    return [
        f"2026-05-03 10:{n // 60 % 60:02}:{n % 60:02},123 "
        + (odd or {}).get(
            n, f"INFO http.Server: request {n} of 10.0.0.{draw.randint(1, 99)} took {draw.randint(1, 900)}ms"
        )
        for n in range(count)
    ]


ODD = {
    17: "WARN disk.Monitor: volume /data/b7 nearly full, rotating segments early",
    88: "INFO cluster.Member: node west-2 became the leader",
    131: "ERROR pay.Gate: card of customer 4711 declined",
}
QUIET = "\n".join(served(200, ODD))


@pytest.mark.parametrize(
    "head",
    [
        "Jun 14 15:16:{n:02d} combo sshd[19{n}]:",
        "[Sun Dec 04 04:47:{n:02d} 2005] [notice]",
        "081109 2036{n:02d} 148 INFO",
        "KERNDTLB 11178385{n:02d} 2005.06.03 R02-M1",
        "10.0.0.1 - - [10/Oct/2024:13:55:{n:02d} +0000]",
        "web_1 | 2024-05-03T10:30:{n:02d}Z",
        "[INFO]",
        "level=info n={n}",
        "time=2024-05-03T10:30:{n:02d}Z level=info n={n}",
    ],
)
def test_each_form_is_one_block(head: str) -> None:
    text = "\n".join(f"{head.format(n=n)} job {n} done" for n in range(10))

    assert kinds(text) == ["log"]
    check_rows(text, units_of(text))


@pytest.mark.parametrize(
    "text",
    [
        "It rained.\n" * 20,
        "2024-05-03 we met in the old mill.\nNobody wrote it down.\nThe roof is still open.\n",
        "1. one\n2. two\n3. three\n",
        "Anna: 10:30 is fine\nBo: no, 11:00\nAnna: well\nBo: good\nAnna: bye\n",
    ],
)
def test_other_text_is_no_log(text: str) -> None:
    assert "log" not in kinds(text)


def test_rare_events_and_what_is_asked_for_stay() -> None:
    kept = left(QUIET, 10)

    assert all(any(event in line for line in kept) for event in ODD.values())
    assert any("request 42 " in line for line in left(QUIET, 20, "How long did request 42 take?"))


def test_first_and_last_line_and_each_event_stay() -> None:
    lines = [*served(60), *(line.replace("http.Server: request", "mail.Queue: letter") for line in served(40))]
    kept = left("\n".join(lines), 8)

    assert kept[0] == lines[0] and kept[-1] == lines[-1]
    assert any("letter" in line for line in kept) and any("request" in line for line in kept)


def test_what_went_of_a_log_that_one_counts_is_told(compressor: Compressor) -> None:
    for ratio in (2, 3):
        short, _ = shortened(compressor, LOGINS, ratio)
        went = sum(int(row.split()[1]) for row in short.split("\n") if row.startswith("[…"))

        assert set(unmarked(short)) <= set(LOGINS.split("\n"))
        assert len(unmarked(short)) + went == 32


def test_a_trace_inside_is_one_entry_with_its_line_and_loses_frames_first() -> None:
    text = "\n".join([*served(30), TRACE, *served(30)])
    assert kinds(text) == ["log"]
    kept = left(text, 3)

    assert TRACE.split("\n")[0] in kept
    assert {"com.example.RunFailed: Could not open a transaction"} < set(kept)
    assert "Caused by: java.sql.SQLException: Connection is not available" in kept
    assert sum("springframework" in row for row in kept) < 12


def test_lines_of_a_message_stay_with_their_entry() -> None:
    entry = "2026-05-03 10:09:00,123 WARN sql.Slow: took 9s\n  SELECT *\n  FROM orders"
    kept = left("\n".join([*served(20), entry, *served(20)]), 6)

    assert entry in kept


@given(
    st.lists(st.sampled_from(["INFO a: ok", "INFO b: fine", "DEBUG c: step"]), min_size=20, max_size=80),
    st.integers(0, 19),
    st.sampled_from([2, 3]),
)
def test_rare_lines_survive_and_all_lines_are_whole(events: list[str], at: int, ratio: float) -> None:
    lines = [f"2026-05-03 10:00:{n % 60:02},{n:03} {event} {n}" for n, event in enumerate(events)]
    lines[at] = lines[at][:24] + "ERROR gate: the lock of door west is broken"
    kept = left("\n".join(lines), ratio)

    assert lines[at] in kept
    assert set(kept) <= set(lines)


@given(st.text(st.sampled_from("a 1:\t\n\r"), max_size=300))
def test_nothing_that_it_may_hold_is_a_fault(text: str) -> None:
    assert kinds(text) is not None
    assert kinds(f"{LOGINS}\n{text}\n{LOGINS}")[0] == "log"

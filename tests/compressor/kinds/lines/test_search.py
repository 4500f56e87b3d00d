"""Hits of a search: whole lines, each with its path and number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compressor.kinds.kit import check_rows, kinds, left, units_of

NUMBERED = "\n".join(f"{412 + 17 * n}:    if (retryBudget <= {n}) return reject({n});" for n in range(20))
FILED = "\n".join(
    f"logs/2026-05-{n:02}/app.log:{10 + 3 * n}:ERROR worker {n % 4} lost its lease on job {9000 + n}, it goes back"
    for n in range(1, 25)
)
HEADED = "\n\n".join(
    f"src/file{n}.ts\n" + "\n".join(f"{7 * k + n}:  const left{k} = retryBudget - {k};" for k in range(1, 6))
    for n in range(8)
)
CONTEXT = "\n--\n".join(
    f"src/a{n}.py-{n + 10}-def before():\nsrc/a{n}.py:{n + 11}:    b = {n}\nsrc/a{n}.py-{n + 12}-    return None"
    for n in range(12)
)
COMPILED = "\n".join(f"src/part{n}.c:{n + 3}:10: warning: unused variable 'x{n}'" for n in range(10))


@pytest.mark.parametrize("text", [NUMBERED, FILED, HEADED, CONTEXT, COMPILED])
def test_each_form_is_one_block(text: str) -> None:
    assert kinds(text) == ["search"]
    check_rows(text, units_of(text))


@pytest.mark.parametrize(
    "text",
    [
        "9:00 breakfast\n9:30 talk\n11:00 break\n12:15 lunch\n",
        "10:15:03 started\n10:15:04 went on\n10:15:09 ended\n",
        "1: open the box\n2: take the key\n3: close the box\n4: leave\n",
        "See config.yaml: it holds the port. See app.py: it reads it. That is all there is to say.\n",
        "nova.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 25746 INFO one\n" * 6,
        "0.5497\n24-h CCr, mL/min\n0.3\n12-h CCr, mL/min\n",
        "image: nginx\nport: 80\nhost: example.org\n",
    ],
)
def test_times_lists_and_labels_are_no_hits(text: str) -> None:
    assert "search" not in kinds(text)


def test_what_is_asked_for_and_one_hit_of_each_file_stay() -> None:
    assert any("job 9013," in row for row in left(FILED, 10, "Which worker had job 9013?"))
    kept = left(HEADED, 3)
    assert all(f"src/file{n}.ts" in kept for n in range(8))


def test_hits_stay_longer_than_what_stands_around_them() -> None:
    kept = left(CONTEXT, 4)

    assert kept and all(row.split("-")[0].count(":") == 2 for row in kept)


def test_a_heading_never_stands_without_a_hit() -> None:
    for ratio in (2, 4, 8, 30):
        kept = left(HEADED, ratio)
        assert all(not row[0].isdigit() or kept[at - 1] for at, row in enumerate(kept))
        for row, behind in zip(kept, [*kept[1:], ""], strict=True):
            assert not row.startswith("src/") or behind[:1].isdigit()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a.py", "src/b.rs", "C:\\c.cs", "Makefile"]), st.integers(1, 9999), st.text("ab :-")
        ),
        min_size=5,
        max_size=60,
    ),
    st.sampled_from([1.5, 2, 5]),
)
def test_lines_stay_whole(hits: list[tuple[str, int, str]], ratio: float) -> None:
    text = "\n".join(f"{path}:{number}:x{rest}x" for path, number, rest in hits)
    if kinds(text) == ["search"]:
        assert set(left(text, ratio)) <= set(text.split("\n"))


@given(st.text(st.sampled_from("a/.:1-\n "), max_size=300))
def test_nothing_that_it_may_hold_is_a_fault(text: str) -> None:
    assert kinds(text) is not None
    assert kinds(f"{FILED}\n{text}")[0] == "search"

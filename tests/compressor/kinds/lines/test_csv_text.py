"""Separated values: told by their columns, cut by whole records, the header always there."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compressor.kinds.kit import check_rows, kinds, left, units_of

NOTES = ("", "gift wrap", "call first", "leave at door")
ORDERS = "\n".join(
    [
        "order_id,customer,country,state,paid,amount,note",
        *(
            f"{70000 + n},customer {n},{('DE', 'FR', 'PL', 'ES')[n % 4]},{('open', 'shipped')[n % 2]},"
            f"{'no' if n == 17 else 'yes'},{n * 37.13:.2f},{NOTES[n % 4]}"
            for n in range(40)
        ),
    ]
)


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
def test_records_below_a_header_are_one_block(separator: str) -> None:
    assert kinds(ORDERS.replace(",", separator)) == ["csv"]


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3\n4,5,6\n7,8,9\n10,11,12\n13,14,15\n",
        'id,text,n\n1,"two\nlines, and a comma",3\n2,x,4\n3,y,5\n',
        "id,text,n\r\n1,x,3\r\n2,x,4\r\n3,y,5\r\n",
        "id,name,n\n1,a,2\n2,b,c,3\n3,c,4\n4,d,5\n",
    ],
)
def test_other_forms_are_told_too(text: str) -> None:
    assert kinds(text) == ["csv"]


@pytest.mark.parametrize(
    "text",
    [
        "Apples, pears, and plums.\nNuts, figs, and dates.\nRye, oats, and wheat.\n",
        "Dear Ann,\n\nthe box, the lid, and the key are here.\nThe lamp, the cord, and the plug are not.\n",
        "We came, we saw, we left\nand, though it rained, they stayed\nwhile, as ever, the dog slept\n",
        "call(a, b, c)\ncall(d, e, f)\ncall(g, h, i)\ncall(j, k, l)\n",
        "".join(f"2026-09-14 03:12:4{n},118 ERROR a, b\n" for n in range(6)),
    ],
)
def test_text_with_commas_is_no_csv(text: str) -> None:
    assert "csv" not in kinds(text)


def test_a_rare_value_and_what_is_asked_for_stay() -> None:
    assert any(",no," in row for row in left(ORDERS, 4))
    assert any("customer 23," in row for row in left(ORDERS, 8, "What did customer 23 buy, order 70023?"))


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r", exclude_categories=["Cs", "Cc"]), max_size=12)


@given(
    st.lists(st.lists(CELL | st.just("a\nb"), min_size=4, max_size=4), min_size=6, max_size=30),
    st.sampled_from([1.5, 2, 3, 10]),
)
def test_records_keep_their_columns(cells: list[list[str]], ratio: float) -> None:
    written = io.StringIO()
    rows = [[str(n), *row] for n, row in enumerate(cells)]
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([list("abcde"), *rows])
    text = written.getvalue()
    if kinds(text) != ["csv"]:
        return
    kept = left(text, ratio)
    read = list(csv.reader(io.StringIO("\n".join(kept))))

    assert read[0] == list("abcde")
    assert all(row in rows for row in read[1:])
    check_rows(text, units_of(text))


@given(st.text(st.sampled_from('a1,;\t"\n |'), max_size=200))
def test_nothing_that_it_may_hold_is_a_fault(text: str) -> None:
    for hint in ("", "csv"):
        fenced = f"```{hint}\n{text}\n```" if hint else text
        assert kinds(fenced) is not None

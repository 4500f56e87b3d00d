"""Diffs: how they are told, what stays with what, and that no side of a change stands alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.kinds.base import TextKind
from tests.compressor.kinds.kit import (
    best,
    check_marks,
    check_statements,
    closed,
    edited,
    index_of,
    kinds,
    piece_of,
    rows_of,
    units_of,
)
from tests.compressor.linear import check_linear

INVOICE = """diff --git a/shop/bill.py b/shop/bill.py
index 4b1d2ac..9e77f03 100644
--- a/shop/bill.py
+++ b/shop/bill.py
@@ -41,14 +41,18 @@ class Builder:
         self.currency = currency
         self.lines = []
 ~
-    def add(self, item, price):
-        self.lines.append((item, price))
+    def add(self, item, price, discount=None):
+        if discount is not None and not 0 <= discount < 1:
+            raise ValueError("a share of the price")
+        self.lines.append((item, price, discount or 0))
         return self
 ~
     def total(self):
-        return round(sum(self.lines), 2)
+        amount = sum(
+            price * (1 - discount)
+            for _, price, discount in self.lines
+        )
+        return amount.quantize(CENT)
 ~
     def freeze(self):
         self.frozen = True
         return tuple(self.lines)
diff --git a/shop/views.py b/shop/views.py
index 77aa01b..b7d02c1 100644
--- a/shop/views.py
+++ b/shop/views.py
@@ -12,6 +12,6 @@ def create(request):
     form = Form(request.POST)
     if form.is_valid():
-        for line in form.lines():
+        for line in reversed(form.lines()):
             builder.add(*line)
         invoice = builder.freeze()
         return redirect("invoice")
""".replace("~\n", "\n")
LOCK = """diff --git a/package-lock.json b/package-lock.json
index 1111111..2222222 100644
--- a/package-lock.json
+++ b/package-lock.json
@@ -1,3 +1,3 @@
 {
-  "version": "1.0.0"
+  "version": "1.0.1"
 }
"""
RENAME = """diff --git a/old.txt b/new.txt
similarity index 100%
rename from old.txt
rename to new.txt
"""
PLAIN = """--- before.txt\t2024-01-01 00:00:00
+++ after.txt\t2024-01-02 00:00:00
@@ -1,3 +1,3 @@
 one
-two
+zwei
 three
\\ No newline at end of file
"""
COMBINED = """diff --cc main.c
index 1,2..3
--- a/main.c
+++ b/main.c
@@@ -1,4 -1,4 +1,5 @@@
  int main(void)
  {
- 	return one();
 -	return two();
++	return three();
  }
"""
NEW = (
    "diff --git a/new.py b/new.py\nnew file mode 100644\nindex 0000000..87113ca\n--- /dev/null\n+++ b/new.py\n"
    + (
        "@@ -0,0 +1,24 @@\n"
        + "".join(
            f"+def step_{n}(a):\n+    # Adds.\n+    if a > {n}:\n+        raise Bad(a)\n+    return {n}\n+\n"
            for n in range(4)
        )
    )
)

PATCHES = [INVOICE, LOCK, RENAME + LOCK, PLAIN, COMBINED, NEW, INVOICE.replace("\n", "\r\n")]


def pieces(text: str) -> list[str]:
    return [piece_of(text, unit) for unit in units_of(text)]


@pytest.mark.parametrize(
    "text", [INVOICE, LOCK, RENAME + LOCK, PLAIN, COMBINED, NEW, INVOICE.replace("\n", "\r\n")]
)
def test_a_patch_is_one_block(text: str) -> None:
    assert kinds(text) == [TextKind.DIFF]
    check_statements(text, units_of(text))


@pytest.mark.parametrize("cut", range(1, 29))
def test_a_patch_cut_anywhere_is_told_as_far_as_headers_follow(cut: int) -> None:
    text = "\n".join(INVOICE.split("\n")[cut:])
    assert kinds(text) == [TextKind.DIFF]
    assert kinds("\n".join(INVOICE.split("\n")[: -cut - 1]))[0] is TextKind.DIFF


@pytest.mark.parametrize(
    "text",
    [
        "- milk\n- bread\n+ honey, if there is any\n- a very long walk home\n",
        "--- \nA rule above, and\n+++ three signs\n",
        "We write @@ -1,2 +1,2 @@ for a hunk, and diff --git for a file.\n",
        "- name: x\n  run: y\n- name: z\n  run: w\n",
        "Balance:\n+10 for the first\n-20 for the second\n+30 for the third\n",
    ],
)
def test_what_only_looks_like_a_patch_is_none(text: str) -> None:
    assert TextKind.DIFF not in kinds(text)


def test_running_text_around_a_patch_stays_running_text() -> None:
    text = f"Please read this change.\n\n{INVOICE}\nIs the rounding right in every case?\n"
    assert kinds(text) == [TextKind.PROSE, TextKind.DIFF, TextKind.PROSE]
    assert kinds(f"```diff\n{INVOICE}```\n") == [TextKind.FENCE, TextKind.DIFF, TextKind.FENCE]


def test_a_change_is_one_unit_with_the_note_on_its_line_break() -> None:
    found = pieces(PLAIN.replace(" three\n", "-three\n").replace("+zwei\n", ""))
    assert "-two\n-three\n\\ No newline at end of file" in found
    assert "- \treturn one();\n -\treturn two();\n++\treturn three();" in pieces(COMBINED)


def test_a_change_keeps_its_hunk_and_its_file() -> None:
    units = units_of(INVOICE)
    index = index_of(INVOICE, units, "reversed")
    assert rows_of(INVOICE, units, closed(units, {index})) == [
        "diff --git a/shop/views.py b/shop/views.py",
        "index 77aa01b..b7d02c1 100644",
        "--- a/shop/views.py",
        "+++ b/shop/views.py",
        "@@ -12,6 +12,6 @@ def create(request):",
        "-        for line in form.lines():",
        "+        for line in reversed(form.lines()):",
    ]


def rank(text: str, piece: str, question: str | None = None) -> float:
    return next(unit.rank or 0.0 for unit in units_of(text, question) if piece in piece_of(text, unit))


def test_what_goes_first() -> None:
    text = INVOICE + LOCK + RENAME
    context = [rank(text, row) for row in ("self.currency = currency", "self.lines = []", "self.frozen = True")]
    changes = [rank(text, row) for row in ("discount=None", "quantize", "reversed")]
    assert max(context) < min(changes)
    assert rank(text, "1.0.1") < rank(text, "@@ -12,6 +12,6 @@") < min(changes)
    assert rank(text, "rename from") < rank(text, "--- a/shop/bill.py")
    assert rank(text, "return redirect") < rank(text, "builder.add(*line)")
    assert rank(text, "reversed", "Why is the order of lines reversed?") > rank(text, "discount=None")
    white = INVOICE.replace(
        "+        for line in reversed(form.lines()):", "+            for line in form.lines():"
    )
    assert rank(white, "for line") < min(changes[:2]) - 3


def test_a_new_file_is_taken_by_its_statements() -> None:
    units = units_of(NEW)
    kept = rows_of(NEW, units, best(NEW, units, 0.6))
    assert [row for row in kept if "def step" in row] == [f"+def step_{n}(a):" for n in range(4)]
    assert not any("# Adds." in row for row in kept)
    raising = index_of(NEW, units, "raise Bad")
    assert "+    if a > 0:" in rows_of(NEW, units, closed(units, {raising}))


Draw = Callable[[st.SearchStrategy[int]], int]


@st.composite
def patches(draw: Draw) -> str:
    rows: list[str] = []
    number = iter(range(10**6))
    for name in range(draw(st.integers(1, 4))):
        rows += [f"diff --git a/f{name}.py b/f{name}.py", f"--- a/f{name}.py", f"+++ b/f{name}.py"]
        for _ in range(draw(st.integers(1, 3))):
            hunk: list[str] = []
            for _ in range(draw(st.integers(1, 4))):
                hunk += [f" same {next(number)}" for _ in range(draw(st.integers(1, 4)))]
                hunk += [f"-old {next(number)}" for _ in range(draw(st.integers(0, 4)))]
                hunk += [f"+new {next(number)}" for _ in range(draw(st.integers(0, 4)))]
            old = sum(row[0] != "+" for row in hunk)
            new = sum(row[0] != "-" for row in hunk)
            rows += [f"@@ -{next(number) + 1},{old} +1,{new} @@ def f():", *hunk]
    return "\n".join(rows) + "\n"


def groups(text: str) -> list[tuple[str, ...]]:
    """The runs of changed rows on end."""
    found: list[tuple[str, ...]] = []
    run: list[str] = []
    for row in [*text.split("\n"), ""]:
        if row.startswith(("+", "-")) and not row.startswith(("+++ ", "--- ")):
            run.append(row)
        elif run:
            found.append(tuple(run))
            run = []
    return found


@settings(max_examples=60)
@given(patches(), st.data())
def test_every_choice_has_whole_changes_under_their_headers(text: str, data: st.DataObject) -> None:
    units = units_of(text)
    check_statements(text, units)
    chosen = data.draw(st.sets(st.sampled_from(range(len(units)))))
    kept = rows_of(text, units, closed(units, chosen))
    whole = {row: group for group in groups(text) for row in group}
    header: dict[str, str] = {}
    for row in text.split("\n"):
        last = row if row.startswith("@@") else header.get("", "")
        header[""] = header[row] = last
    at = ""
    for row in kept:
        at = row if row.startswith("@@") else at
        if row.startswith((" ", "-old", "+new")):
            assert header[row] == at
        if row in whole:
            assert set(whole[row]) <= set(kept)


@settings(max_examples=15)
@given(patches(), st.sampled_from([1.5, 2.0, 4.0]))
def test_what_is_left_are_rows_and_marks_that_count(compressor: Compressor, text: str, ratio: float) -> None:
    short = compressor.compress(text, CompressionSettings(ratio=ratio, question="What is new 7?")).text
    check_marks(text, short)
    whole = {row: group for group in groups(text) for row in group}
    left = set(short.split("\n"))
    for row in left & whole.keys():
        assert set(whole[row]) <= left


@settings(max_examples=100)
@given(st.text(alphabet=st.sampled_from("+-@ \\\n\r\t,1ab\ud800\x00é"), max_size=200))
def test_any_rows_behind_a_header_have_units(text: str) -> None:
    for whole in (INVOICE + text, f"@@ -1,5 +1,5 @@\n{text}", f"diff --git a/x b/x\n{text}", text):
        for block in edited(whole):
            before = 0
            for index, unit in enumerate(block.units):
                assert before <= unit.start < unit.end <= len(whole)
                assert unit.head < index or block.units[unit.head].heads
                before = unit.end


@pytest.mark.parametrize(
    "make",
    [
        lambda n: INVOICE * (n // 20),
        lambda n: "@@ -1 +1 @@\n" * n,
        lambda n: "diff --git a/x b/x\n" * n,
        lambda n: "--- a\n" * n,
        lambda n: "+a\n" * n,
        lambda n: "index 123\n" * n,
        lambda n: "@@ -1,2 +1,2 @@\n" + "+a\n-b\n" * n,
        lambda n: "@@ -1,2 +1,2 @@\n" + "+" + "a" * 10 * n,
    ],
)
def test_time_grows_with_the_text_and_no_faster(make: Callable[[int], str]) -> None:
    check_linear(edited, make, 100)

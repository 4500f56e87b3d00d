"""Stack traces and test failures: what went wrong always stays, frames of libraries go first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compressor.kinds.kit import check_rows, index_of, kinds, left, units_of

PYTHON = """\
Traceback (most recent call last):
  File "/srv/import/run.py", line 41, in <module>
    main(sys.argv[1:])
  File "/venv/lib/python3.11/site-packages/click/core.py", line 1130, in __call__
    return self.main(*args, **kwargs)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/import/loader.py", line 118, in load
    rows = [convert(row) for row in reader]
  File "/srv/import/convert.py", line 17, in amount
    raise BadAmount(
BadAmount: The amount could not be read since these columns are empty: PriceNet, TaxRate

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/import/service.py", line 61, in run
    raise JobFailed(job) from error
JobFailed: job import-of-monday was given up after the third attempt

(Open file: /srv/import/run.py)
(Current directory: /srv/import)
bash-$"""
JAVA = """\
Exception in thread "main" org.example.TransactionRefused: Could not open a transaction
\tat org.springframework.orm.jpa.Manager.doBegin(Manager.java:466)
\tat com.example.billing.NightlyRun.close(NightlyRun.java:214)
\tat java.base/java.lang.Thread.run(Thread.java:840)
Caused by: java.sql.SQLTransientConnectionException: ledger-pool - request timed out after 30000ms.
\tat com.zaxxer.hikari.pool.HikariPool.getConnection(HikariPool.java:181)
\tat com.example.billing.LedgerSource.getConnection(LedgerSource.java:38)
\t... 14 more"""
NODE = """\
TypeError: Cannot read properties of undefined (reading 'total')
    at sum (/srv/shop/src/cart.js:17:23)
    at Array.map (<anonymous>)
    at Layer.handle (/srv/shop/node_modules/express/lib/router/layer.js:95:5)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)"""
DOTNET = """\
Unhandled exception. System.InvalidOperationException: The ledger is closed
 ---> System.TimeoutException: The pool is empty
   at Shop.Ledger.Open(String name) in /src/Ledger.cs:line 21
   --- End of inner exception stack trace ---
   at System.Threading.Tasks.Task.Run()
   at Shop.Program.Main(String[] args) in /src/Program.cs:line 9"""
GO = """\
panic: runtime error: index out of range [3] with length 3

goroutine 1 [running]:
main.pick(...)
\t/srv/shop/pick.go:14
main.main()
\t/srv/shop/main.go:9 +0x1d
runtime.main()
\t/usr/local/go/src/runtime/proc.go:250 +0x207
exit status 2"""
RUST = """\
thread 'main' panicked at src/main.rs:4:10:
called `Option::unwrap()` on a `None` value
stack backtrace:
   0: rust_begin_unwind
             at /rustc/90b35a62/library/std/src/panicking.rs:645:5
   1: core::panicking::panic
             at /rustc/90b35a62/library/core/src/panicking.rs:127:5
   2: shop::pick
             at ./src/main.rs:4:10
note: Some details are omitted, run with `RUST_BACKTRACE=full`"""
JEST = """\
> shop@4.2.0 test
> jest --ci

PASS src/price.test.ts
PASS src/tax.test.ts
FAIL src/cart.test.ts
  ● cart › refuses a coupon that has expired

    expect(received).toBe(expected) // Object.is equality

    Expected: false
    Received: true

      57 |   const answer = cart.accepts(coupon);
    > 58 |   expect(answer).toBe(false);
         |                  ^

      at Object.toBe (src/cart.test.ts:58:18)
      at processTicksAndRejections (node:internal/process/task_queues:95:5)

Test Suites: 1 failed, 3 passed, 4 total
Tests:       2 failed, 1 skipped, 37 passed, 40 total
Ran all test suites.
npm ERR! code ELIFECYCLE
npm ERR! errno 1"""
PYTEST = """\
============================= test session starts ==============================
collected 4 items

test_cart.py ..F.                                                        [100%]

=================================== FAILURES ===================================
__________________________________ test_total __________________________________

    def test_total():
        cart = Cart()
        cart.add("tea", 2)
>       assert cart.total() == 7
E       assert 6 == 7
E        +  where 6 = total()

test_cart.py:9: AssertionError
=========================== short test summary info ============================
FAILED test_cart.py::test_total - assert 6 == 7
========================= 1 failed, 3 passed in 0.06s =========================="""
GO_TEST = """\
=== RUN   TestTotal
    cart_test.go:12: got 6, want 7
--- FAIL: TestTotal (0.00s)
=== RUN   TestTax
--- PASS: TestTax (0.00s)
FAIL
FAIL\texample.org/shop\t0.004s
ok  \texample.org/shop/tax\t0.002s"""
ALL = {"python": PYTHON, "java": JAVA, "node": NODE, "dotnet": DOTNET, "go": GO, "rust": RUST, "jest": JEST}
ALL |= {"pytest": PYTEST, "go test": GO_TEST}
STAYS = {
    "python": ["BadAmount: The amount could", "JobFailed: job import-of-monday", "The above exception was"],
    "java": ["TransactionRefused: Could not", "Caused by: java.sql.SQLTransientConnectionException: ledger-pool"],
    "node": ["TypeError: Cannot read properties of undefined (reading 'total')"],
    "dotnet": [
        "Unhandled exception. System.InvalidOperationException",
        "---> System.TimeoutException: The pool is",
    ],
    "go": ["panic: runtime error: index out of range", "goroutine 1 [running]:", "exit status 2"],
    "rust": ["panicked at src/main.rs:4:10:", "called `Option::unwrap()` on a `None` value"],
    "jest": [
        "● cart › refuses a coupon",
        "Expected: false",
        "Received: true",
        "Tests:       2 failed",
        "npm ERR! code",
    ],
    "pytest": [
        "E       assert 6 == 7",
        "FAILED test_cart.py::test_total",
        "1 failed, 3 passed",
        "___ test_total ___",
    ],
    "go test": ["cart_test.go:12: got 6, want 7", "--- FAIL: TestTotal", "FAIL\texample.org/shop"],
}


@pytest.mark.parametrize("name", ALL)
def test_each_trace_is_one_block_and_tells_what_went_wrong_at_any_ratio(name: str) -> None:
    text = ALL[name]
    assert kinds(text) == ["trace"]
    check_rows(text, units_of(text))
    for ratio in (1.5, 3, 1000):
        kept = "\n".join(left(text, ratio))
        assert all(part in kept for part in STAYS[name])


@pytest.mark.parametrize(
    "text",
    [
        "The error: it was found at the mill.\nAt noon (see below) we left.\nNobody spoke.\n",
        "Error handling is a chapter of its own.\n\nIt has three parts, and each of them is short.\n",
        "handlers = {\n    500: failed,\n    405: refused,\n    HTTPException: http_error,\n}\n",
        "- PASS the salt\n- FAIL no more\n",
        "We panic: the boat is gone.\nHow do we get back?\n",
    ],
)
def test_talk_of_errors_is_no_trace(text: str) -> None:
    assert "trace" not in kinds(text)


def test_prose_and_lists_behind_a_trace_are_not_its_rows() -> None:
    text = f"{NODE}\n\nWhat I tried so far:\n\n- to start it anew\n- to wait\n"

    assert kinds(text)[0] == "trace"
    assert len(kinds(text)) > 1


@pytest.mark.parametrize(
    ("text", "own", "library"),
    [
        (PYTHON, "/srv/import/convert.py", "site-packages"),
        (JAVA, "com.example.billing.NightlyRun", "java.base/"),
        (NODE, "src/cart.js", "node:internal"),
        (DOTNET, "Shop.Ledger.Open", "System.Threading"),
        (GO, "pick.go", "runtime/proc.go"),
        (RUST, "shop::pick", "core::panicking::panic\n"),
    ],
)
def test_own_frames_stay_longer_than_those_of_libraries(text: str, own: str, library: str) -> None:
    units = units_of(text)
    first, last = (units[index_of(text, units, name)].rank for name in (own, library))

    assert first is not None and last is not None and first > last


def test_a_frame_of_python_stays_or_goes_with_its_source_line() -> None:
    for ratio in (1.2, 2, 4):
        kept = left(PYTHON, ratio)
        assert all("\n" in frame for frame in kept if frame.lstrip().startswith("File "))
        assert not any(frame.lstrip().startswith(("raise", "return", "rows =", "^")) for frame in kept)


def test_what_is_asked_for_stays() -> None:
    library = "HikariPool.getConnection(HikariPool.java:181)"

    assert any(library in row for row in left(JAVA, 3, "What does HikariPool.getConnection do?"))


@given(
    st.lists(st.sampled_from(["site-packages/lib.py", "own.py", "node_modules/x.py"]), min_size=1, max_size=40),
    st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=30),
    st.sampled_from([1.5, 2, 4, 20]),
)
def test_type_and_message_survive_and_lines_are_whole(files: list[str], message: str, ratio: float) -> None:
    frames = [f'  File "/srv/{name}", line {n}, in f{n}\n    g{n}(x)' for n, name in enumerate(files)]
    text = "\n".join(["Traceback (most recent call last):", *frames, f"ValueError: it was {message}"])
    kept = "\n".join(left(text, ratio)).split("\n")

    assert kept[-1] == f"ValueError: it was {message}"
    assert set(kept) <= set(text.split("\n"))


@given(st.text(st.sampled_from("aE> :\t\n^|.-"), max_size=300))
def test_nothing_that_it_may_hold_is_a_fault(text: str) -> None:
    assert kinds(text) is not None
    assert kinds(f"{JEST}\n{text}")[0] == "trace"

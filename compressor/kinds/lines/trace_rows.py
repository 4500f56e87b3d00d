"""What a row of a stack trace or of a test run is: a frame, a message, a result. By the row alone."""

from __future__ import annotations

import re
from enum import IntEnum

HEAD = 400
"""Characters of a row that are looked at."""


class Role(IntEnum):
    """What a row is; OTHER is anything that may stand among the others."""

    OTHER = 0
    FRAME = 1  # where the program was
    MESSAGE = 2  # what went wrong: type, message, cause, what was expected
    RESULT = 3  # names of tests that failed, counts
    CODE = 4  # source code that is shown
    PASSED = 5  # what went well
    OPENING = 6  # what begins a trace or a run of tests


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


_TYPE = (
    r"(?:[A-Za-z_][\w$]*+[./:\\]{1,2}){0,12}[A-Za-z_]?[\w$]*"
    r"(?:Error|Exception|Throwable|Failure|Fault|Interrupt|Exit)\w{0,20}"
)
ERROR = re.compile(
    r"\s{0,8}(?:[|+]\s)?(?:Caused by: |Suppressed: |Exception in thread .{1,80}?|---> |\[?cause\]?: |throw new "
    rf"|(?:Uncaught|Unhandled)(?: \w+)?[.:]? )?{_TYPE}(?:\s\[\w+\]|\s?\(\w+\))?(?::\s.*|:?\s*)$"
)
_NAMED = _any(r"[a-z_]\w*(?:\.\w+){0,5}\.[A-Z]\w+: \S", r"[A-Z][A-Za-z]{2,40}: \S")
FRAME = _any(
    r"\s{0,12}(?:[|+]\s{1,4})?(?:File \"[^\"]{1,300}\", line \d+"  # Python
    r"|at (?:async |new )?\S.{0,300}(?:\)|:\d+|line \d+)\s*$|at \S+ \(|\.{3} \d+ (?:more|common frames omitted)"
    r"|from \S{1,300}:\d+:in |#\d{1,3}\s+\S.{0,300}(?:\(\d+\)|:\d+\b|\{main\}))",  # Ruby, PHP, C
    r"\t\S{1,300}\.(?:go|s):\d+(?: \+0x\w+)?$",  # Go
    r"(?:created by )?[\w./*()%\[\]-]{1,200}\((?:0x|\.\.\.|\{|\)$).{0,300}$",
    r"created by \S",
    r"\s{1,6}\d{1,3}:\s{1,4}(?:0x\w+ - \S|<|_|\S*::|rust_|main$)|\s{2,24}at \S+:\d+(?::\d+)?$",  # Rust
    r"[\w@./\\+-]{1,250}\.(?:py|pyx):\d+: (?:in )?\S+$",  # pytest
)
_MESSAGE = _any(
    r"E(?:\s{2,}\S|\s*$)",
    r"\s{0,12}(?:Expected|Received|expected|received|actual|Actual|got|want|left|right|Diff|But was)\b.{0,20}:",
    r"During handling of the above exception|The above exception was|\s{0,8}(?:Caused by|Suppressed)\b.{0,3}:",
    r"(?:panic|fatal error|runtime error|error(?:\[E\d+\])?|FATAL|fatal): \S|npm ERR!|npm error|exit status \d",
    r"Unhandled |Uncaught |goroutine \d+ \[running|thread '|\[signal |assertion [`'\"]?|note: ",
    r"\s{0,8}expect\(|\s{0,6}[-+] (?:Expected|Received|\S)|\s{4,12}\S+\.go:\d+: ",
    r"\s{0,8}Error Trace:|\s{0,8}(?:Error|Messages|Test):\s|\[Previous line repeated",
)
_RESULT = _any(
    r"\s{0,6}(?:●|✕|✗|×|✖) \S|\s{0,2}(?:FAIL|FAILED|ERROR|XFAIL|XPASS)\b[ :\t]*\S",
    r"\s{0,8}--- (?:FAIL|SKIP): |FAIL\b",
    r"(?:Test Suites|Tests|Snapshots|Time|Test Files|Duration|Tests run)\b\s{0,4}:?\s+\S*\d|Ran \d+ tests?",
    r"={3,}.{0,200}\d+ (?:passed|failed|errors?|skipped|deselected)|test result: |failures:|Ran all test suites",
    r"_{3,} .{1,200} _{3,}$|={3,} (?:FAILURES|ERRORS|short test summary info) ={3,}$",
    r"-{3,} (?:Captured|live) .{1,60} -{3,}$|test \S+ \.\.\. FAILED",
)
_PASSED = _any(
    r"\s{0,8}(?:✓|✔|√)\s|PASS\b|PASSED\b|=== (?:RUN|PAUSE|CONT|NAME)\b|\s{0,8}--- PASS: |ok\s+\S",
    r"\?\s+\S+\s+\[no test|test \S+ \.\.\. (?:ok|ignored)|\S+::\S+ PASSED",
    r"\S+\.py [.sxXFE]+\s*(?:\[\s*\d+%\])?$|[.sFE]{8,}\s*(?:\[\s*\d+%\])?$",
)
_CODE = _any(r"\s{0,8}>?\s{0,4}\d{0,6} [|│]|>\s{2,}\S|\s{0,8}\|\s*[\^~]|\s*[\^~]{1,200}\s*$")
MARKED = re.compile(r"\s{0,8}>\s")
OPENING = _any(
    r"\s{0,8}(?:[|+]\s{0,2}){0,4}(?:Exception Group )?Traceback \(most recent call last\):",
    r"={3,} test session starts ={3,}|running \d+ tests?$",
    r"goroutine \d+ \[|thread '.{1,80}' (?:\(\d+\) )?panicked at|panic: \S|stack backtrace:|Stack trace",
    r"Unhandled [Ee]xception[.:]",
)
RUNNER = _any(
    r"={3,} (?:test session starts|FAILURES|ERRORS|short test summary info) ={3,}$|_{3,} \S.{0,200} _{3,}$",
    r"(?:PASS|FAIL)\s{1,3}\S+\.[jt]sx?\b|\s{0,4}● \S.{0,200}$|> \S+@\d\S* \w+$|> (?:jest|vitest|mocha)\b",
    r"=== RUN\s|\s{0,8}--- (?:FAIL|PASS): |running \d+ tests?$|test \S+ \.\.\. (?:ok|FAILED|ignored)",
)
PROMPT = _any(r"\((?:Open file|Current directory): .{1,300}\)$", r"[\w@:~./-]{0,80}[$#%>]\s*$", r"\[\d+\]\+")
_LIBRARY = _any(
    r"site-packages|dist-packages|node_modules|node:|\binternal/|<anonymous>|\(native|Native Method|/rustc/",
    r"<frozen|<string>|/lib(?:64)?/python\d|\b(?:std|core|alloc|tokio|test)::|rust_begin_unwind|/gems/|/vendor/",
    r"/usr/(?:local/)?(?:lib/)?go\S{0,10}/src/|\bruntime[./]|\btesting\.tRunner|src/testing/|\.{3} \d+ ",
    r"\bat (?:Function\.Module|java|javax|jdk|sun|com\.sun|jakarta|kotlinx?|scala|groovy|akka|reactor|rx"
    r"|org\.(?:springframework|junit|apache|hibernate|gradle|mockito|eclipse|jboss|testng|aspectj|codehaus)"
    r"|io\.(?:netty|vertx|micrometer)|com\.(?:zaxxer|google|fasterxml)|System|Microsoft|Xunit|NUnit)[./]",
)


def role(line: str) -> Role:
    """What a row is."""
    line = line[:HEAD].rstrip()
    for found, pattern in _ROLES:
        if pattern.match(line):
            return found
    return Role.OTHER


def library(line: str) -> bool:
    """Whether a frame lies in a library or in the language's own code."""
    return bool(_LIBRARY.search(line[:HEAD]))


def names_fault(line: str) -> bool:
    """Whether a row behind the frames may be the exception: a dotted or capitalised name and a message."""
    return bool(_NAMED.match(line[:HEAD]) or ERROR.match(line[:HEAD]))


_ROLES = (
    (Role.OPENING, OPENING),
    (Role.FRAME, FRAME),
    (Role.RESULT, _RESULT),
    (Role.PASSED, _PASSED),
    (Role.CODE, _CODE),
    (Role.MESSAGE, ERROR),
    (Role.MESSAGE, _MESSAGE),
)

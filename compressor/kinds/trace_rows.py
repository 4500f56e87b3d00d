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
    CODE = 4  # source code that is shown, the line itself marked
    PASSED = 5  # what went well
    OPENING = 6  # what begins a trace or a run of tests


_TYPE = r"(?:[A-Za-z_][\w$]*[./:\\]{1,2}){0,12}[A-Za-z_]?[\w$]*(?:Error|Exception|Throwable|Failure|Fault|Interrupt|Exit)\w{0,20}"
ERROR = re.compile(
    rf"\s{{0,8}}(?:[|+]\s)?(?:Caused by: |Suppressed: |Exception in thread .{{1,80}}?|(?:Uncaught|Unhandled)(?: \w+)?[.:]? |"
    rf"---> |\[?cause\]?: |throw new )?{_TYPE}(?:\s\[\w+\]|\s?\(\w+\))?(?::\s.*|:?\s*)$"
)
_NAMED = re.compile(r"[a-z_][\w]*(?:\.[\w]+){0,5}\.[A-Z]\w+: \S|[A-Z][A-Za-z]{2,40}: \S")
FRAME = re.compile(
    r"\s{0,12}(?:[|+]\s{1,4})?(?:File \"[^\"]{1,300}\", line \d+"
    r"|at (?:async |new )?\S.{0,300}(?:\)|:\d+|line \d+)\s*$|at \S+ \(|\.{3} \d+ (?:more|common frames omitted)"
    r"|from \S{1,300}:\d+:in |#\d{1,3}\s+\S.*(?:\(\d+\)|:\d+\b|\{main\}))"
    r"|\t\S{1,300}\.(?:go|s):\d+(?: \+0x\w+)?$|(?:created by )?[\w./*()%\[\]-]{1,200}\((?:0x|\.\.\.|\{|\)$).{0,300}$"
    r"|created by \S|\s{1,6}\d{1,3}:\s{1,4}(?:0x\w+ - )?[\w<{].*$|\s{2,24}at \S+:\d+(?::\d+)?$"
    r"|[\w@./\\+-]{1,250}\.(?:py|pyx):\d+: (?:in )?\S+$"
)
_MESSAGE = re.compile(
    r"E(?:\s{2,}\S|\s*$)|\s{0,12}(?:Expected|Received|expected|received|actual|Actual|got|want|left|right|Diff|Difference|But was)\b.{0,20}:"
    r"|(?:During handling of the above exception|The above exception was)|\s{0,8}(?:Caused by|Suppressed)\b.{0,3}:"
    r"|(?:panic|fatal error|runtime error|error(?:\[E\d+\])?|FATAL|fatal): \S|npm ERR!|npm error|\[signal |exit status \d|thread '"
    r"|Unhandled |Uncaught |goroutine \d+ \[running|\s{0,8}expect\(|\s{0,6}[-+] (?:Expected|Received|\S)|\s{4,12}\S+\.go:\d+: "
    r"|\s{0,8}Error Trace:|\s{0,8}(?:Error|Messages|Test):\s|assertion [`'\"]?|note: |\[Previous line repeated|\s{0,4}\^+\s*$"
)
_RESULT = re.compile(
    r"\s{0,6}(?:●|✕|✗|×|✖) \S|\s{0,2}(?:FAIL|FAILED|ERROR|XFAIL|XPASS)\b[ :\t]*\S|\s{0,8}--- (?:FAIL|SKIP): |FAIL\b"
    r"|(?:Test Suites|Tests|Snapshots|Time|Test Files|Duration|Tests run)\b\s{0,4}:?\s+\S*\d|Ran \d+ tests?|={3,}.{0,200}\d+ (?:passed|failed|errors?|skipped|deselected)"
    r"|test result: |failures:|_{3,} .{1,200} _{3,}$|={3,} (?:FAILURES|ERRORS|short test summary info) ={3,}$"
    r"|-{3,} (?:Captured|live) .{1,60} -{3,}$|test \S+ \.\.\. FAILED|Ran all test suites"
)
_PASSED = re.compile(
    r"\s{0,8}(?:✓|✔|√)\s|PASS\b|PASSED\b|=== (?:RUN|PAUSE|CONT|NAME)\b|\s{0,8}--- PASS: |ok\s+\S|\?\s+\S+\s+\[no test"
    r"|test \S+ \.\.\. (?:ok|ignored)|\S+\.py [.sxXFE]+\s*(?:\[\s*\d+%\])?$|\S+::\S+ PASSED|[.sFE]{8,}\s*(?:\[\s*\d+%\])?$"
)
_CODE = re.compile(r"\s{0,8}>?\s{0,4}\d{0,6} [|│]|>\s{2,}\S|\s{0,8}\|\s*[\^~]|\s*[\^~]{1,200}\s*$")
MARKED = re.compile(r"\s{0,8}>\s")
OPENING = re.compile(
    r"\s{0,8}(?:[|+]\s{0,2})*(?:Exception Group )?Traceback \(most recent call last\):|={3,} test session starts ={3,}"
    r"|={3,} (?:FAILURES|ERRORS|short test summary info) ={3,}$|goroutine \d+ \[|thread '.{1,80}' (?:\(\d+\) )?panicked at"
    r"|panic: \S|stack backtrace:|Stack trace|running \d+ tests?$|Unhandled [Ee]xception[.:]"
)
RUNNER = re.compile(
    r"={3,} (?:test session starts|FAILURES|ERRORS|short test summary info) ={3,}$|_{3,} \S.{0,200} _{3,}$"
    r"|(?:PASS|FAIL)\s{1,3}\S+\.[jt]sx?\b|\s{0,4}● \S.{0,200}$|=== RUN\s|\s{0,8}--- (?:FAIL|PASS): |running \d+ tests?$"
    r"|test \S+ \.\.\. (?:ok|FAILED|ignored)|> \S+@\d\S* \w+$|> (?:jest|vitest|mocha)\b"
)
PROMPT = re.compile(
    r"\((?:Open file|Current directory): .{1,300}\)$|[\w@:~./-]{0,80}[$#%>]\s*$|\(venv\)|\[\d+\]\+"
)

_LIBRARY = re.compile(
    r"site-packages|dist-packages|node_modules|node:|\binternal/|<anonymous>|\(native|Native Method|/rustc/|<frozen|<string>"
    r"|/lib(?:64)?/python\d|\b(?:std|core|alloc|tokio|test)::|rust_begin_unwind|/usr/(?:local/)?(?:lib/)?go\S{0,10}/src/"
    r"|\bruntime[./]|\btesting\.tRunner|src/testing/|\bat (?:java|javax|jdk|sun|com\.sun|jakarta|kotlin|kotlinx|scala|groovy|akka"
    r"|org\.(?:springframework|junit|apache|hibernate|gradle|mockito|eclipse|jboss|testng|aspectj|codehaus)|io\.(?:netty|vertx|micrometer)"
    r"|reactor|rx|com\.(?:zaxxer|google|fasterxml)|System|Microsoft|Xunit|NUnit)[./]|/gems/|/vendor/|\bat Function\.Module|\.{3} \d+ "
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
    (Role.MESSAGE, ERROR),
    (Role.MESSAGE, _MESSAGE),
    (Role.CODE, _CODE),
)

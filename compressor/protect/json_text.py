"""JSON objects and arrays, whole or embedded in other text, and a text that is one JSON string.

One pass of an exact JSON grammar with an explicit stack: no recursion limit, no second parse, and every
character is read about once whatever the text. When the grammar breaks, every container still open is no
JSON; those already closed inside it are.

Everything in a container is protected except the words of long prose string values. Inside such a string the
quotes and every escape sequence, with the ASCII letters that touch it, stay. Whatever else is dropped, the
text is still JSON with the same keys and shape: raw line breaks cannot occur in a JSON string, so the joints
between slices are plain spaces there.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from moosproxy.compressor.text.layout import SECTION, Span, trimmed

PROSE_WORDS = 40
"""A string value of more words than this may be shortened, if it reads like prose."""

_STRING = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
_SCALAR = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?|true|false|null"
_TOKEN = re.compile(
    rf"[ \t\n\r]*+(?:(?P<string>{_STRING})|(?P<scalar>{_SCALAR})"
    r"|(?P<open>[{\[])|(?P<close>[}\]])|(?P<mark>[,:]))"
)
_WHOLE = re.compile(_STRING)
_OPENER = re.compile(r"[{\[]")
_ESCAPES = re.compile(r"(?:\\(?:u[0-9a-fA-F]{4}|.)[A-Za-z0-9_]*+)++")
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

# What a container waits for.
_KEY, _KEY_OR_END, _COLON, _VALUE, _VALUE_OR_END, _COMMA_OR_END = range(6)


def json_text(text: str) -> Iterator[Span]:
    """Everything that must stay of the JSON in the text."""
    start, end = trimmed(text, 0, len(text))
    if text.startswith('"', start) and _WHOLE.fullmatch(text, start, end):  # as tools answer that return a text
        yield from _around_prose(text, start, end, [(start, end)])
        return
    if "{" not in text and "[" not in text:
        return
    containers, values = _Scanner(text).run()
    starts = [start for start, _ in values]
    for start, end in containers:
        if not _worth_protecting(text, start, end):
            continue
        yield from _around_prose(text, start, end, values[bisect_left(starts, start) : bisect_left(starts, end)])


def _around_prose(text: str, start: int, end: int, values: Sequence[Span]) -> Iterator[Span]:
    """All of the span but the words of values that are prose. values: strings with their quotes, ascending."""
    cursor = start
    for value_start, value_end in values:
        if not _is_prose(text[value_start + 1 : value_end - 1]):
            continue
        yield cursor, value_start + 1
        for escape in _ESCAPES.finditer(text, value_start + 1, value_end - 1):
            yield escape.span()
        cursor = value_end - 1
    yield cursor, end


class _Scanner:
    """State of the pass: the open containers, the finished outermost ones, the long string values."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.stack: list[tuple[str, int]] = []
        self.finished: list[Span] = []
        self.values: list[Span] = []
        self.waits = _VALUE

    def run(self) -> tuple[list[Span], list[Span]]:
        position = self._next_opener(0)
        while 0 <= position < len(self.text):
            token = _TOKEN.match(self.text, position)
            if token is not None and self._accept(token):
                position = token.end()
                if not self.stack:
                    position = self._next_opener(position)
            else:
                # The token that broke the grammar may itself open a container, unless it is where we began.
                self.stack.clear()
                position = self._next_opener(position)
        return self.finished, self.values

    def _next_opener(self, position: int) -> int:
        self.waits = _VALUE
        for start in range(position, len(self.text), SECTION):
            if match := _OPENER.search(self.text, start, start + SECTION):
                return match.start()
        return -1

    def _accept(self, token: re.Match[str]) -> bool:
        """Take one token; False if the grammar does not allow it here."""
        group, waits = token.lastgroup, self.waits
        if group == "string":
            if waits in (_KEY, _KEY_OR_END):
                self.waits = _COLON
                return True
            start, end = token.span("string")
            if waits in (_VALUE, _VALUE_OR_END) and end - start > PROSE_WORDS:
                self.values.append((start, end))
        if group in ("string", "scalar"):
            self.waits = _COMMA_OR_END
            return waits in (_VALUE, _VALUE_OR_END)
        if group == "mark":
            return self._mark(token["mark"])
        if group == "open":
            self.stack.append((token["open"], token.start("open")))
            self.waits = _KEY_OR_END if token["open"] == "{" else _VALUE_OR_END
            return waits in (_VALUE, _VALUE_OR_END)
        return self._close(token)

    def _mark(self, mark: str) -> bool:
        waits = self.waits
        if mark == ":":
            self.waits = _VALUE
            return waits == _COLON
        self.waits = _KEY if self.stack[-1][0] == "{" else _VALUE
        return waits == _COMMA_OR_END

    def _close(self, token: re.Match[str]) -> bool:
        if not self.stack:
            return False
        opener, start = self.stack.pop()
        empty = _KEY_OR_END if opener == "{" else _VALUE_OR_END
        if (opener == "{") != (token["close"] == "}") or self.waits not in (_COMMA_OR_END, empty):
            return False
        while self.finished and self.finished[-1][0] > start:
            self.finished.pop()
        self.finished.append((start, token.end()))
        self.waits = _COMMA_OR_END
        return True


def _worth_protecting(text: str, start: int, end: int) -> bool:
    """Not `[]`, `{}`, nor a citation such as `[12]`."""
    return (
        text.find('"', start, end) >= 0 or text.find(",", start, end) >= 0 or text.find("[", start + 1, end) >= 0
    )


def _is_prose(value: str) -> bool:
    """More than PROSE_WORDS words (two CJK characters count as one), most of them plain words.

    An encoded document (a string that starts like JSON or XML) is structure, not prose.
    """
    if value.lstrip()[:1] in ("{", "[", "<"):
        return False
    words = _ESCAPE.sub(_white, value).split()
    plain = sum(word.strip(".,;:!?()'\u2018\u2019\u201c\u201d-").isalpha() for word in words)
    characters = len(_CJK.findall(value))
    if characters > len(value) // 2:
        return characters > 2 * PROSE_WORDS
    return len(words) > PROSE_WORDS and plain * 10 >= len(words) * 7


def _white(escape: re.Match[str]) -> str:
    """A space for an escape that stands for white space (it parts words but is none), else the escape as it is."""
    code = escape[0][1:]
    stands_for = (
        chr(int(code[1:], 16)) if len(code) > 1 else {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}.get(code, "")
    )
    return " " if stands_for.isspace() else escape[0]

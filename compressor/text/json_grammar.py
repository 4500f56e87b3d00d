"""JSON in a text: an exact one-pass scanner, and which of its strings are prose.

One pass with an explicit stack: no recursion limit, no second parse, and every character is read about once
whatever the text. When the grammar breaks, every container still open is no JSON; those already closed inside it
are. The standard library's parser is faster, but is recursive, and says neither where a value stands nor what of a
broken document is whole.
"""

from __future__ import annotations

import re

from moosproxy.compressor.text.layout import SECTION, Span

PROSE_WORDS = 40
"""A string value of more words than this may be shortened, if it reads like prose."""

STRING = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
_SCALAR = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?|true|false|null"
TOKEN = re.compile(
    rf"[ \t\n\r]*+(?:(?P<string>{STRING})|(?P<scalar>{_SCALAR})"
    r"|(?P<open>[{\[])|(?P<close>[}\]])|(?P<mark>[,:]))"
)
Token = re.Match[str]
WHOLE_STRING = re.compile(STRING)
_HEX = "[0-9a-fA-F]"
ESCAPE = re.compile(rf"\\(?:u[dD][89abAB]{_HEX}{{2}}\\u[dD][c-fC-F]{_HEX}{{2}}|u{_HEX}{{4}}|.)", re.DOTALL)
"""One escape sequence; the two halves of a surrogate pair are one."""

_OPENER = re.compile(r"[{\[]")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}

# What a container waits for.
_KEY, _KEY_OR_END, _COLON, _VALUE, _VALUE_OR_END, _COMMA_OR_END = range(6)


def scan(text: str, start: int = 0, end: int | None = None) -> tuple[list[Span], list[Span]]:
    """The outermost complete containers, and the string values (quotes included) of more than PROSE_WORDS
    characters, both ascending; values may lie outside of the containers, where the grammar broke."""
    return _Scanner(text, start, len(text) if end is None else end).run()


def worth(text: str, start: int, end: int) -> bool:
    """Whether a container is more than `[]`, `{}` or a citation such as `[12]`."""
    return (
        text.find('"', start, end) >= 0 or text.find(",", start, end) >= 0 or text.find("[", start + 1, end) >= 0
    )


def is_prose(value: str) -> bool:
    """More than PROSE_WORDS words (two CJK characters count as one), most of them plain words.

    value: what stands between the quotes. An encoded document (a string that starts like JSON or XML) is
    structure, not prose.
    """
    if value.lstrip()[:1] in ("{", "[", "<"):
        return False
    words = ESCAPE.sub(_white, value).split()
    plain = sum(word.strip(".,;:!?()'\u2018\u2019\u201c\u201d-").isalpha() for word in words)
    characters = len(_CJK.findall(value))
    if characters > len(value) // 2:
        return characters > 2 * PROSE_WORDS
    return len(words) > PROSE_WORDS and plain * 10 >= len(words) * 7


def meaning(escape: str) -> str:
    """The character that an escape sequence stands for, "" if it is half a character."""
    if len(escape) < 6:
        return _CONTROLS.get(escape[1], escape[1])
    if len(escape) > 6:
        return chr(0x10000 + ((int(escape[2:6], 16) - 0xD800) << 10) + int(escape[8:12], 16) - 0xDC00)
    character = chr(int(escape[2:], 16))
    return "" if "\ud800" <= character <= "\udfff" else character


def _white(escape: re.Match[str]) -> str:
    """A space for an escape that stands for white space (it parts words but is none), else the escape as it is."""
    return " " if meaning(escape[0]).isspace() else escape[0]


class _Scanner:
    """State of the pass: the open containers, the finished outermost ones, the long string values."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text, self.start, self.end = text, start, end
        self.stack: list[tuple[str, int]] = []
        self.finished: list[Span] = []
        self.values: list[Span] = []
        self.waits = _VALUE

    def run(self) -> tuple[list[Span], list[Span]]:
        position = self._next_opener(self.start)
        while 0 <= position < self.end:
            token = TOKEN.match(self.text, position, self.end)
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
        for start in range(position, self.end, SECTION):
            if match := _OPENER.search(self.text, start, min(start + SECTION, self.end)):
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

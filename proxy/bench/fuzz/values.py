"""Hostile values and texts: what a field of a request may hold instead of what it should."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from moosproxy.proxy.bench.texts import Texts

RAW: Final = "@raw@"
"""In front of a string that goes into the JSON without quotes, as no serialiser would write it."""

_NUMBERS: Final = ("1e999", "-1e999", "1e-999", "9" * 400, "-0", "0.1e1", "1E+2", "NaN", "-Infinity", "01", "0x10")
_LITERALS: Final = ("True", "None", "undefined", "nul", "'a'", "{]", "[,]", "{,}", "/**/1", '"\\x"', '"\t"')
_ODD: Final = (
    "\x00", "\ud800", "\udfff\ud800", "\ufeff", "\u202e", "\u200d", "e\u0301" * 9, "\U0001f469\u200d\U0001f4bb",
    "\x1b[31m", "\r", "\u2028", "\x85", "[… 37 lines]", "[…]", "```", "<|im_end|>", "{{x}}", "\\", '"', "\x7f",
)  # fmt: skip
_LINES: Final = (
    "2024-05-01 12:00:{n:02d} ERROR worker-{n} failed: code={n}",
    "def f{n}(a, b=None): return a if b is None else b  # {n}",
    "| {n} | name {n} | not {n} |",
    '{{"id": {n}, "name": "item {n}", "ok": true}}',
    "{n},alpha,{n}.5,,\"quoted, {n}\"",
    "+added line {n}\n-removed line {n}\n@@ -{n},3 +{n},4 @@",
    "User {n}: Unless you pay {n} EUR, nothing is sent.\nAgent: No.",
    "src/module_{n}/file_{n}.py:{n}: warning: unused",
    "<li class='x{n}'>Entry {n}<br></li>",
    "SELECT * FROM t{n} WHERE a = {n} AND b NOT IN (SELECT {n}); -- {n}",
    "  key_{n}: &a{n} [*a{n}, {n}]",
    '  File "a{n}.py", line {n}, in f\n    raise ValueError({n})',
)  # fmt: skip


_QUESTIONS: Final = ("Which entry was filed?", "What failed, and why?", "List every error.", "Summarise this.")


def odd(dice: random.Random) -> str:
    """A few characters that programs stumble over."""
    return dice.choice(_ODD) * dice.choice((1, 1, 2, 50))


def text(dice: random.Random) -> str:
    """A text of some kind, short or long, now and then with odd characters in it."""
    made = dice.choices(_TEXTS, weights=_TEXT_WEIGHTS)[0](dice)
    if dice.random() < 0.3:
        made += dice.choice(("\n\n", " ", "\x00")) + dice.choice(_QUESTIONS)
    for _ in range(dice.choice((0, 0, 0, 1, 3))):
        at = dice.randrange(len(made) + 1)
        made = made[:at] + odd(dice) + made[at:]
    return made


def _prose(dice: random.Random) -> str:
    return Texts(dice.randrange(10**9)).of(dice.choice((20, 80, 200, 400)))


def _lines(dice: random.Random) -> str:
    kinds = dice.sample(_LINES, dice.choice((1, 1, 2, 4)))
    return "\n".join(dice.choice(kinds).format(n=n) for n in range(dice.choice((3, 20, 60))))


def _characters(dice: random.Random) -> str:
    """Any code points, surrogates too."""
    return "".join(chr(dice.choice((dice.randrange(0x300), dice.randrange(0x110000)))) for _ in range(300))


def _fenced(dice: random.Random) -> str:
    """Fences and brackets that open and do not close."""
    return "".join(
        dice.choice(("```\n", "~~~", "{", "[", "(", "<a ", "'''", "> ", "- ", "| ")) for _ in range(400)
    )


def _endless(dice: random.Random) -> str:
    """One thing again and again."""
    return dice.choice(("a", " ", "\n", "é", "word ", "{", "1", "-", "|", "\u0301", ". ")) * dice.choice(
        (1_000, 10_000, 10_000, 100_000)
    )


def _huge(dice: random.Random) -> str:
    return dice.choice(("x", "word ", "No. ", "\n", "é́ ")) * 300_000


_TEXTS: Final[tuple[Callable[[random.Random], str], ...]] = (
    odd, _prose, _lines, _characters, _fenced, _endless, _huge, lambda _: "",
)  # fmt: skip
_TEXT_WEIGHTS: Final = (200, 200, 300, 60, 60, 12, 1, 60)


def value(dice: random.Random, depth: int = 0) -> Any:
    """Anything that JSON can hold, and some that it cannot."""
    kinds: list[Callable[[], Any]] = [
        lambda: None,
        lambda: dice.choice((True, False)),
        lambda: dice.choice(
            (0, -1, 1, 2**31, 2**53 + 1, 2**64, -(2**63) - 1, 10**30, 0.0, -0.0, 1.5, 1e308, 5e-324)
        ),
        lambda: RAW + dice.choice(_NUMBERS),
        lambda: text(dice),
        lambda: odd(dice),
        lambda: RAW + dice.choice(_LITERALS),
        lambda: [value(dice, depth + 1) for _ in range(dice.randrange(4))] if depth < 3 else [],
        lambda: {_key(dice): value(dice, depth + 1) for _ in range(dice.randrange(4))} if depth < 3 else {},
        lambda: nested(dice),
    ]
    return dice.choices(kinds, weights=(4, 4, 6, 3, 6, 4, 1, 6, 6, 1))[0]()


def nested(dice: random.Random) -> str:
    """Brackets within brackets, beyond what parsers take."""
    deep = dice.choice((10, 200, 1_000, 1_030, 20_000))
    if dice.random() < 0.5:
        return RAW + "[" * deep + "]" * deep
    return RAW + '{"a":' * deep + "1" + "}" * deep


def _key(dice: random.Random) -> str:
    return dice.choice(("", "role", "content", "text", "type", "model", "\x00", "a" * 300, odd(dice)))

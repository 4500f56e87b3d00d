"""Texts of every kind for measurements: made up, but shaped as tools and people write them; always the same."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from typing import NamedTuple

from moosproxy.compressor.text.lexicon import words

_NOUNS = words("""
    budget report customer session cache worker deadline invoice harbour bridge teacher window valve contract order
    region sensor archive payment shipment engine garden ticket server buffer index schema account letter museum
    """)
_VERBS = words("""
    checks moves opens delays returns signs follows rejects updates measures repairs explains sends reads counts
    accepts reviews closes renews stores compares prepares cancels confirms
    """)
_KINDS_OF = words("""
    old local remote yearly broken quiet second empty northern careful public late narrow heavy open early
    """)
_NAMES = words("Ana Boris Chidi Dora Emil Fatima Goran Hana")
_PARTS = words("src tests docs tools core api store web")
_LEVELS = ("INFO", "INFO", "INFO", "DEBUG", "INFO", "WARN", "INFO", "ERROR")


class _Dice(random.Random):
    """Draws names and sentences."""

    def noun(self) -> str:
        return self.choice(_NOUNS)

    def verb(self) -> str:
        return self.choice(_VERBS)

    def sentence(self) -> str:
        first = f"{self.choice(_KINDS_OF)} {self.noun()} of the {self.noun()} {self.verb()} every {self.noun()}"
        ends = (
            "",
            f", but the {self.noun()} does not",
            f" within {self.randrange(2, 90)} days",
            " if it is asked",
        )
        return f"The {first}{self.choice(ends)}."

    def path(self) -> str:
        return f"{self.choice(_PARTS)}/{self.noun()}/{self.noun()}_{self.verb()}.py"

    def stamp(self, number: int) -> str:
        seconds = number * 7 % 86_400
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        return f"2026-09-{14 + number * 7 // 86_400 % 14:02d} {clock}"


class _Shape(NamedTuple):
    """part: the n-th part of a text. head, between, tail: what stands in front, between two parts, and behind."""

    part: Callable[[_Dice, int], str]
    head: str = ""
    between: str = "\n"
    tail: str = ""


def _prose(dice: _Dice, number: int) -> str:
    return " ".join(dice.sentence() for _ in range(dice.randrange(3, 8)))


def _dialogue(dice: _Dice, number: int) -> str:
    return f"{dice.choice(_NAMES)}: " + " ".join(dice.sentence() for _ in range(dice.randrange(1, 4)))


def _code(dice: _Dice, number: int) -> str:
    name, other = dice.noun(), dice.noun()
    return f'''def {dice.verb()}_{name}_{number}({name}: int, {other}: list[str]) -> int:
    """{dice.sentence()}"""
    total = 0  # {dice.noun()} first
    for entry in {other}:
        if entry.startswith("{dice.noun()}") and len(entry) > {dice.randrange(9)}:
            total += {name} * {dice.randrange(2, 99)}
        elif not entry:
            raise ValueError(f"no {dice.noun()} in {{entry}}")
    return total

'''


def _diff(dice: _Dice, number: int) -> str:
    path, at = dice.path(), dice.randrange(1, 400)
    return f"""diff --git a/{path} b/{path}
index {dice.randrange(16**7):07x}..{dice.randrange(16**7):07x} 100644
--- a/{path}
+++ b/{path}
@@ -{at},7 +{at},8 @@ def {dice.verb()}_{dice.noun()}(self):
     {dice.noun()} = self.{dice.noun()}()
     if {dice.noun()} is None:
-        return {dice.noun()}
+        raise ValueError("no {dice.noun()}")
+    self.{dice.verb()}({dice.noun()})
     for entry in self.{dice.noun()}:
         entry.{dice.verb()}()
     return {dice.noun()}"""


def _sql(dice: _Dice, number: int) -> str:
    table = f"{dice.noun()}_{number % 40}"
    row = f"({number}, '{dice.noun()} {dice.verb()}', {dice.randrange(10**4) / 100}, NULL)"
    forms = (  # never sent to a database
        f"INSERT INTO {table} (id, note, price, closed) VALUES {row};",  # noqa: S608
        f"SELECT id, {dice.noun()} FROM {table}\nWHERE price > {dice.randrange(99)} "  # noqa: S608
        f"AND note = '{dice.noun()}'\nORDER BY id DESC LIMIT {dice.randrange(1, 99)};",
        f"CREATE TABLE {table}_{number} (\n  id INTEGER PRIMARY KEY,\n  {dice.noun()} TEXT NOT NULL,\n"
        f"  {dice.noun()}_at TIMESTAMP\n);",
        f"UPDATE {table} SET note = '{dice.noun()}' WHERE id = {number};",  # noqa: S608
    )
    return dice.choice(forms)


def _yaml(dice: _Dice, number: int) -> str:
    return f"""  {dice.noun()}-{number}:
    image: registry.example.com/{dice.noun()}:{dice.randrange(9)}.{dice.randrange(20)}
    replicas: {dice.randrange(1, 9)}
    # {dice.sentence()}
    environment:
      - {dice.noun().upper()}_URL=http://{dice.noun()}:{dice.randrange(1000, 9999)}/
      - LOG_LEVEL={dice.choice(_LEVELS).lower()}
    enabled: {dice.choice(("true", "false"))}"""


def _ini(dice: _Dice, number: int) -> str:
    keys = (
        f"{dice.noun()}_{dice.noun()} = {dice.choice((dice.noun(), str(dice.randrange(900))))}" for _ in range(5)
    )
    return f"[{dice.noun()}.{number}]\n; {dice.sentence()}\n" + "\n".join(keys) + "\n"


def _json(dice: _Dice, number: int) -> str:
    record = {
        "id": number,
        "name": f"{dice.noun()} {dice.noun()}",
        "state": dice.choice(("open", "closed", "late")),
        "price": dice.randrange(10**5) / 100,
        "tags": [dice.noun(), dice.noun()],
        "note": dice.sentence(),
    }
    return json.dumps(record, indent=2)


def _csv(dice: _Dice, number: int) -> str:
    cells = f"{number},{dice.noun()},{dice.choice(_NAMES)},{dice.randrange(10**4) / 100}"
    return f'{cells},"{dice.noun()}, {dice.verb()}"'


def _table(dice: _Dice, number: int) -> str:
    return f"| {number} | {dice.noun()}-{number % 17} | {dice.choice(_NAMES)} | {dice.randrange(900)} ms | ok |"


def _listing(dice: _Dice, number: int) -> str:
    state = dice.choice(("Running", "Running", "Running", "Pending", "Error"))
    pod = f"{dice.noun()}-{dice.randrange(16**6):06x}"
    return f"{dice.noun():<12}{pod:<28}1/1   {state:<12}{dice.randrange(9):<10}{dice.randrange(1, 90)}d"


def _search(dice: _Dice, number: int) -> str:
    path = _Dice(number // 6).path()
    return (
        f"{path}:{number % 6 * 31 + 4}:    {dice.noun()} = self.{dice.verb()}({dice.noun()}, {dice.randrange(99)})"
    )


def _paths(dice: _Dice, number: int) -> str:
    return dice.path().replace(".py", f"_{number}.py")


def _log(dice: _Dice, number: int) -> str:
    told = f"{dice.noun()} {dice.randrange(10**6)} {dice.verb()} {dice.noun()} in {dice.randrange(900)} ms"
    front = f"{dice.stamp(number)},{number % 1000:03d} {dice.choice(_LEVELS)} [{dice.noun()}-{number % 4}]"
    return f"{front} c.e.{dice.noun()}: {told}"


def _trace(dice: _Dice, number: int) -> str:
    frames = (
        f'  File "/srv/{dice.path()}", line {dice.randrange(1, 900)}, in {dice.verb()}\n'
        f"    {dice.noun()} = self.{dice.verb()}({dice.noun()})"
        for _ in range(8)
    )
    told = f"{dice.choice(('ValueError', 'KeyError', 'TimeoutError'))}: no {dice.noun()} for {dice.randrange(999)}"
    return "\n".join(("Traceback (most recent call last):", *frames, told, ""))


def _markup(dice: _Dice, number: int) -> str:
    name = dice.noun()
    return f"""<section class="{name} wide" id="part-{number}" data-track="{dice.randrange(16**8):08x}">
  <h2>{name.title()} and {dice.noun()}</h2>
  <p>{dice.sentence()} <a href="/{name}/{number}?from=list">{dice.noun()}</a> {dice.sentence()}</p>
  <ul><li>{dice.noun()}</li><li>{dice.noun()} &amp; {dice.noun()}</li></ul>
  <script>track("{name}", {number});</script>
</section>"""


_SHAPES: Mapping[str, _Shape] = {
    "prose": _Shape(_prose, between="\n\n"),
    "dialogue": _Shape(_dialogue),
    "code": _Shape(_code),
    "diff": _Shape(_diff),
    "sql": _Shape(_sql),
    "yaml": _Shape(_yaml, head="version: 3\nservices:\n"),
    "ini": _Shape(_ini),
    "json": _Shape(_json, head="[", between=",\n", tail="]"),
    "csv": _Shape(_csv, head="id,item,customer,price,note\n"),
    "table": _Shape(_table, head="| id | host | owner | took | state |\n|---|---|---|---|---|\n"),
    "listing": _Shape(_listing, head=f"{'NAMESPACE':<12}{'NAME':<28}READY {'STATUS':<12}{'RESTARTS':<10}AGE\n"),
    "search": _Shape(_search),
    "paths": _Shape(_paths),
    "log": _Shape(_log),
    "trace": _Shape(_trace),
    "markup": _Shape(
        _markup,
        head="<!DOCTYPE html>\n<html>\n<head><title>Parts</title></head>\n<body>\n",
        tail="\n</body></html>",
    ),
}
NAMES = tuple(_SHAPES)
"""What `of` knows."""


def of(name: str, chars: int) -> str:
    """A text of a kind, of about that many characters. Raises KeyError for a name that is not in NAMES."""
    shape, dice = _SHAPES[name], _Dice(len(name))
    parts: list[str] = []
    size = 0
    while size < chars:
        parts.append(shape.part(dice, len(parts)))
        size += len(parts[-1]) + len(shape.between)
    return shape.head + shape.between.join(parts) + shape.tail

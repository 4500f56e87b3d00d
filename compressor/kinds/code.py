"""Source code: statements under their headers. A body that goes leaves its signature, and a mark in a comment."""

from __future__ import annotations

from collections.abc import Sequence

from moosproxy.compressor.kept import Wrap
from moosproxy.compressor.kinds import session
from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind, Unit
from moosproxy.compressor.kinds.source import signs
from moosproxy.compressor.kinds.source.languages import language
from moosproxy.compressor.kinds.source.naming import named
from moosproxy.compressor.kinds.source.roles import Role, Statement
from moosproxy.compressor.kinds.source.rows import numbered, read
from moosproxy.compressor.kinds.source.statements import statements
from moosproxy.compressor.kinds.source.worth import worth

AROUND = 2
"""So many statements on either side of one that the question names stay with it."""

_NAMED, _NAMED_HEADER, _NEAR = 20.0, 6.0, 4.5


class Code:
    """Files, snippets and shell sessions."""

    kind = TextKind.CODE

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """Rows that read as code, or that a fence calls so."""
        return (
            max(session.claim(rows, at, hint), at) if session.prompted(rows, at) else signs.claim(rows, at, hint)
        )

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """Statements, ranked by what they do, how deep they stand and what the question names."""
        rows = Rows(text, block.start, block.end)
        if session.prompted(rows, 0):
            return session.edit(rows, asked)
        tongue = language(text[block.start : block.end], block.hint)
        found = statements(read(rows, tongue), tongue)
        wrap = Wrap.PLAIN if numbered(rows) else tongue.wrap
        return Edited(_units(found, _ranks(text, found, asked), wrap))


def _units(found: Sequence[Statement], ranks: Sequence[float], wrap: Wrap) -> list[Unit]:
    return [
        Unit(
            statement.start,
            statement.end,
            rank=rank,
            head=statement.head,
            wrap=Wrap.PLAIN if statement.role is Role.RAW else wrap,
            count=statement.rows,
            heads=statement.rows == 0,
        )
        for statement, rank in zip(found, ranks, strict=True)
    ]


def _ranks(text: str, found: Sequence[Statement], asked: Asked) -> list[float]:
    ranks = [worth(text, statement) for statement in found]
    hits = named([text[statement.start : statement.end] for statement in found], asked)
    under = [0.0] * len(found)
    for index, statement in enumerate(found):
        above = statement.head if statement.head < index else found[statement.head].head
        inherited = under[above] if above >= 0 else 0.0
        under[index] = max(inherited, min(hits[index], 1.0) if statement.role is Role.SIGNATURE else 0.0)
        ranks[index] += _NAMED_HEADER * inherited + _NAMED * min(hits[index], 3.0)
    near = [0.0] * len(found)
    for index, hit in enumerate(hits):
        if hit:
            for other in range(max(0, index - AROUND), min(len(found), index + AROUND + 1)):
                near[other] = max(near[other], min(hit, 1.0))
    return [rank + _NEAR * beside for rank, beside in zip(ranks, near, strict=True)]

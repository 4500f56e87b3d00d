"""What a statement counts for where nobody asks."""

from __future__ import annotations

from moosproxy.compressor.kinds.source.roles import Role, Statement

_RANK = {
    Role.SIGNATURE: 8.0,
    Role.EXIT: 5.5,
    Role.CONDITION: 5.0,
    Role.PLAIN: 3.0,
    Role.CLOSER: 1.5,
    Role.DOC: 1.4,
    Role.RAW: 1.2,
    Role.IMPORT: 1.0,
    Role.COMMENT: 0.0,
}
_ALARMS = ("todo", "fixme", "warning", "safety", "deprecated", "never ", "must ", "do not", "don't", "#!")
_DEEPER = 0.25
_LATER = 0.04


def worth(text: str, statement: Statement) -> float:
    """8 for a signature, 0 for a comment, less further in."""
    rank = _RANK[statement.role] - _DEEPER * min(statement.depth, 8) - _LATER * min(statement.order, 20)
    if statement.role is Role.COMMENT:
        piece = text[statement.start : min(statement.end, statement.start + 500)].lower()
        rank += 1.5 * any(alarm in piece for alarm in _ALARMS)
    return rank

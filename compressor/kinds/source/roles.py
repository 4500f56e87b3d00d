"""What a statement does, as its first words and signs tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from moosproxy.compressor.kinds.source.languages import Language
from moosproxy.compressor.kinds.source.rows import Row, open_brackets
from moosproxy.compressor.text.patterns import Pattern

WHOLE = 400
"""Characters of a statement that are looked at to tell what it does."""


class Role(Enum):
    """What a statement does, as far as it matters for what may go."""

    PLAIN = auto()
    SIGNATURE = auto()
    CONDITION = auto()
    EXIT = auto()
    IMPORT = auto()
    COMMENT = auto()
    DOC = auto()
    CLOSER = auto()
    RAW = auto()


@dataclass(slots=True)
class Statement:
    """Rows that stay or go together. start, end: offsets. head: index of the statement that it needs, -1 for none.
    depth: how many headers it stands under. order: its place among the statements under the same header.
    """

    start: int
    end: int
    rows: int
    column: float
    code: str
    role: Role
    opens: bool = False
    head: int = -1
    depth: int = 0
    order: int = 0


CLOSES = Pattern(r"[)\]}]|</|/?>$")
CONTINUES = Pattern(r"(?:[)\]}]+;?\s*)?(?:else|elif|elsif|elseif|except|catch|finally|rescue|ensure|where)\b")
_SIGNATURE = Pattern(
    r"(?:(?:export|default|public|private|protected|internal|static|final|abstract|async|virtual|override|inline"
    r"|extern|unsafe|pub(?:\(\w+\))?|const(?=\s+fn)|open|sealed|data|partial|local|declare)\s+)*+"
    r"(?:(?:def|defp|defmodule|defmacro|class|func|fn|function|fun|interface|struct|enum|trait|impl|type|module|mod"
    r"|namespace|union|object|protocol|extension|record|sub|proc|procedure|message|service|contract|instance)"
    r"(?:\s+[\w(*&<~\[:$]|[<(*])|(?:describe|it|test)\s?\(\"\"|macro_rules!)"
)
_TYPED_SIGNATURE = Pattern(
    r"(?:[\w<>\[\],.*&:?]++\s++)+[*&]*[\w:~]+\s*\([^;]*[{),]$"
    r"|(?:get\s+|set\s+|async\s+|\*)?[\w$#:-]+\s*\([^;=]*\)[^;=]*\{$|\w[\w-]*\s*\(\)\s*\{?$"
    r"|(?:export\s+)?(?:const|let|var)\s+[\w$]+\s*=\s*(?:async\s*)?(?:function\b|\([^()]*\)\s*=>|\w+\s*=>)"
)
_CONDITION = Pattern(
    r"(?:[)\]}]+\s*)?(?:if|elif|else|elsif|elseif|unless|for|foreach|while|until|loop|match|switch|case|when|default"
    r"|try|except|catch|finally|rescue|ensure|with|async with|async for|select|guard|do|begin|assert\w*|cond|until"
    r"|using|lock|\#if\w*|\#el\w+|goto)\b"
)
_EXIT = Pattern(
    r"(?:return|raise|throw|yield|break|continue|panic!?|exit|sys\.exit|os\.exit|die|abort|defer|fail|reject"
    r"|process\.exit|unreachable!?|todo!?)\b"
)
_IMPORT = Pattern(
    r"(?:import|from|require|require_relative|include|use|using(?=\s+[\w.]+;)|package|\#include|extern crate"
    r"|source|library|export\s*[{*].*from|(?:const|let|var)\s.*=\s*require\()(?![\w.=])"
)


def role_of(rows: Sequence[Row], code: str, whole: str, language: Language) -> Role:
    if CLOSES.match(code) and not CONTINUES.match(code) and not open_brackets(rows):
        return Role.CLOSER
    if _IMPORT.match(code):
        return Role.IMPORT
    if _CONDITION.match(code) and not _CONDITION_CALL.match(code):
        return Role.CONDITION
    if _EXIT.match(code):
        return Role.EXIT
    if not code.strip("\"'rRbBuUfF"):
        return Role.DOC
    if _CALLS.match(code):
        return Role.PLAIN
    if _SIGNATURE.match(code) or (language.braces and _TYPED_SIGNATURE.match(whole)):
        return Role.SIGNATURE
    return Role.PLAIN


_CALLS = Pattern(r"(?:new|await|delete|print|echo|not|go|sudo)\s")
_CONDITION_CALL = Pattern(r"(?:select|match|with|case|do|default|begin|when|lock|loop|using)\s*[.=,:]")

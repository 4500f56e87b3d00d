"""What rows of configuration look like."""

from __future__ import annotations

import re

from moosproxy.compressor.kinds.config.rows import OPENER

AHEAD = 24
"""Rows looked at to tell a file, remarks and blank rows left out."""
REMARKS = 120
"""Rows of remarks looked through for the first setting."""
PROSE = 12
"""A value of more words is a sentence."""

REMARK = re.compile(r"\s*(?:#(?!#)|;|//|/\*|\*)")
ANY_REMARK = re.compile(r"\s*(?:#|;|//|/\*)")
KEY = re.compile(
    r"(?P<lead>\s*(?:-\s+)*)(?P<key>\"[^\"\n]{1,100}\"|'[^'\n]{1,100}'|[\w$./{<@*~][\w$./{}<>@*~+-]{0,100}"
    r"|(?<=\s)[\w$./-]{1,60}(?:\s[\w$./-]{1,40}){1,4}):(?:\s+(?P<value>\S.*))?\s*$"
)
ITEM = re.compile(r"\s*-(?:\s+\S|$)")
DOCUMENT = re.compile(r"(?:---|\.\.\.)(?:\s|$)|%YAML|\s*\{\{-?.*\}\}\s*$|\s*\{%.*%\}\s*$")
SENTENCE = re.compile(r".*[^\W\d_]{2,}[.!?]$")
ASSIGN = re.compile(
    r"\s*(?:export\s+)?(?P<key>[A-Za-z_@][\w.\-/@:\[\]]{0,100}|\"[^\"\n]{1,100}\")"
    r"[ \t]{0,30}(?:[:?+]?=(?![=>~]))(?P<value>.*)$"
)
COLON = re.compile(r"\s*[A-Za-z_][\w.-]{0,60}\s?:\s?\S")
CODE = re.compile(
    r".*(?:[({,;]|=>|->)\s*$|.*=\s*(?:new|await|async|lambda|def|function|not|self\.|await)\b"
    r"|.*=\s*[\w.]{1,80}\([^)]*\)\s*$|\s*(?:def|class|import|from|return|if|elif|for|while|var|let|const|func"
    r"|fn|public|private)\s"
)
PAIR = re.compile(r"\s*(?P<key>[A-Za-z_*@][\w.\-/@]{0,60})(?P<gap>[ \t]+)(?P<value>\S+(?:[ \t]+\S+){0,6})\s*$")
CAMEL = re.compile(
    r"(?:[A-Z][a-z0-9]+){1,3}[A-Z]\w*$|X11\w+$|[A-Z][a-z]+[A-Z0-9]\w*$|[a-z]+(?:[._-][a-z0-9]+){1,8}$|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$"
)
SWITCH = re.compile(
    r"(?:yes|no|on|off|true|false|none|any|all|local|auto|enabled|disabled|unlimited|inherit|default"
    r"|~?/\S*|\"[^\"]*\"|-?\d[\d.:/]*[a-zA-Z%]{0,3})$",
    re.IGNORECASE,
)
LIMIT = re.compile(r"\s*\S{1,60}[ \t]+(?:soft|hard|-)[ \t]+[a-z]{2,12}[ \t]+(?:-?\d+|unlimited|infinity)\s*$")
BLOCK = re.compile(
    r"\s*(?:resource|data|variable|output|provider|module|terraform|locals|backend|moved|import|check|job|group|task|http"
    r"|server|events|location|upstream|stream|map|types|geo|mail|limit_except|if|rule|service|template|storage|listener"
    r"|consul|vault|source|build|options|zone|acl|logging|controls|key)\b(?:\s+[^{};]{1,200})?\s*\{\s*(?:#.*)?$"
)
DIRECTIVE = re.compile(r"\s*[a-z][\w.-]{0,60}(?:\s+[^;{}\n]{1,2000})?;\s*(?:#.*)?$")
DOCKER_FIRST = re.compile(r"(?:FROM\s+(?:--\S+\s+)?[\w./:@${}-]+(?:\s+[Aa][Ss]\s+\S+)?|ARG\s+\w+(?:=\S*)?)\s*$")
DOCKER = re.compile(
    r"\s*(?:FROM|RUN|CMD|COPY|ADD|ENV|WORKDIR|ENTRYPOINT|EXPOSE|USER|LABEL|ARG|VOLUME|HEALTHCHECK"
    r"|SHELL|ONBUILD|STOPSIGNAL|MAINTAINER)\s+\S"
)


def brace_row(line: str) -> bool:
    stripped = line.strip()
    return bool(
        BLOCK.match(line) or OPENER.match(stripped) or DIRECTIVE.match(line) or ASSIGN.match(line)
        or stripped[:1] in "}])\"'" or stripped.endswith((",", "[", "{", "\\", "}", "]"))
    )  # fmt: skip


def is_prose(value: str) -> bool:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return False
    return len(value.split()) > PROSE or bool(len(value.split()) > 3 and SENTENCE.match(value))

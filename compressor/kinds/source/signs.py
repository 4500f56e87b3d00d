"""Whether rows are code, told by their content: what begins and ends a row, not words that prose has too."""

from __future__ import annotations

from enum import IntEnum

import regex

from moosproxy.compressor.kinds.base import Rows
from moosproxy.compressor.kinds.source.languages import LANGUAGES
from moosproxy.compressor.kinds.source.patches import opens
from moosproxy.compressor.kinds.source.rows import NUMBERED, numbered
from moosproxy.compressor.text.patterns import Pattern

AHEAD = 14
"""Rows looked at to tell code, comments not counted."""
NOTES = 100
"""So many rows of comments may stand in front of it."""
FEWEST = 3
SURE, MOST, GOES_ON = 2, 0.6, 0.4
"""So many of them are code beyond doubt, so large a share could be; so large behind a paragraph that is none."""
LONG = 400
"""A string or comment of more rows is not passed over."""
CUT = 300

_STRONG = Pattern(
    r"""(?:
      (?:async\ )?def\ [\w.?!]+\s*(?:\(|$|:) | class\ \w+(?:\(.*\))?:\s*$ | class\ \w+[^.]*\{\s*\}?$
    | class\ \p{Lu}\w+(?:\ <\ [\w:]+)?$ | from\ [\w.]+\ import\ [\w*(]
    | import\ (?:static\ )?[\w.*]+(?:\ as\ \w+)?(?:,\ [\w.]+)*;?$ (?<!\p{L}\.) | import\b.*\bfrom\s+["']
    | import\s+["'(]
    | (?:pub(?:\(\w+\))?\ )?(?:async\ |unsafe\ |const\ )*fn\ \w+ | func\ (?:\([^)]*\)\ ?)?\w+\s*[(\[<]
    | (?:export\ |default\ |async\ )*function\b\s*\*?\s*[\w.:]*\s*\(
    | (?:export|public|private|protected|static|internal|abstract|final|override)\ [^.]*[({;]\s*$
    | (?:export\ )?(?:const|let|var|val)\ [\w$\[{(].*[=;] | let\ mut\b
    | \#\s?(?:include\s*[<"]|define\ \w|ifn?def\ \w|if\ \w*[!(\d]|endif|pragma\ |undef\ |elif\ |else$)
    | package\ [\w.]+;?$ | (?:use|using)\ [\w\\:.{}*,\ ]+;$ | namespace\ [\w\\.:]+\s*[{;]?$
    | (?:struct|enum|interface|trait|impl|union|extern|typedef|template|unsafe|mod|object
      |protocol|extension)\b[^.]*[{;>]$
    | (?:export\ )?type\ \w+(?:<.*>)?(?:\ (?:struct|interface|func)\b|\ =\ )
    | @[\w.]+(?:\(.*\))?$ (?<!@\w+\.\w+) | assert\ .*(?:\w\(|[=!<>]=|\ is\ |\ in\ ).*[^.!?:]$
    | for\ \w+(?:,\ ?\w+)*\ in\ .*[\w)\]]:$ | for\ .*:=\ range\ .*\{$ | (?:else|try|finally|except):$
    | except\ [\w.(),\ ]+(?:\ as\ \w+)?:$ | raise\ [\w.]+(?:\(|$) (?<!\ \w+\ \w+) | yield\ \w+[(.;]
    | (?:\}\s*)?(?:else\ )?(?:if|for|while|switch|catch|foreach)\s?\(.*(?:[)]\s*\{?|\{|&&|\|\||,)$
    | (?:if|for|switch|match|select|while|loop|else|try|do|default|guard)\b[^.!?]*\{$
    | \}\s*(?:else|catch|finally|while)\b
    | local\ (?:function\ )?\w+(?:\(|\ =) | module\ \p{Lu}[\w:]*$ | require(?:_relative)?\ ["'] | attr_\w+\ :
    | (?:el)?(?:if|while|until)\ .*;\ ?(?:then|do)$ | if\ .*\ then$ | (?:then|fi|done|esac|do)(?:\s*[|<>&].*)?$
    | for\ \w+\ in\ .*(?:;\ ?do|\$.*)$ | [\w-]+\s?\(\)\s*\{?$ | (?:el)?(?:if|while|until)\ (?:\[|test\ |!\ )
    | [^"'{};!?]{1,150}\{$ | \#!\s?/ | set\ -[euxo]+ | export\ [A-Z_]+=
    | case\ .*\ in$ | trap\ .*[A-Z]+$ | <\?php | \$\w+\s*=\s.*;$ | (?:my|our)\ [$@%]\w+ | use\ (?:strict|warnings);
    | (?!\d)[\w.$*&>\[\]'"-]+(?:\s?:\s?[\w.\[\]<>|,\ ]+)?\s*(?:[-+*/|&^%:]|<<|>>|\?\?|\*\*|//)?
      =\s*(?!=)\S?.*(?:[;({\[]|\w\(.*\)?)$
    | (?:[\w$]+(?:::|->|\.))*[\w$]+!?\((?:.*\)\s*;|.*\(|.*\{|.*\[|)$ | [\w$]+(?:(?:::|->|\.)[\w$]+)+\(.*\)[;,]?$
    | (?:return|break|continue|throw|delete|await|yield|goto)\b[^.]*;$
    | return\ .*(?:\w\(.*\)|\[.*\]|[=!<>]=.*|\w\.\w.*)$
    | (?:if|elif|while|with|assert)\ .*(?:\w\(.*\)|\w\.\w|[=!<>]=|\w\[|_\w).*(?::|\ as\ \w+:)$
    | (?:const\ |static\ |unsigned\ )*[\w:<>]+[\s*&]+[\w:]+\([\w\s*&,:<>\[\]]*\)\s*(?:const\s*)?\{?$
      (?<=\{|\w\(.*[*&,].*\)|\(void\))
    | (?:const\ |static\ |unsigned\ )*(?:int|char|float|double|bool|long|short|void|auto|size_t
      |uint\d+_t|String)[\s*&]+\w+.*[;{(,)]$
    | \((?:defn?-?|defun|defmacro|define|ns|let\*?|require|setq|lambda)\b
    | \w+\ ::\ .*->.* | \.(?:global|globl|section|text|data)\b
    )""",
    regex.VERBOSE,
)
_WEAK = Pattern(
    r"""(?:
      [)\]}]+[;,)\]}]*$ | [({\[]$
    | [\w.\[\]'"$@*-]+(?:\s?:\s?[\w.\[\]|<>,\ ]+)?\s*(?:[-+*/|&^%:]|<<|>>|\?\?)?=\s*\S
    | (?:return|raise|throw|yield|break|continue|pass|end|endif|nil|do|begin|then)\b[^.]{0,60}$ | \.\w+\(.*
    | .*[;{(\[]$
    | (?:if|elif|while|with|assert|case|when|for|unless|elsif)\b.*[:{]$ | [\w.]+\(.*\)$ | \w+[,)]+$
    | [frbu]{0,2}["'].*["'][,)]*$
    | .*(?:&&|\|\||=>|->|==|!=|\$[\w{(])(?!.*\.\s).* | .*;$ | [^\s()]+\)(?:\s.*)?$ | \[\[?\ .*\ \]\]?.*
    | [a-z_][\w+-]*\ (?:-{1,2}\w|["'$]|[\w.~-]*/\w).*[^.!?]$ | :\ .*[,{)]$
    | (?:public|private|protected|\w+):$ | (?:case|default)\b.*:$ | </?\w[^>]*>?.* | .*\\$ | \w+\ :=
    | (?:echo|cd|mkdir|rm|cp|mv|git|docker|sudo|source|exit|printf|local|shift|eval|exec|readonly|unset)\b\ ?[^.]*$
    | \w+:\ [\w.\[\]|<>,\ ]+(?:\ =\ .*)?[,;]?$ (?<=str|int|float|bool|None|Any|\]|=\ .*|;|string|number|boolean)
    )""",
    regex.VERBOSE,
)
_COMMENT = Pattern(r"(?:\#|//|/\*|\*\s|\*/|--\s|;;|<!--)")
_QUOTED_KEY = Pattern(r"[\"'][^\"']*[\"']\s*:|\{\s*[\"']")
_SQL = Pattern(
    r"(?i)(?:select|insert\s+into|update|delete\s+from|create\s+(?:or\s+replace\s+)?(?:table|index|view|function|unique)"
    r"|alter\s+table|with\s+\w+\s+as\s*\(|from|where|(?:left|right|inner)\s+join|join|group\s+by|order\s+by|values)\b"
)
_PROSE = Pattern(r"[^=;{}()\[\]<>_]*?\p{L}{2,}[,:]?(?:\s\p{L}[\p{L}’'-]*[,:]?){4,}[^=;{}\[\]<>_]*$")
_HEADING = Pattern(r"#{1,6}\s\p{Lu}")
_FENCE = Pattern(r"\s{0,3}(?:`{3,}|~{3,})\s*$")
_POD = Pattern(r"=(?:head\d|pod|over|item|begin|encoding)\b")
_QUOTES = ('"""', "'''")


class Sign(IntEnum):
    """What a row says about itself."""

    OTHER = -1
    NOTHING = 0
    WEAK = 1
    STRONG = 2


def claim(rows: Rows, at: int, hint: str) -> int:
    """The row behind the code that begins at a row, or `at`."""
    if hint in LANGUAGES:
        return _fenced(rows, at)
    prefixed = numbered(rows, at)
    if not _begins(rows, at, prefixed, bool(hint)):
        return at
    return _end(rows, at, prefixed)


def sign(line: str) -> Sign:
    """What a row says about itself. line: without the number in front of it."""
    line = line[:CUT].strip()
    if not line or _COMMENT.match(line):
        return Sign.STRONG if line.startswith(("#!", "#include", "#define", "#ifdef", "#ifndef")) else Sign.NOTHING
    if _QUOTED_KEY.match(line):
        return Sign.OTHER
    if _STRONG.match(line):
        return Sign.STRONG
    if _PROSE.match(line) or _SQL.match(line):
        return Sign.OTHER
    return Sign.WEAK if _WEAK.match(line) else Sign.OTHER


def _fenced(rows: Rows, at: int) -> int:
    end = at
    while end < len(rows) and not _fence(rows.line(end)[:CUT]):
        end += 1
    while end > at and rows.blank(end - 1):
        end -= 1
    return end


def _fence(line: str) -> bool:
    return line.lstrip()[:1] in ("`", "~") and bool(_FENCE.match(line))


def _line(rows: Rows, row: int, prefixed: bool) -> str:
    line = rows.line(row)[:CUT]
    match = NUMBERED.match(line) if prefixed else None
    return line[match.end() :] if match else line


def _sign(rows: Rows, row: int, prefixed: bool) -> Sign:
    key = ("numbered" if prefixed else "code", row)
    if key not in rows.told:
        rows.told[key] = sign(_line(rows, row, prefixed))
    return Sign(rows.told[key])


class _Passing:
    """Rows of strings and block comments, which say nothing."""

    def __init__(self) -> None:
        self._closing = ""
        self.since = 0

    @property
    def open(self) -> bool:
        """Whether the row behind is inside of one too."""
        return bool(self._closing)

    def over(self, line: str) -> bool:
        """Whether the row begins inside of one; follows what it opens and closes."""
        if self._closing:
            self.since += 1
            if self._closing in line:
                self._closing = ""
            return True
        for quotes in _QUOTES:
            if line.count(quotes) % 2:
                self._closing, self.since = quotes, 0
                return line.strip().startswith(quotes)
        if line.startswith("=") and _POD.match(line):
            self._closing, self.since = "=cut", 0
            return True
        if "/*" in line and "*/" not in line:
            self._closing, self.since = "*/", 0
            return line.strip().startswith("/*")
        return False


def _begins(rows: Rows, at: int, prefixed: bool, fenced: bool) -> bool:
    line = _line(rows, at, prefixed)
    first = _sign(rows, at, prefixed)
    quoted = line.lstrip().startswith(_QUOTES)
    if first is Sign.OTHER and not quoted:
        return False
    if first is Sign.NOTHING and at > 0 and not rows.blank(at - 1) and _sign(rows, at - 1, prefixed) is first:
        return False  # The rest of a comment: its first row has been looked at.
    if first is Sign.WEAK and not quoted and not _followed(rows, at, prefixed):
        return False
    strong, told, other = _tally(rows, at, prefixed, MOST)
    if strong < (1 if fenced else SURE) or told + other < (1 if fenced else FEWEST):
        return False
    return told >= MOST * (told + other) and 8 * strong >= told


def _followed(rows: Rows, at: int, prefixed: bool) -> bool:
    """Whether one of the next two rows is code beyond doubt."""
    behind = [row for row in range(at + 1, min(len(rows), at + 5)) if not rows.blank(row)]
    return any(_sign(rows, row, prefixed) is Sign.STRONG for row in behind[:2])


def _tally(rows: Rows, at: int, prefixed: bool, share: float, *, inside: bool = False) -> tuple[int, int, int]:
    """Of the next rows those that are code, those that could be, those included, and the others.

    share: of rows that could be code; no more are looked at once it cannot be reached. inside: of code, where
    indented rows that are none say nothing.
    """
    counts = dict.fromkeys(Sign, 0)
    passing = _Passing()
    for row in range(at, min(len(rows), at + NOTES)):
        line = _line(rows, row, prefixed)
        if not line.strip() or passing.over(line):
            continue
        if _fence(line):
            break
        told = _sign(rows, row, prefixed)
        counts[Sign.NOTHING if inside and told is Sign.OTHER and line[:1].isspace() else told] += 1
        if sum(counts.values()) - counts[Sign.NOTHING] == AHEAD or counts[Sign.OTHER] > (1 - share) * AHEAD:
            break
    return counts[Sign.STRONG], counts[Sign.STRONG] + counts[Sign.WEAK], counts[Sign.OTHER]


def _end(rows: Rows, at: int, prefixed: bool) -> int:
    """The row behind the code: before a fence, or a paragraph that is none and behind which none goes on."""
    end = at
    passing = _Passing()
    for row in range(at, len(rows)):
        line = _line(rows, row, prefixed)
        if _fence(line) or (line.startswith(("diff ", "@@ ")) and opens(rows, row)):
            break
        if not line.strip():
            continue
        if passing.over(line):
            if passing.since > LONG:
                break
            end = end if passing.open else row + 1
            continue
        told = _sign(rows, row, prefixed)
        doubtful = told is Sign.OTHER or (line.startswith("#") and _HEADING.match(line))
        if doubtful and not line[:1].isspace() and (_apart(rows, row) or _PROSE.match(line)):
            strong, could, other = _tally(rows, row, prefixed, GOES_ON, inside=True)
            if not strong or could < GOES_ON * (could + other):
                break
        end = row + 1
    return end


def _apart(rows: Rows, row: int) -> bool:
    return row > 0 and rows.blank(row - 1)

"""Configuration: YAML, TOML, INI, properties, environments, sshd and sysctl, nginx, HCL, Dockerfiles.

Settings stay; remarks may go, and whole blocks where a question names others. Told by rules for rows:
Pygments and Magika name a format for a whole file, not for some rows of a message, and Magika brings a model.
"""

from __future__ import annotations

from moosproxy.compressor.kept import Wrap
from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind
from moosproxy.compressor.kinds.config.ends import end_of
from moosproxy.compressor.kinds.config.patterns import REMARK
from moosproxy.compressor.kinds.config.rows import Form, scan
from moosproxy.compressor.kinds.config.told import commented, first_setting, told
from moosproxy.compressor.kinds.running.exact import UNNAMED, exact
from moosproxy.compressor.text.lexicon import words

_HINTS: dict[str, Form] = {
    **dict.fromkeys(words("yaml yml k8s kubernetes helm compose ansible openapi gotmpl"), Form.YAML),
    **dict.fromkeys(
        words("toml ini cfg conf properties env dotenv systemd sshconfig editorconfig gitconfig desktop config"),
        Form.PAIRS,
    ),
    **dict.fromkeys(words("hcl terraform tf nginx"), Form.BRACES),
    **dict.fromkeys(words("dockerfile docker containerfile"), Form.DOCKER),
}


class Config:
    """Files of settings, in a fence that names their language or told by their rows."""

    kind = TextKind.CONFIG

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """The file that begins at a row, its remarks included."""
        if hint in _HINTS:
            return len(rows)
        if hint not in UNNAMED or (at > 0 and _remark(rows, at) and _remark(rows, at - 1)):
            return at  # a run of remarks is looked at once, where it begins
        first = first_setting(rows, at)
        form = told(rows, first) if first >= 0 else None
        if form is None and commented(rows, at):
            first, form = at, Form.PAIRS
        return at if form is None else end_of(rows, first, form)

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """Settings stay; remarks and blank rows may go, and blocks that a question does not name."""
        rows = Rows(text, block.start, block.end)
        first = first_setting(rows, 0)
        form = _HINTS.get(block.hint) or (told(rows, first) if first >= 0 else None) or Form.PAIRS
        found = scan(rows, form)
        return exact(rows, found.sorts, () if found.whole else found.heads, Wrap.HASH, asked)


def _remark(rows: Rows, row: int) -> bool:
    return bool(REMARK.match(rows.line(row)[:200]))

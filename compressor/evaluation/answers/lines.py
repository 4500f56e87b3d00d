"""Replies on disk, a line each: what was asked once is not asked again, in any later run."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.answers.base import Answerer, Prompt, Reply

_SLUG = re.compile(r"[^a-z0-9.]+")


class Lines:
    """The replies of one model to one set. A key is a hash: prompts are not written down."""

    def __init__(self, folder: Path, answerer: Answerer, name: str) -> None:
        """Raises CompressorError for a file that holds something else; a line cut off at the end is dropped."""
        self.path = folder / slug(answerer.name) / f"{name}.jsonl"
        self._version = answerer.version
        self._known = dict(_read(self.path)) if self.path.exists() else {}
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def get(self, prompt: Prompt) -> Reply | None:
        """What the model answered, if it was asked."""
        return self._known.get(self._key(prompt))

    def put(self, prompt: Prompt, reply: Reply) -> None:
        """Adds a line; it is on disk when this returns."""
        key = self._key(prompt)
        self._known[key] = reply
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a", encoding="utf-8")
        line = [key, reply.tokens, round(reply.seconds, 2), reply.end, reply.answer]
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()

    def _key(self, prompt: Prompt) -> str:
        parts = (self._version, prompt.system, prompt.user, str(prompt.tokens), str(prompt.line))
        digest = hashlib.sha256()
        for part in parts:
            data = part.encode(errors="surrogatepass")
            digest.update(len(data).to_bytes(8, "big") + data)
        return digest.hexdigest()[:20]


def slug(name: str) -> str:
    """A model's name as that of a folder."""
    return _SLUG.sub("-", name.lower()).strip("-") or "model"


def _read(path: Path) -> list[tuple[str, Reply]]:
    content = path.read_text(encoding="utf-8")
    rows = content.split("\n")
    if rows.pop():  # a run was stopped in the middle of a line
        path.write_text("".join(row + "\n" for row in rows), encoding="utf-8")
    found = []
    for number, row in enumerate(rows, 1):
        try:
            key, tokens, seconds, end, answer = json.loads(row)
        except ValueError as fault:
            raise CompressorError(f"{path}, line {number}: not a reply ({fault}); delete the line") from None
        found.append((str(key), Reply(str(answer), int(tokens), float(seconds), str(end))))
    return found

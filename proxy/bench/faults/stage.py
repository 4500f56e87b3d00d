"""What a scenario has at hand: an upstream that misbehaves, proxies, texts, the check that nothing was lost."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from moosproxy.proxy.bench.faults import box as boxes
from moosproxy.proxy.bench.faults import client
from moosproxy.proxy.bench.faults.box import Box
from moosproxy.proxy.bench.faults.client import Seen
from moosproxy.proxy.bench.faults.upstream import BadUpstream
from moosproxy.proxy.bench.sides import free_port
from moosproxy.proxy.bench.texts import Texts

_TOKENS = 200
_QUESTION = "Which entry was filed after the import service?"
_MARK = re.compile(r"\[…[^\]]*\]")


class Stage:
    """Of one run. The shared box is started when it is first asked for, and anew when it has ended."""

    def __init__(self, folder: Path, upstream: BadUpstream, stack: ExitStack, faketime: str | None = None) -> None:
        self.folder = folder
        self.upstream = upstream
        self.absent_port = free_port()
        self.faketime = faketime
        self._stack = stack
        self._texts = Texts(7)
        self._numbers = count()
        self._shared: Box | None = None
        self._sent: dict[str, str] = {}

    @property
    def shared(self) -> Box:
        """One worker with the compressor and without Redis."""
        if self._shared is None or self._shared.process.poll() is not None:
            self._shared = self._stack.enter_context(self.box())
        return self._shared

    @contextmanager
    def box(self, **options: Any) -> Iterator[Box]:
        """A proxy for one scenario; options as of `box.running`."""
        rules = boxes.policies(self.upstream.port, self.absent_port)
        with boxes.running(self.folder / f"box-{next(self._numbers)}", rules, **options) as box:
            yield box

    def text(self, tokens: int = _TOKENS) -> str:
        """A text that was never sent before, with a question, so that it can be shortened."""
        return f"{self._texts.of(tokens)}\n\n{_QUESTION}"

    def ask(
        self, box: Box, script: str = "ok", text: str | None = None, *, stream: bool = False, model: str = "bench"
    ) -> Seen:
        """One request. script: what the upstream does with it."""
        user, content = self.request(script, text)
        return client.ask(box.port, user, content, stream=stream, model=model)

    def request(self, script: str, text: str | None = None) -> tuple[str, str]:
        """The name and the content of a request that is noted for the check."""
        user = f"{script}:{next(self._numbers)}"
        self._sent[user] = text or self.text()
        return user, self._sent[user]

    def good(self, box: Box) -> bool:
        """Whether a new request is served as it should be: shortened, sent once, answered whole."""
        seen = self.ask(box)
        return seen.good and seen.shortened and not self.findings(seen)

    def raw(
        self, box: Box, script: str, tokens: int = _TOKENS, *, stream: bool = False
    ) -> tuple[str, socket.socket]:
        """A request that has been sent; its answer has not been read."""
        user, content = self.request(script, self.text(tokens))
        link = client.connect(box.port)
        link.sendall(client.chat(user, content, stream=stream))
        return user, link

    def sent(self, seen: Seen) -> str | None:
        """The text as it reached the upstream last."""
        arrivals = self.upstream.of(seen.user)
        return arrivals[-1].content if arrivals else None

    def findings(self, *all_seen: Seen, times: int = 1) -> list[str]:
        """What is wrong with how these requests arrived: they must have come once, whole or shortened."""
        out = []
        for seen in all_seen:
            arrived = self.upstream.of(seen.user)
            if len(arrived) != times:
                out.append(f"the request arrived {len(arrived)} times")
            out += [
                "a text arrived damaged" for one in arrived if not _faithful(self._sent[seen.user], one.content)
            ]
        return out

    def same(self, *all_seen: Seen) -> list[str]:
        """That one text went out as the same bytes each time."""
        return [] if len({self.sent(seen) for seen in all_seen}) == 1 else ["one text went out in different forms"]


def _faithful(original: str, sent: str) -> bool:
    """Whether a text is the original, or words of it in their order beside marks."""
    if sent == original:
        return True
    rest = iter(original.split())
    return len(sent) < len(original) and all(word in rest for word in _MARK.sub(" ", sent).split())

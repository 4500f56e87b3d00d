"""What went upstream once goes upstream byte for byte the same in every later turn, whoever handles the turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moosproxy.proxy.cache.file_cache import FILE_NAME
from tests.proxy.fakes import prose, report
from tests.proxy.redis_server import RedisServer, running_server  # noqa: F401
from tests.proxy.stability.rewriter_process import RewriterProcess

TURNS = 30
Message = dict[str, Any]


def turn_of(number: int) -> list[Message]:
    """The messages that a turn adds: the assistant's last answer, a tool's result now and then, a question."""
    messages: list[Message] = [{"role": "system", "content": prose(500, "rule")}] if number == 0 else []
    if number:
        messages.append({"role": "assistant", "content": prose(400, f"answer{number}_")})
    if number % 3 == 1:
        messages.append({"role": "tool", "tool_call_id": f"c{number}", "content": prose(600, f"row{number}_")})
    parts = [{"type": "text", "text": prose(350 + number, f"doc{number}_")}, {"type": "text", "text": "short?"}]
    return [*messages, {"role": "user", "content": parts if number % 2 else parts[0]["text"]}]


def english_turn(number: int) -> list[Message]:
    """The same in English, for a compressor that protects made-up words as ids."""
    asked = f"{report(40, 200 + number)}\n\nWhat was decided about the roof?"
    texts = {"user": asked, "assistant": report(10, number), "tool": report(40, 100 + number)}
    return [{"role": role, "content": text} for role, text in texts.items()]


def bytes_of(message: Message) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode()


class Conversation:
    """Grows turn by turn and remembers how each message went upstream the first time."""

    def __init__(self, turn_of: Callable[[int], list[Message]] = turn_of) -> None:
        self._turn_of = turn_of
        self._messages: list[Message] = []
        self._turns = 0
        self.sent: list[bytes] = []
        self.reasons: list[str | None] = []

    def next(self, worker: RewriterProcess, stall: bool = False) -> None:
        """Send one more turn and compare the history with what was sent before."""
        self._messages += self._turn_of(self._turns)
        self._turns += 1
        reply = worker.rewrite({"model": "any", "messages": self._messages}, stall)
        self.reasons = reply["reasons"]
        upstream = [bytes_of(message) for message in reply["body"]["messages"]]
        changed = [index for index, old in enumerate(self.sent) if upstream[index] != old]
        assert not changed, f"turn {self._turns} rewrote messages {changed}"
        self.sent = upstream

    @property
    def shortened(self) -> int:
        """Messages whose sent form differs from the original."""
        pairs = zip(self._messages, self.sent, strict=True)
        return sum(bytes_of(message) != sent for message, sent in pairs)


@pytest.fixture
def processes(redis_server: RedisServer) -> Iterator[tuple[RewriterProcess, RewriterProcess]]:
    with (
        RewriterProcess(redis_url=redis_server.url) as one,
        RewriterProcess(redis_url=redis_server.url) as two,
    ):
        yield one, two


def test_history_stays_as_it_was_over_workers_a_missed_deadline_restarts_and_the_death_of_redis(
    processes: tuple[RewriterProcess, RewriterProcess], redis_server: RedisServer
) -> None:
    talk = Conversation()
    for number in range(TURNS):
        if number in (12, 13):
            processes[number % 2].restart()
        if number == 20:
            redis_server.kill()
        talk.next(processes[number % 2], stall=number == 6)
        if number >= 6:
            assert talk.reasons.count("deadline") == 1
    assert talk.shortened == 30 + 10 - 1  # a document in each turn, ten tool results, the one that was pinned


def test_history_stays_as_it_was_without_redis_over_a_missed_deadline_killed_workers_and_the_loss_of_the_file(
    tmp_path: Path,
) -> None:
    with RewriterProcess(folder=str(tmp_path)) as one, RewriterProcess(folder=str(tmp_path)) as two:
        talk = Conversation()
        for number in range(TURNS):
            if number in (12, 13):
                (one, two)[number % 2].kill()
            if number == 20:
                (tmp_path / FILE_NAME).unlink()
            talk.next((one, two)[number % 2], stall=number == 6)
            if number >= 6:
                assert talk.reasons.count("deadline") == 1
        assert talk.shortened == 30 + 10 - 1


def test_workers_whose_compressors_differ_send_what_the_first_of_them_wrote(redis_server: RedisServer) -> None:
    with (
        RewriterProcess(redis_url=redis_server.url) as one,
        RewriterProcess(redis_url=redis_server.url, skew=1) as two,
    ):
        talk = Conversation()
        for number in range(TURNS):
            if number == 15:
                one.restart()
                two.restart()
            talk.next((one, two)[number % 2])
        assert talk.shortened == 40


def test_a_restart_of_redis_with_its_memory_lost_costs_nothing_while_a_worker_remembers(
    processes: tuple[RewriterProcess, RewriterProcess], redis_server: RedisServer
) -> None:
    talk = Conversation()
    for number in range(12):
        if number == 6:
            redis_server.kill()
            redis_server.start()
        talk.next(processes[0], stall=number == 2)
    assert talk.reasons.count("deadline") == 1


def test_one_worker_without_redis_is_stable_too() -> None:
    with RewriterProcess(redis_url=None) as worker:
        talk = Conversation()
        for number in range(TURNS):
            talk.next(worker, stall=number in (3, 4))
        assert talk.reasons.count("deadline") == 3


@pytest.mark.slow
def test_the_real_compressor_keeps_history_too(redis_server: RedisServer) -> None:
    with (
        RewriterProcess(redis_url=redis_server.url, real=True) as one,
        RewriterProcess(redis_url=redis_server.url, real=True) as two,
    ):
        talk = Conversation(english_turn)
        for number in range(12):
            if number == 6:
                two.restart()
            if number == 8:
                redis_server.kill()
            talk.next((one, two)[number % 2], stall=number == 3)
        assert talk.reasons.count("deadline") == 2  # the document and the tool's result of one turn
        assert talk.shortened == 22


@pytest.mark.slow
def test_a_quality_floor_keeps_history_over_workers_and_restarts() -> None:
    options: dict[str, Any] = {"redis_url": None, "real": True, "quality": 0.9}
    with RewriterProcess(**options) as one, RewriterProcess(**options) as two:
        talk = Conversation(english_turn)
        for number in range(8):
            if number == 5:
                one.restart()
            talk.next((one, two)[number % 2])  # nothing is shared: each works the ratio out for itself
        assert talk.shortened


def test_a_test_that_forgets_a_pin_would_be_seen() -> None:
    with RewriterProcess(redis_url=None) as worker:
        talk = Conversation()
        talk.next(worker, stall=True)
        worker.restart()  # no shared cache: the pin is lost, the text is compressed after all
        with pytest.raises(AssertionError, match="rewrote messages"):
            talk.next(worker)

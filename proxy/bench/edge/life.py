"""What a conversation notices beside its first token: a second turn, and a request that was given up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from moosproxy.proxy.bench.edge.run import Case, EdgeClient, Message, user

_TRIALS = 5
_INTO_PROMPT_S = 0.5
_LONG_ANSWER = 1000
_LINES_INTO_ANSWER = 20


@dataclass(frozen=True, slots=True)
class SecondTurn:
    """A question after an answer, in a conversation whose first message was compressed.

    prompt: tokens of the second turn. new: those that the first did not have. read: those that the model had to
    read. first_before, first: seconds to the first text of the first and of the second turn.
    """

    prompt: int
    new: int
    read: int
    first_before: float
    first: float


@dataclass(frozen=True, slots=True)
class Freed:
    """Milliseconds from a client's leaving until the model worked for the next one, a figure a trial.

    prompt: it left while the model read its prompt; none where that took no half a second. answer: while it wrote.
    """

    prompt: tuple[float, ...]
    answer: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Life:
    """Both."""

    turn: SecondTurn
    freed: Freed


async def life(client: EdgeClient, tokens: int, ratio: float, answer: int) -> Life:
    """tokens: of the first message, and of the prompts that are given up. Raises SideError."""
    return Life(await _second_turn(client, tokens, ratio, answer), await _freed(client, tokens))


async def _second_turn(client: EdgeClient, tokens: int, ratio: float, answer: int) -> SecondTurn:
    case = await client.case(tokens, ratio)
    messages: list[Message] = [user(client.text(tokens))]
    before = await client.ask(messages, case, answer)
    messages += [{"role": "assistant", "content": before.answer}, user("And who paid for it in the end?")]
    after = await client.ask(messages, case, answer)
    return SecondTurn(
        prompt=after.prompt,
        new=after.prompt - before.prompt,
        read=after.prompt - after.cached,
        first_before=before.first,
        first=after.first,
    )


async def _freed(client: EdgeClient, tokens: int) -> Freed:
    reading = [await _left_reading(client, tokens) for _ in range(_TRIALS)]
    writing = [await _left_writing(client) for _ in range(_TRIALS)]
    return Freed(tuple(time for time in reading if time is not None), tuple(writing))


async def _left_reading(client: EdgeClient, tokens: int) -> float | None:
    asked = asyncio.create_task(client.ask([user(client.text(tokens))], Case(tokens, 1.0, 1.0), 1))
    await asyncio.wait([asked], timeout=_INTO_PROMPT_S)
    if asked.done():
        asked.result()
        return None
    asked.cancel()
    await asyncio.wait([asked])
    return await _wait(client)


async def _left_writing(client: EdgeClient) -> float:
    async with client.opened([user(client.text(100))], Case(100, 1.0, 1.0), _LONG_ANSWER) as response:
        for _ in range(_LINES_INTO_ANSWER):
            await response.content.readline()
    return await _wait(client)


async def _wait(client: EdgeClient) -> float:
    """What a request waits beyond its own work: the model is not free yet. In milliseconds."""
    return (await client.ask([user("Who is next?")], Case(0, 1.0, 1.0), 1)).own * 1000

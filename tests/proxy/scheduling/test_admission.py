"""Who may come in: by memory, by the team's share, and by when it would be done."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.proxy.scheduling.admission import CERTAINTY, Admission, Ticket
from moosproxy.proxy.scheduling.rate import Rate

FAR = 1e9


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def measured(max_tokens: int = 1_000_000, tokens_a_second: float = 1_000, clock: Clock | None = None) -> Admission:
    """Admission to a model of known pace; planning costs nothing."""
    admission = Admission(max_tokens, clock or Clock())
    admission.model = known(1 / tokens_a_second)
    admission.text = known(0)
    return admission


def known(per_token: float) -> Rate:
    """A rate that does not change by itself."""
    return Rate(per_token, Clock())


def entered(admission: Admission, team: str | None, tokens: int, deadline: float) -> Ticket:
    ticket = admission.enter(team, tokens, deadline)
    assert ticket
    return ticket


def test_a_team_that_fills_the_queue_leaves_room_for_one_that_comes_later() -> None:
    admission = measured(9_000)
    teams = ("greedy", "second", "third")
    taken = {team: sum(admission.enter(team, 100, FAR) is not None for _ in range(200)) for team in teams}

    assert taken["greedy"] == 72  # four fifths
    assert 10 <= taken["second"] and 1 <= taken["third"]
    assert admission.tokens <= 9_000


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 500)), max_size=60), st.data())
def test_what_went_in_comes_out_and_leaves_the_door_as_it_was(
    visits: list[tuple[str | None, int]], data: st.DataObject
) -> None:
    admission = measured(2_000)
    inside = [ticket for visit in visits if (ticket := admission.enter(*visit, FAR))]
    assert admission.tokens == sum(ticket.tokens for ticket in inside) <= 2_000
    for ticket in inside:
        if data.draw(st.booleans()):
            admission.planned(ticket, data.draw(st.integers(0, 900)))
            admission.served(ticket, data.draw(st.integers(0, ticket.left)))
        admission.leave(ticket)
    assert admission.tokens == 0
    assert admission.expected_s("a", 0) == admission.expected_s("b", 0) == 0
    assert admission.enter("a", 1_600, FAR)


def test_a_text_comes_in_while_it_can_be_done_in_time() -> None:
    admission, clock = measured(), Clock()
    deadline = clock.now + 5

    inside = 0
    while admission.enter(None, 500, deadline):
        inside += 1

    assert inside == int(5 * CERTAINTY * 1_000 / 500)
    assert admission.enter(None, 10, deadline) is not None  # a shorter one still can
    assert (
        admission.enter("other", 500, deadline) is not None
    )  # and so can another team's: it does not wait for all


def test_another_team_waits_for_as_much_of_the_first_as_it_brings_itself() -> None:
    admission = measured()
    entered(admission, "first", 4_000, FAR)

    assert admission.expected_s("first", 500) == pytest.approx(4.5)
    assert admission.expected_s("second", 500) == pytest.approx(1.0)


def test_what_the_model_has_seen_is_not_waited_for() -> None:
    admission = measured()
    ticket = entered(admission, None, 4_000, FAR)
    admission.planned(ticket, 3_000)  # protected runs are not shown to the model
    admission.served(ticket, 1_000)

    assert admission.expected_s(None, 0) == pytest.approx(2.0)


def test_a_text_is_lost_once_even_the_model_alone_would_be_late() -> None:
    clock = Clock()
    admission = measured(clock=clock)
    ticket = entered(admission, None, 2_000, clock.now + 5)

    entered(admission, None, 100, clock.now + 50)
    assert not admission.lost(ticket)
    clock.now += 3.5
    assert admission.lost(ticket)
    admission.planned(ticket, 1_000)
    assert not admission.lost(ticket)


def test_how_much_of_a_text_the_model_sees_is_learned() -> None:
    admission = measured()
    for _ in range(20):
        ticket = entered(admission, None, 4_000, FAR)
        admission.planned(ticket, 1_000)
        admission.leave(ticket)

    assert admission.expected_s(None, 4_000) == pytest.approx(1.0, rel=0.05)


def test_planning_is_waited_for_where_it_takes_longer_than_the_model() -> None:
    admission = measured()
    admission.text = known(0.002)
    first = entered(admission, None, 1_000, FAR)
    slow = admission.text.per_token

    assert admission.expected_s(None, 0) == pytest.approx(1_000 * slow)
    admission.planned(first, 1_000)
    assert admission.expected_s(None, 0) == pytest.approx(1.0)


def test_a_rate_follows_what_is_measured_and_a_short_text_moves_it_little() -> None:
    rate = Rate(0.001, Clock())
    rate.note(50, 0.5)
    assert rate.per_token < 0.002
    for _ in range(60):
        rate.note(2_000, 200)

    assert rate.per_token == pytest.approx(0.1, rel=0.02)
    rate.note(0, 5)
    assert rate.per_token == pytest.approx(0.1, rel=0.02)


def test_after_a_stall_somebody_is_let_in_again_although_nothing_was_measured_since() -> None:
    clock = Clock()
    admission = Admission(1_000_000, clock)
    entered(admission, "another", 10, FAR)
    admission.model.note(4_000, 600)  # the machine slept

    assert admission.enter(None, 2_000, clock.now + 5) is None
    clock.now += 60
    ticket = entered(admission, None, 2_000, clock.now + 5)
    assert not admission.lost(ticket)


def test_who_comes_alone_is_let_in_and_tried_whatever_the_pace() -> None:
    admission, clock = measured(tokens_a_second=1), Clock()
    ticket = entered(admission, None, 2_000, clock.now + 5)

    assert not admission.lost(ticket)
    assert admission.enter(None, 10, clock.now + 5) is None

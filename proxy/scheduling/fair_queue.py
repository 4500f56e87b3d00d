"""A queue that is fair: round robin over teams, within a team first come, first served.

Owners (requests) of one team are not served in turn: all of them would be done late together.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Owner = TypeVar("Owner", bound=Hashable)
Item = TypeVar("Item")


class FairQueue(Generic[Owner, Item]):
    """Constant time for each item, whatever the number of teams and owners."""

    def __init__(self) -> None:
        self._teams: OrderedDict[Hashable, OrderedDict[Owner, deque[Item]]] = OrderedDict()

    def push(self, team: Hashable, owner: Owner, items: Iterable[Item]) -> None:
        """Put items behind those that the owner has waiting."""
        waiting = deque(items)
        if waiting:
            self._teams.setdefault(team, OrderedDict()).setdefault(owner, deque()).extend(waiting)

    def pop(self) -> tuple[Owner, Item] | None:
        """The next item and its owner; the team goes to the end of the row."""
        if not self._teams:
            return None
        team, owners = self._teams.popitem(last=False)
        owner, items = next(iter(owners.items()))
        item = items.popleft()
        if not items:
            del owners[owner]
        if owners:
            self._teams[team] = owners
        return owner, item

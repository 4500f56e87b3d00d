"""A queue that is fair: round robin over teams, within a team over owners (requests), within an owner in order."""

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
        """The next item and its owner; team and owner go to the end of their rows."""
        if not self._teams:
            return None
        team, owners = self._teams.popitem(last=False)
        owner, items = owners.popitem(last=False)
        item = items.popleft()
        if items:
            owners[owner] = items
        if owners:
            self._teams[team] = owners
        return owner, item

"""How many bytes of request bodies this process holds, over all requests."""

from __future__ import annotations

from moosproxy.proxy.errors import Overloaded


class Held:
    """Bytes under one bound. Not for several threads."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.total = 0

    def share(self) -> Share:
        """What one request holds of them; to be released."""
        return Share(self)


class Share:
    """One request's bytes."""

    __slots__ = ("_held", "size")

    def __init__(self, held: Held) -> None:
        self._held = held
        self.size = 0

    def take(self, more: int) -> None:
        """Raises Overloaded, and takes nothing, where all requests together would hold too much.

        A request that holds nothing yet gets in beside nothing else, however large it is.
        """
        held = self._held
        if held.total + more > held.bound and held.total > self.size:
            raise Overloaded(
                "The proxy holds as many bytes of request bodies as it may; try again in a moment. "
                "MOOS_MAX_BYTES_IN_FLIGHT sets the bound."
            )
        held.total += more
        self.size += more

    def give(self, less: int) -> None:
        """Gives some back."""
        self._held.total -= less
        self.size -= less

    def release(self) -> None:
        """Gives all back."""
        self.give(self.size)

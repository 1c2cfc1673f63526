"""When to ask for the next cut. Pure: the time comes with every question.

Whatever is ordered while a block is on its way goes into the next one, as in a group commit: blocks are as small and as
early as those who make and take them can keep up with, and a system that has nothing else to do adds no waiting. How
long a block keeps its readers busy nobody tells an orderer; but they read, hash, sign and sync as it does, and more of
it, so a block takes them a multiple of what it has taken here. Under load both take longer, and blocks grow.
"""

READERS_SHARE = 4.0  # how many times as long as here a block takes to get where it is waited for


class Pace:
    """The distance between one channel's blocks. Times are in seconds of any one clock."""

    def __init__(self, least_s: float) -> None:
        """`least_s`: blocks are at least so far apart."""
        self._least = self._distance = least_s
        self._asked_at: float | None = None
        self._next = 0.0

    def asked(self, now: float) -> None:
        """A cut was asked for."""
        self._asked_at = now

    def stored(self, now: float) -> None:
        """A block has been made and stored."""
        began, self._asked_at = self._asked_at, None
        if began is None:  # it was full before anybody asked
            began = now
        else:
            self._distance = max(self._least, READERS_SHARE * (now - began))
        self._next = began + self._distance

    def due(self, waiting_since: float, timeout_s: float) -> float:
        """When to ask for a cut of what has waited since then, `timeout_s` at most."""
        return min(waiting_since + timeout_s, self._next)

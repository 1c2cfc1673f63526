"""When to ask for the next cut. Pure: the time comes with every question.

Whatever is ordered while a block is on its way goes into the next one, as in a group commit: blocks are as small and as
early as those who make and take them can keep up with, and a system that has nothing else to do adds no waiting. How
long a block keeps its readers busy nobody tells an orderer. But they read, hash and sync a block as it does, and load
slows them as it slows him; then they judge each envelope, which to him is but bytes by then. So readers take what the
block has taken here, and as much again for every few envelopes in it. A block of one shows that nobody waits: what it
took then is the way to a log elsewhere and back, which keeps no reader busy.
"""

ENVELOPES = 12  # that take a reader as long as a block takes by itself


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

    def stored(self, now: float, envelopes: int) -> None:
        """A block of so many envelopes has been made and stored."""
        began, self._asked_at = self._asked_at, None
        if began is None:  # it was full before anybody asked
            began = now
        else:
            in_company = 1 - 1 / envelopes
            self._distance = max(self._least, (now - began) * (1 + envelopes / ENVELOPES) * in_company)
        self._next = began + self._distance

    def due(self, waiting_since: float, timeout_s: float) -> float:
        """When to ask for a cut of what has waited since then, `timeout_s` at most."""
        return min(waiting_since + timeout_s, self._next)

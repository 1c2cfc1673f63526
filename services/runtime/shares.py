"""A limit that many share, so that no one of them can use it up.

One caller's certificate has an eighth of it at most, the clients of one organisation together half.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.runtime.callers import NOBODY, Caller

CALLERS = 8  # it takes so many of them to use up a limit
ORGANISATIONS = 2


class Shares:
    """How much of a limit is taken, and by whom. On the event loop only."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._caller_max = max(1, limit // CALLERS)
        self._organisation_max = max(1, limit // ORGANISATIONS)
        self._taken = 0
        self._by_caller: Counter[Caller] = Counter()
        self._by_organisation: Counter[bytes] = Counter()
        self._given = asyncio.Event()

    def refusal(self, caller: Caller, amount: int = 1) -> str | None:
        """Why a caller cannot have so much now; None when he can."""
        if self._taken + amount > self.limit:
            return f"concurrency limit ({self.limit})"
        if caller != NOBODY:
            if self._by_caller[caller] + amount > self._caller_max:
                return f"one client's share ({self._caller_max}) of the concurrency limit ({self.limit})"
            if self._by_organisation[caller.organisation] + amount > self._organisation_max:
                return f"one organisation's share ({self._organisation_max}) of the concurrency limit ({self.limit})"
        return None

    def take(self, caller: Caller, amount: int = 1) -> None:
        """Count it."""
        self._taken += amount
        self._by_caller[caller] += amount
        self._by_organisation[caller.organisation] += amount

    def give_back(self, caller: Caller, amount: int = 1) -> None:
        """Count it no more."""
        self.take(caller, -amount)
        if not self._by_caller[caller]:
            del self._by_caller[caller]
        if not self._by_organisation[caller.organisation]:
            del self._by_organisation[caller.organisation]
        self._given.set()
        self._given = asyncio.Event()

    @asynccontextmanager
    async def one(self, caller: Caller) -> AsyncIterator[None]:
        """Hold one, as soon as there is one for this caller."""
        while self.refusal(caller) is not None:
            await self._given.wait()
        self.take(caller)
        try:
            yield
        finally:
            self.give_back(caller)


class Room:
    """What one of them has of a limit for one purpose, such as a stream."""

    def __init__(self, shares: Shares, caller: Caller) -> None:
        self._shares = shares
        self.caller = caller
        self.taken = 0

    def has(self, amount: int) -> bool:
        """Whether so much more can be had now."""
        return self._shares.refusal(self.caller, amount) is None

    def take(self, amount: int) -> None:
        """Have it."""
        self.taken += amount
        self._shares.take(self.caller, amount)

    def give_back(self, amount: int) -> None:
        """Have it no more."""
        self.taken -= amount
        self._shares.give_back(self.caller, amount)

    def clear(self) -> None:
        """Have nothing."""
        if self.taken:
            self.give_back(self.taken)

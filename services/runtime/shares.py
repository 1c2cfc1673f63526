"""A limit that many share, so that no one of them can use it up.

One caller's certificate has an eighth of it at most, the clients of one organisation together half.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from services.runtime.callers import NOBODY, Caller

CALLERS = 8  # it takes so many of them to use up a limit
ORGANISATIONS = 2

K = TypeVar("K")


class Shares:
    """How much of a limit is taken, and by whom. On the event loop only."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._caller_max = max(1, limit // CALLERS)
        self._organisation_max = max(1, limit // ORGANISATIONS)
        self._taken = 0
        self._by_caller: dict[Caller, int] = {}
        self._by_organisation: dict[bytes, int] = {}
        self._given: asyncio.Event | None = None  # while anybody waits

    def refusal(self, caller: Caller, amount: int = 1) -> str | None:
        """Why a caller cannot have so much now; None when he can."""
        if self._taken + amount > self.limit:
            return f"concurrency limit ({self.limit})"
        if caller != NOBODY:
            if self._by_caller.get(caller, 0) + amount > self._caller_max:
                return f"one client's share ({self._caller_max}) of the concurrency limit ({self.limit})"
            if self._by_organisation.get(caller.organisation, 0) + amount > self._organisation_max:
                return f"one organisation's share ({self._organisation_max}) of the concurrency limit ({self.limit})"
        return None

    @property
    def caller_max(self) -> int:
        """What one caller can have at most."""
        return self._caller_max

    def take(self, caller: Caller, amount: int = 1) -> None:
        """Count it."""
        self._taken += amount
        _add(self._by_caller, caller, amount)
        _add(self._by_organisation, caller.organisation, amount)

    def give_back(self, caller: Caller, amount: int = 1) -> None:
        """Count it no more."""
        self.take(caller, -amount)
        if self._given is not None:
            self._given.set()
            self._given = None

    @asynccontextmanager
    async def one(self, caller: Caller) -> AsyncIterator[None]:
        """Hold one, as soon as there is one for this caller."""
        while self.refusal(caller) is not None:
            self._given = self._given or asyncio.Event()
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


def _add(counts: dict[K, int], key: K, amount: int) -> None:
    """Count for a key; one whose count is 0 is not kept."""
    count = counts.get(key, 0) + amount
    if count:
        counts[key] = count
    else:
        counts.pop(key, None)

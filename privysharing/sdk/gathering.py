"""When a call begins: at once if its client is quiet; else with the others of the same moment.

Each message, thread that wakes up and block costs what eight transactions cost by themselves, be there one transaction
in it or fifty. Calls that set out together stay together all the way: in the messages to endorsers and from them, to
the orderer, in a block, in events. So it is here, where they begin, that they wait for each other, and nowhere else.
"""

import asyncio
import math
from types import TracebackType
from typing import Final

APART_S: Final = 0.024  # at least, between companies: with less there is more to do, with more to wait for
PATIENCE_S: Final = 0.1  # at most
ENOUGH: Final = 48  # calls that are a company, whenever the last one left


class Gathering:
    """Lets calls begin, each for the length of an `async with`.

    Those of one moment are a company. The next one sets out when all of the last have arrived, which takes the longer
    the busier those are whom they call; not before `apart_s` has passed, unless that was a call alone; after
    `patience_s` in any case, or when there is enough. So who makes one call after the other never waits.
    """

    def __init__(self, apart_s: float = APART_S, patience_s: float = PATIENCE_S, enough: int = ENOUGH) -> None:
        self._apart_s = apart_s
        self._patience_s = patience_s
        self._enough = enough
        self._waiting: list[asyncio.Future[None]] = []
        self._under_way = 0
        self._began_at = -math.inf
        self._alone = True  # whether the last that began did so alone
        self._next: asyncio.Handle | None = None

    async def __aenter__(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        if len(self._waiting) >= self._enough:
            self._begin()
        elif self._next is None:
            self._expect()
        await turn
        self._under_way += 1

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._under_way -= 1
        if not self._under_way and self._next is not None:
            self._next.cancel()
            self._expect()

    def _expect(self) -> None:
        """Have whoever waits begin when it is time."""
        loop = asyncio.get_running_loop()
        due = self._began_at
        if self._under_way:
            due += self._patience_s
        elif not self._alone:
            due += self._apart_s
        if due <= loop.time():
            self._next = loop.call_soon(self._begin)  # behind all that comes with it
        else:
            self._next = loop.call_at(due, self._begin)

    def _begin(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        company = [turn for turn in self._waiting if not turn.done()]  # else its caller has gone
        self._waiting.clear()
        if company:
            self._alone = len(company) == 1
            self._began_at = asyncio.get_running_loop().time()
        for turn in company:
            turn.set_result(None)

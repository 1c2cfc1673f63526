"""When a call begins: at once if its client is quiet; else with the others of the same moment.

Each message, thread that wakes up and block costs what eight transactions cost by themselves, be there one transaction
in it or fifty. Calls that set out together stay together all the way: in the messages to endorsers and from them, to
the orderer, in a block, in events. So it is here, where they begin, that they wait for each other, and nowhere else.
"""

import asyncio
import math
from dataclasses import dataclass
from typing import Final

APART_S: Final = 0.024  # at least, between companies: with less there is more to do, with more to wait for
PATIENCE_S: Final = 0.1  # at most
ENOUGH: Final = 48  # calls that are a company, whenever the last one left


@dataclass(slots=True, eq=False)
class _Company:
    """Calls that set out together."""

    size: int
    began_at: float  # by the loop's clock
    under_way: int  # of them, that have not arrived yet


class Gathering:
    """Lets calls begin.

    Those of one moment are a company. The next one sets out when all of the last have arrived, which takes the longer
    the busier those are whom they call; not before `apart_s` has passed, unless that was a call alone; after
    `patience_s` in any case, or when there is enough. So who makes one call after the other never waits, and a call
    that takes long holds up only those who come next.
    """

    def __init__(self, apart_s: float = APART_S, patience_s: float = PATIENCE_S, enough: int = ENOUGH) -> None:
        self._apart_s = apart_s
        self._patience_s = patience_s
        self._enough = enough
        self._waiting: list[asyncio.Future[_Company]] = []
        self._last = _Company(size=1, began_at=-math.inf, under_way=0)
        self._next: asyncio.Handle | None = None

    def line_up(self) -> asyncio.Future[_Company]:
        """The turn of one call: it may begin when that is done. Say when it `leaves`, whatever comes of it."""
        turn: asyncio.Future[_Company] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        if len(self._waiting) >= self._enough:
            self._begin()
        elif self._next is None:
            self._expect()
        return turn

    def leave(self, turn: asyncio.Future[_Company]) -> None:
        """A call has arrived, or its caller has given up."""
        if not turn.done() or turn.cancelled():
            return
        company = turn.result()
        company.under_way -= 1
        if company is self._last and not company.under_way and self._next is not None:
            self._next.cancel()
            self._expect()

    def _expect(self) -> None:
        """Have whoever waits begin when it is time."""
        loop, last = asyncio.get_running_loop(), self._last
        due = last.began_at
        if last.under_way:
            due += self._patience_s
        elif last.size > 1:
            due += self._apart_s
        if due <= loop.time():
            self._next = loop.call_soon(self._begin)  # behind all that comes with it
        else:
            self._next = loop.call_at(due, self._begin)

    def _begin(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        turns = [turn for turn in self._waiting if not turn.done()]  # else its caller has gone
        self._waiting.clear()
        if turns:
            self._last = _Company(len(turns), asyncio.get_running_loop().time(), under_way=len(turns))
        for turn in turns:
            turn.set_result(self._last)

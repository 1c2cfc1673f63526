"""What waits for its turn: the organisations' in turns, and within each its clients'.

So whoever sends a thousand waits for them himself. When there is no room, whoever has most of what is short, places or
bytes, gives way.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from services.runtime.callers import Caller


class Waiting(Protocol):
    """What stands in the line."""

    @property
    def caller(self) -> Caller: ...

    @property
    def raw(self) -> bytes: ...


W = TypeVar("W", bound=Waiting)


class FairLine(Generic[W]):
    """At most `waiting_max` of `bytes_max` together, unless there is but one."""

    def __init__(self, waiting_max: int, bytes_max: int) -> None:
        self._waiting_max = waiting_max
        self._bytes_max = bytes_max
        self._turns: OrderedDict[bytes, OrderedDict[Caller, deque[W]]] = OrderedDict()  # whoever is first is next
        self._count = 0
        self._bytes = 0

    def __len__(self) -> int:
        return self._count

    def put(self, one: W) -> list[W]:
        """Join the line; those that had to leave it for that, from the end of whoever has most."""
        clients = self._turns.setdefault(one.caller.organisation, OrderedDict())
        clients.setdefault(one.caller, deque()).append(one)
        self._count += 1
        self._bytes += len(one.raw)
        left = []
        while self._bytes > self._bytes_max and self._count > 1:
            left.append(self._forget(self._most(_size).pop()))
        while self._count > self._waiting_max:
            left.append(self._forget(self._most(len).pop()))
        return left

    def put_back(self, one: W) -> None:
        """Undo the last `take` that was not undone yet. Nobody leaves the line for that."""
        clients = self._turns.setdefault(one.caller.organisation, OrderedDict())
        clients.setdefault(one.caller, deque()).appendleft(one)
        clients.move_to_end(one.caller, last=False)
        self._turns.move_to_end(one.caller.organisation, last=False)
        self._count += 1
        self._bytes += len(one.raw)

    def take(self) -> W:
        """Whose turn it is."""
        organisation, clients = next(iter(self._turns.items()))
        caller, waiting = next(iter(clients.items()))
        clients.move_to_end(caller)
        self._turns.move_to_end(organisation)
        return self._forget(waiting.popleft())

    def _most(self, measure: Callable[[deque[W]], int]) -> deque[W]:
        """What the client waits with who has most, in the organisation that has most."""
        organisation = max(self._turns.values(), key=lambda clients: sum(map(measure, clients.values())))
        return max(organisation.values(), key=measure)

    def _forget(self, one: W) -> W:
        self._count -= 1
        self._bytes -= len(one.raw)
        clients = self._turns[one.caller.organisation]
        if not clients[one.caller]:
            del clients[one.caller]
        if not clients:
            del self._turns[one.caller.organisation]
        return one


def _size(waiting: deque[W]) -> int:
    return sum(len(one.raw) for one in waiting)

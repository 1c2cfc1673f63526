"""Which nodes have failed of late: they are asked last, or one that hangs would cost every call its whole timeout."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from privysharing.rpc.errors import NodeError, NodeRefused
from privysharing.sdk.profile import Node

FORGOTTEN_S = 10.0


class RecentFailures:
    """The failures of one client's nodes, shared by all its calls. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed_at: dict[str, float] = {}

    @contextmanager
    def watching(self, node: Node) -> Iterator[None]:
        """Around a call to a node: learns whether it answers. A refusal is an answer."""
        try:
            yield
        except NodeRefused:
            self._failed_at.pop(node.name, None)
            raise
        except NodeError:
            self._failed_at[node.name] = self._clock()
            raise
        self._failed_at.pop(node.name, None)

    def in_order(self, nodes: Sequence[Node]) -> list[Node]:
        """The nodes in the order given, but for those that failed of late: they come last.

        After FORGOTTEN_S one call finds a node in its old place, and the others not before that call had an answer.
        """
        now = self._clock()
        last = set()
        for node in nodes:
            failed_at = self._failed_at.get(node.name)
            if failed_at is None:
                continue
            if now - failed_at < FORGOTTEN_S:
                last.add(node.name)
            else:
                self._failed_at[node.name] = now
        return sorted(nodes, key=lambda node: node.name in last)

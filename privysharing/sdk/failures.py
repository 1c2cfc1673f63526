"""Which nodes have failed of late: they are asked last, or one that hangs would cost every call its whole timeout."""

import time
from collections.abc import Callable, Sequence
from types import TracebackType

from privysharing.rpc.errors import NodeError, NodeRefused
from privysharing.sdk.profile import Node

FORGOTTEN_S = 10.0


class RecentFailures:
    """The failures of one client's nodes, shared by all its calls. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed_at: dict[str, float] = {}

    def watching(self, node: Node) -> "_Watching":
        """Around a call to a node: learns whether it answers. A refusal is an answer."""
        return _Watching(self, node)

    def heard(self, node: Node, error: BaseException | None) -> None:
        """A call to a node has ended so."""
        if error is None or isinstance(error, NodeRefused):
            self._failed_at.pop(node.name, None)
        elif isinstance(error, NodeError):
            self._failed_at[node.name] = self._clock()

    def in_order(self, nodes: Sequence[Node]) -> Sequence[Node]:
        """The nodes in the order given, but for those that failed of late: they come last.

        After FORGOTTEN_S one call finds a node in its old place, and the others not before that call had an answer.
        """
        if not self._failed_at:
            return nodes
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


class _Watching:
    """See `RecentFailures.watching`."""

    __slots__ = ("_failures", "_node")

    def __init__(self, failures: RecentFailures, node: Node) -> None:
        self._failures = failures
        self._node = node

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._failures.heard(self._node, error)

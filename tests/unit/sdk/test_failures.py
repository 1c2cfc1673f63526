"""A node that failed a moment ago is asked last, and tried again by one call at a time."""

import grpc
import pytest

from privysharing.rpc.errors import NodeError, NodeRefused, NodeUnavailable
from privysharing.sdk.failures import FORGOTTEN_S, RecentFailures
from privysharing.sdk.profile import Node

A, B, C = (Node(name, "Org", "localhost:1", b"") for name in "abc")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def call(failures: RecentFailures, node: Node, error: NodeError | None) -> None:
    """A call to a node that ends so."""
    if error is None:
        with failures.watching(node):
            return
    with pytest.raises(type(error)), failures.watching(node):
        raise error


def test_nodes_that_answer_keep_their_places() -> None:
    failures = RecentFailures()
    call(failures, A, None)
    call(failures, B, NodeRefused("b", grpc.StatusCode.PERMISSION_DENIED, "no"))
    assert failures.in_order([A, B, C]) == [A, B, C]


def test_nodes_that_failed_come_last_until_they_answer() -> None:
    failures = RecentFailures()
    call(failures, A, NodeUnavailable("a", "gone"))
    call(failures, B, NodeError("b", "nonsense"))
    assert failures.in_order([A, B, C]) == [C, A, B]
    assert failures.in_order([A]) == [A]
    call(failures, A, None)
    call(failures, B, NodeRefused("b", grpc.StatusCode.PERMISSION_DENIED, "no"))
    assert failures.in_order([A, B, C]) == [A, B, C]


def test_a_failure_is_forgotten_for_one_call_and_for_all_when_that_is_answered() -> None:
    clock = Clock()
    failures = RecentFailures(clock)
    call(failures, A, NodeUnavailable("a", "gone"))
    clock.now += FORGOTTEN_S - 0.1
    assert failures.in_order([A, B]) == [B, A]
    clock.now += 0.1
    assert failures.in_order([A, B]) == [A, B]  # the one that tries it
    assert failures.in_order([A, B]) == [B, A]
    call(failures, A, None)
    assert failures.in_order([A, B]) == [A, B]

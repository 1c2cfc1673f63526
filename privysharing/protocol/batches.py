"""Calls that share a stream: items, and their answers in any order (proto/privysharing/v1/batch.proto)."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from privysharing.protocol.values import value

ITEMS_MAX: Final = 64  # of one message, either way


class BatchItem(NamedTuple):
    """One call. `id` is the sender's own; `deadline_ms` counts from arrival, 0 leaves it to the server."""

    id: int
    deadline_ms: int
    payload: bytes


@value
class CallFailed:
    """The gRPC status, as a number, with which the call would have failed by itself."""

    code: int
    message: str


@value
class BatchAnswer:
    """The outcome of one call: the bytes of its own answer, or why there is none."""

    id: int
    outcome: bytes | CallFailed


@value
class BatchResponse:
    """Answers, and how many items may be unanswered at once from now on, if that is said."""

    answers: Sequence[BatchAnswer]
    window: int | None = None

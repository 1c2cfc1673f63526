"""Calls that share a stream: items, and their answers in any order (proto/privysharing/v1/batch.proto)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

ITEMS_MAX: Final = 64  # of one message, either way


class BatchItem(NamedTuple):
    """One call. `id` is the sender's own; `deadline_ms` counts from arrival, 0 leaves it to the server."""

    id: int
    deadline_ms: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class CallFailed:
    """The gRPC status, as a number, with which the call would have failed by itself."""

    code: int
    message: str


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """The outcome of one call: the bytes of its own answer, or why there is none."""

    id: int
    outcome: bytes | CallFailed


@dataclass(frozen=True, slots=True)
class BatchResponse:
    """Answers, and how many items may be unanswered at once from now on, if that is said."""

    answers: Sequence[BatchAnswer]
    window: int | None = None

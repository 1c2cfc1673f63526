"""Limits that no run would meet, made small enough for some of them: what lies behind a limit is to be met as well."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from privysharing.rpc import batch
from services.orderer import store
from services.orderer.log import filelog
from services.peer.events import delivery
from services.runtime import batching, recordlog
from services.runtime.recordlog import RecordLog

SHARE: Final = 0.4  # of runs in which a limit is small

# What of whom, by what name, and how small.
_LIMITS: Final[tuple[tuple[dict[str, Any], str, int], ...]] = (
    (RecordLog.open.__func__.__kwdefaults__, "segment_bytes", 20_000),  # type: ignore[attr-defined]
    (vars(recordlog), "OPEN_SEGMENTS_MAX", 1),
    (vars(filelog), "FRESH_BYTES_MAX", 1),
    (vars(filelog), "READ_RECORDS_MAX", 2),
    (vars(store), "RECENT_BYTES_MAX", 1),
    (vars(store), "SYNC_EVERY_BLOCKS", 2),
    (vars(delivery), "ANSWERS_KEPT", 2),
    (vars(batching), "MESSAGE_BYTES", 1),
    (vars(batch), "MESSAGE_BYTES", 1),
)


@contextmanager
def cramped(chance: random.Random) -> Iterator[None]:
    """Some limits are small, for a while."""
    chosen = [limit for limit in _LIMITS if chance.random() < SHARE]
    usual = [(place, name, place[name]) for place, name, _ in chosen]
    for place, name, small in chosen:
        place[name] = small
    try:
        yield
    finally:
        for place, name, size in usual:
            place[name] = size

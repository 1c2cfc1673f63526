"""What admission has read already of the records that are on their way through the log.

A record that comes back byte for byte is what it was: reading is a function of its bytes. Any other record, another
orderer's or one from before a restart, is not in here, and is read as if nobody had seen it.
"""

from collections import OrderedDict
from typing import NamedTuple

from privysharing.protocol.ordering import Regular
from services.orderer.admission import Message

BYTES_MAX = 64 * 1024 * 1024  # of records that have not come back; some never do


class Reading(NamedTuple):
    """A record, and the envelope in it."""

    record: Regular
    message: Message


class Admitted:
    """Readings by the exact bytes of their records, each good for one return; the oldest are forgotten first."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._readings: OrderedDict[bytes, Reading] = OrderedDict()
        self._bytes = 0
        self._bytes_max = bytes_max

    def put(self, raw: bytes, reading: Reading) -> None:
        """Remember what was read of a record that is about to be appended."""
        if raw in self._readings:
            return
        self._readings[raw] = reading
        self._bytes += len(raw)
        while self._bytes > self._bytes_max:
            forgotten, _ = self._readings.popitem(last=False)
            self._bytes -= len(forgotten)

    def take(self, raw: bytes) -> Reading | None:
        """What was read of a record that the log gives out."""
        reading = self._readings.pop(raw, None)
        if reading is not None:
            self._bytes -= len(raw)
        return reading

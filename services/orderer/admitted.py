"""What admission has read already of the records that are on their way through the log.

A record that comes back byte for byte is what it was: reading is a function of its bytes. Any other record, another
orderer's or one from before a restart, is not in here, and is read as if nobody had seen it.
"""

from collections import OrderedDict
from typing import NamedTuple

from privysharing.protocol.ordering import Regular

BYTES_MAX = 64 * 1024 * 1024  # of records that have not come back; some never do


class Transaction(NamedTuple):
    """A record of a signed transaction of the channel, of `size` bytes as the limits of a batch count them."""

    record: Regular
    size: int


class Admitted:
    """Transactions by the exact bytes of their records, each good for one return; the oldest are forgotten first."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._transactions: OrderedDict[bytes, Transaction] = OrderedDict()
        self._bytes = 0
        self._bytes_max = bytes_max

    def put(self, raw: bytes, transaction: Transaction) -> None:
        """Remember what was read of a record that is about to be appended."""
        if raw in self._transactions:
            return
        self._transactions[raw] = transaction
        self._bytes += len(raw)
        while self._bytes > self._bytes_max:
            forgotten, _ = self._transactions.popitem(last=False)
            self._bytes -= len(forgotten)

    def take(self, raw: bytes) -> Transaction | None:
        """What was read of a record that the log gives out."""
        transaction = self._transactions.pop(raw, None)
        if transaction is not None:
            self._bytes -= len(raw)
        return transaction

"""What stops a ledger. None of these is retried: the process ends, and the next start recovers."""

from services.runtime.disk import StorageError


class LedgerFault(StorageError):
    """The ledger cannot go on: storage failed, or what it holds contradicts itself."""


class DamagedBlock(LedgerFault):
    """A stored block cannot be read back as it was written."""

    def __init__(self, channel_id: str, number: int) -> None:
        super().__init__(f"channel {channel_id}: stored block {number} is damaged")
        self.number = number


class UnsupportedFormat(LedgerFault):
    """The folder was written by another version of this software."""

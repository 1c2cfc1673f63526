"""What stops a ledger. None of these is retried: the process ends, and the next start recovers."""

from services.runtime.disk import StorageError


class LedgerFault(StorageError):
    """The ledger cannot go on: storage failed, or what it holds contradicts itself."""


class DamagedBlock(LedgerFault):
    """A stored block cannot be read back as it was written."""

    def __init__(self, channel_id: str, number: int) -> None:
        super().__init__(
            f"channel {channel_id}: stored block {number} is damaged; this peer cannot mend it: restore a backup, or "
            "copy the channel's folder from another peer that is stopped, or move the folder away, and the next start "
            "takes all blocks from the orderers"
        )
        self.number = number


class UnsupportedFormat(LedgerFault):
    """The folder was written by another version of this software."""

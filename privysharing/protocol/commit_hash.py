"""The chained hash over what every block did to the state: two peers that agree on it agree on everything."""

import hashlib

from privysharing.protocol.codec.updates import encode_updates
from privysharing.protocol.codec.varint import encode_varint
from privysharing.protocol.rwsets import UpdateBatch


def next_commit_hash(block_num: int, previous: bytes, verdicts: bytes, updates: UpdateBatch) -> bytes:
    """The commit hash of a block, empty when it has none (kvledger kvLedger.commit).

    The chain of hashes begins at block 1. A ledger whose blocks have none, from before Fabric computed them, stays
    without.
    """
    return commit_hash(previous, verdicts, updates) if block_num == 1 or previous else b""


def commit_hash(previous: bytes, verdicts: bytes, updates: UpdateBatch) -> bytes:
    """SHA-256 over the transaction filter, the block's updates and the hash before (kvledger addBlockCommitHash)."""
    return hashlib.sha256(encode_varint(len(verdicts)) + verdicts + encode_updates(updates) + previous).digest()

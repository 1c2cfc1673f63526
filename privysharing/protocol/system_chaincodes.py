"""The chaincodes that are part of every peer, and what they answer."""

from dataclasses import dataclass
from typing import Final

from privysharing.protocol.lifecycle import LIFECYCLE

LSCC: Final = "lscc"
CSCC: Final = "cscc"
QSCC: Final = "qscc"

# core/scc scc.go: SysCCVersion; the names are those of internal/peer/node/start.go
SYSTEM_CHAINCODE_VERSION: Final = "syscc"
SYSTEM_CHAINCODES: Final = frozenset({LIFECYCLE, LSCC, CSCC, QSCC})


@dataclass(frozen=True, slots=True)
class BlockchainInfo:
    """common.BlockchainInfo: how far a ledger is. The hashes are of headers; the one before is empty at height 1."""

    height: int
    current_hash: bytes
    previous_hash: bytes

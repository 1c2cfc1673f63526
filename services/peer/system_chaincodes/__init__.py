"""The chaincodes that are part of a peer: queries of ledgers and channels, joining, and the definition of chaincodes.

Purpose: `qscc`, `cscc`, `_lifecycle` and `lscc` under Fabric's names, with its arguments, results, texts and state
layout.
Data in: a `chaincode_host.transaction.Transaction` and arguments. Data out: a response; `_lifecycle` also reads and
writes in the transaction's simulation.
Does not: sign, or touch a ledger. Contracts are installed as Python packages, not through `_lifecycle`; nothing is kept
of the 1.x lifecycle but a valid empty answer.
Failure: a refusal is a response of status 500, or 404 for a chaincode that is not defined.

Each checks its own access: the door lets every member of the channel call them.
"""

from collections.abc import Mapping

from privysharing.protocol.lifecycle import LIFECYCLE
from privysharing.protocol.system_chaincodes import CSCC, LSCC, QSCC
from services.peer.access import AccessControl
from services.peer.chaincode_host.host import SystemChaincode
from services.peer.chaincode_host.ports import Channels
from services.peer.system_chaincodes.cscc import Cscc
from services.peer.system_chaincodes.lifecycle import Lifecycle
from services.peer.system_chaincodes.lscc import Lscc
from services.peer.system_chaincodes.qscc import Qscc


def system_chaincodes(channels: Channels, access: AccessControl, msp_id: str) -> Mapping[str, SystemChaincode]:
    """All of them, for a peer of the organisation `msp_id`."""
    return {
        QSCC: Qscc(channels, access),
        CSCC: Cscc(channels, access),
        LSCC: Lscc(access),
        LIFECYCLE: Lifecycle(access, msp_id),
    }

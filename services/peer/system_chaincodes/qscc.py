"""qscc: what is on a channel's ledger (core/scc/qscc/query.go)."""

import re
from collections.abc import Sequence

from privysharing.protocol.blocks import header_hash
from privysharing.protocol.codec.blocks import encode_block
from privysharing.protocol.codec.system_chaincodes import encode_blockchain_info
from privysharing.protocol.codec.transactions import encode_processed_transaction
from privysharing.protocol.system_chaincodes import QSCC, BlockchainInfo
from privysharing.protocol.transactions import Response
from services.peer.access import AccessControl
from services.peer.chaincode_host.ports import Channels
from services.peer.chaincode_host.transaction import Transaction
from services.peer.ledger.types import LedgerPort
from services.peer.system_chaincodes.answers import error, success, text

# Fabric's ledger takes the largest uint64 for "the newest block" (blkstorage retrieveBlockByNumber)
NEWEST = 2**64 - 1
_DECIMAL = re.compile(rb"[0-9]+")


class Qscc:
    """args: function, channel id, what is wanted."""

    def __init__(self, channels: Channels, access: AccessControl) -> None:
        self._channels = channels
        self._access = access
        self._functions = {
            "GetTransactionByID": _transaction_by_id,
            "GetBlockByNumber": _block_by_number,
            "GetBlockByHash": _block_by_hash,
            "GetBlockByTxID": _block_by_tx_id,
        }

    def invoke(self, transaction: Transaction, args: Sequence[bytes]) -> Response:
        """Answer one call."""
        if len(args) < 2:
            return error(f"Incorrect number of arguments, {len(args)}")
        function, channel_id = text(args[0]), text(args[1])
        called = transaction.proposal.chaincode.name
        if called != QSCC:
            return error(
                "Rejecting invoke of QSCC from another chaincode because of potential for deadlocks, "
                f"original invocation for '{called}'"
            )
        if function != "GetChainInfo" and len(args) < 3:
            return error(f"missing 3rd argument for {function}")
        channel = self._channels.get(channel_id)
        if channel is None:
            return error(f"Invalid chain ID, {channel_id}")
        refusal = self._access.refusal(f"qscc/{function}", transaction.creator, channel.config)
        if refusal is not None:
            return error(f"access denied for [{function}][{channel_id}]: [{refusal}]")
        if function == "GetChainInfo":
            return success(encode_blockchain_info(_chain_info(channel.ledger)))
        answer = self._functions.get(function)
        return error(f"Requested function {function} not found.") if answer is None else answer(channel.ledger, args[2])


def _chain_info(ledger: LedgerPort) -> BlockchainInfo:
    newest = ledger.height - 1
    block = ledger.block(newest)
    if block is None:
        return BlockchainInfo(0, b"", b"")
    # Of the block read, not the ledger's tip: a commit in between must not mix two heights.
    return BlockchainInfo(newest + 1, header_hash(block.header), block.header.previous_hash)


def _transaction_by_id(ledger: LedgerPort, tx_id: bytes) -> Response:
    found = ledger.transaction(text(tx_id))
    block = None if found is None else ledger.block(found.block_num)
    if found is None or block is None:
        name = text(tx_id)
        return error(f"Failed to get transaction with id {name}, error no such transaction ID [{name}] in index")
    return success(encode_processed_transaction(block.data[found.tx_num], found.code))


def _block_by_number(ledger: LedgerPort, argument: bytes) -> Response:
    if not _DECIMAL.fullmatch(argument) or int(argument) > NEWEST:
        why = "value out of range" if _DECIMAL.fullmatch(argument) else "invalid syntax"
        return error(f'Failed to parse block number with error strconv.ParseUint: parsing "{text(argument)}": {why}')
    number = int(argument)
    raw = ledger.block_bytes(ledger.height - 1 if number == NEWEST else number)
    if raw is None:
        return error(f"Failed to get block number {number}, error no such block number [{number}] in index")
    return success(raw)


def _block_by_hash(ledger: LedgerPort, header_hash: bytes) -> Response:
    number = ledger.block_number_by_hash(header_hash)
    raw = None if number is None else ledger.block_bytes(number)
    if raw is None:
        return error(
            f"Failed to get block hash {text(header_hash)}, error no such block hash [{header_hash.hex()}] in index"
        )
    return success(raw)


def _block_by_tx_id(ledger: LedgerPort, tx_id: bytes) -> Response:
    found = ledger.transaction(text(tx_id))
    block = None if found is None else ledger.block(found.block_num)
    if block is None:
        name = text(tx_id)
        return error(f"Failed to get block for txID {name}, error no such transaction ID [{name}] in index")
    return success(encode_block(block))

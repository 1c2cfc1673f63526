"""The verdict on a block: every check, in Fabric's order."""

from collections.abc import Sequence
from dataclasses import dataclass

from privysharing.protocol.block_checks import BadBlock, check_link
from privysharing.protocol.block_updates import BlockUpdates
from privysharing.protocol.blocks import Block
from privysharing.protocol.channel import update
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codes import HeaderType, TxCode
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.reading import ReadTransaction, read_transaction
from privysharing.protocol.rwsets import NamespaceRwSet, TxRwSet, UpdateBatch, Version, Write
from privysharing.protocol.signers import Signers, formal_verdict
from services.peer.validation.endorsement import Endorsements
from services.peer.validation.errors import ChannelHalted
from services.peer.validation.mvcc import check_reads
from services.peer.validation.view import EmptyView, RememberingView, StateView

CONFIG_NAMESPACE = ""
CONFIG_KEY = "CHANNEL_CONFIG_ENV_BYTES"  # core/peer/configtx_processor.go: where a peer keeps the configuration


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a block comes to: a verdict for each transaction, what the valid ones change, the next configuration."""

    verdicts: tuple[TxCode, ...]
    updates: UpdateBatch
    config: ChannelConfig | None = None  # put in force by this block; None: no change
    fresh: frozenset[TxId] = frozenset()  # ids that were looked up, and stand in no earlier block


def read_block(block: Block) -> tuple[ReadTransaction, ...]:
    """All transactions of a block, read once for everybody."""
    return tuple(read_transaction(envelope) for envelope in block.data)


def validate_block(
    number: int,
    transactions: Sequence[ReadTransaction],
    signers: Sequence[Signers],
    config: ChannelConfig,
    view: StateView,
) -> Judgement:
    """Judge a block under the configuration in force and the state before it (TxValidator Validate, then the ledger).

    `signers[i]` is what `verify_signatures` found for `transactions[i]`.
    """
    view = RememberingView(view)
    verdicts = [formal_verdict(tx, by) for tx, by in zip(transactions, signers, strict=True)]
    fresh = _refuse_known_ids(transactions, verdicts, view)
    endorsements = Endorsements(config, view)
    for index, tx in enumerate(transactions):
        if verdicts[index] is TxCode.VALID and tx.endorsed is not None:
            fault = tx.endorsed.fault
            verdicts[index] = (
                endorsements.check(tx.endorsed, signers[index].endorsers) if fault is TxCode.VALID else fault
            )
    following = _next_config(transactions, verdicts, config)
    _refuse_repeated_ids(transactions, verdicts)
    updates = _commit_in_order(number, transactions, verdicts, view)
    return Judgement(tuple(verdicts), updates, following, fresh)


def genesis_config(block: Block) -> ChannelConfig:
    """The configuration that a channel begins with. Raises ProtocolError for what is no genesis block."""
    check_link(block.header, 0, b"")
    if len(block.data) != 1:
        raise BadBlock(f"a genesis block holds one envelope, and this one {len(block.data)}")
    return ChannelConfig.from_block(block)


def accept_genesis(block: Block) -> Judgement:
    """The verdict on a genesis block: its configuration is what everything else is judged by (CommitLegacy).

    Raises ProtocolError, as `genesis_config` does.
    """
    config = genesis_config(block)
    (transaction,) = read_block(block)
    updates = BlockUpdates(EmptyView())
    updates.apply(committed_rwset(transaction), Version(block.header.number, 0))
    return Judgement((TxCode.VALID,), updates.batch(), config)


def _refuse_known_ids(
    transactions: Sequence[ReadTransaction], verdicts: list[TxCode], view: StateView
) -> frozenset[TxId]:
    """TxValidator checkTxIdDupsLedger: an id that any block holds is used up, whatever became of it.

    Returns the ids that no block holds.
    """
    asking = {
        index: tx.tx_id
        for index, tx in enumerate(transactions)
        if tx.endorsed is not None and verdicts[index] is TxCode.VALID
    }
    asked = frozenset(asking.values())
    known = view.known_ids(asked)
    for index, tx_id in asking.items():
        if tx_id in known:
            verdicts[index] = TxCode.DUPLICATE_TXID
    return asked - known


def _refuse_repeated_ids(transactions: Sequence[ReadTransaction], verdicts: list[TxCode]) -> None:
    """TxValidator markTXIdDuplicates, after the policies: one that failed its policy must not shadow a later twin."""
    seen: set[TxId] = set()
    for index, tx in enumerate(transactions):
        if tx.endorsed is not None and verdicts[index] is TxCode.VALID:
            if tx.tx_id in seen:
                verdicts[index] = TxCode.DUPLICATE_TXID
            seen.add(tx.tx_id)


def _next_config(
    transactions: Sequence[ReadTransaction], verdicts: Sequence[TxCode], config: ChannelConfig
) -> ChannelConfig | None:
    """The configuration that the block puts in force (TxValidator validateTx, the CONFIG branch).

    One that does not follow from the last stops the channel: the orderer must not have ordered it. So does one in
    company: what stands beside it would be judged by the one configuration here and by the other there.
    """
    configs = [tx for tx, verdict in zip(transactions, verdicts, strict=True) if _is_valid_config(tx, verdict)]
    if not configs:
        return None
    if len(transactions) != 1:
        raise ChannelHalted("a configuration is not alone in its block")
    try:
        return update.validate(config, configs[0].data)
    except ProtocolError as error:
        raise ChannelHalted(f"configuration cannot be applied: {error}") from error


def _is_valid_config(tx: ReadTransaction, verdict: TxCode) -> bool:
    return verdict is TxCode.VALID and tx.type == HeaderType.CONFIG


def _commit_in_order(
    number: int, transactions: Sequence[ReadTransaction], verdicts: list[TxCode], view: StateView
) -> UpdateBatch:
    """Validator validateAndPrepareBatch: each transaction sees what the valid ones before it changed."""
    updates = BlockUpdates(view)
    for index, tx in enumerate(transactions):
        if verdicts[index] is not TxCode.VALID:
            continue
        rwset = committed_rwset(tx)
        verdicts[index] = check_reads(rwset, updates, view)
        if verdicts[index] is TxCode.VALID:
            updates.apply(rwset, Version(number, index))
    return updates.batch()


def committed_rwset(tx: ReadTransaction) -> TxRwSet:
    """What a valid transaction reads and writes; a configuration becomes a key of the state.

    The latter: peer ConfigTxProcessor GenerateSimulationResults.
    """
    if tx.endorsed is not None:
        return tx.endorsed.rwset
    return TxRwSet((NamespaceRwSet(CONFIG_NAMESPACE, writes=(Write(CONFIG_KEY, tx.data),)),))

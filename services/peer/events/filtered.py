"""The filtered form of a block: ids, verdicts and the names of events, nothing of what was said."""

from collections.abc import Iterable, Sequence

from privysharing.protocol.blocks import Block, MetadataIndex
from privysharing.protocol.codec.envelopes import parse_envelope, parse_payload
from privysharing.protocol.codec.transactions import (
    parse_action,
    parse_actions,
    parse_chaincode_action,
    parse_chaincode_event,
)
from privysharing.protocol.codes import HeaderType, TxCode
from privysharing.protocol.deliver import FilteredBlock, FilteredEvent, FilteredTransaction
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.reading import ReadTransaction


def filtered_block(channel_id: str, block: Block) -> FilteredBlock:
    """What DeliverFiltered sends of a stored block (core/peer deliverevents toFilteredBlock).

    Fabric gives up on a block with a transaction that it cannot read, which would let anybody who gets an envelope
    ordered cut every listener off; here such a transaction shows no events, or, without a readable header, is left out.
    """
    codes = block.metadata[MetadataIndex.TRANSACTIONS_FILTER]
    transactions = (_transaction(raw, TxCode(code)) for raw, code in zip(block.data, codes, strict=True))
    return _block(channel_id, block.header.number, transactions)


def filtered_commit(
    channel_id: str, number: int, transactions: Sequence[ReadTransaction], codes: Sequence[TxCode]
) -> FilteredBlock:
    """The same of a block whose transactions have just been read to be judged."""
    return _block(channel_id, number, (_read(tx, code) for tx, code in zip(transactions, codes, strict=True)))


def _block(channel_id: str, number: int, transactions: Iterable[FilteredTransaction | None]) -> FilteredBlock:
    return FilteredBlock(channel_id, number, tuple(tx for tx in transactions if tx is not None))


def _read(tx: ReadTransaction, code: TxCode) -> FilteredTransaction | None:
    """Of what is valid, everything that is shown has been read; of the rest, maybe not."""
    if code is not TxCode.VALID or tx.header is None or tx.endorsed is None or tx.endorsed.action is None:
        return _transaction(tx.raw, code)
    header, events = tx.header.channel, tx.endorsed.action.events
    return FilteredTransaction(header.tx_id, header.type, code, _shown([events]) if events else ())


def _transaction(raw: bytes, code: TxCode) -> FilteredTransaction | None:
    try:
        payload = parse_payload(parse_envelope(raw).payload)
    except MalformedMessage:
        return None
    header = payload.header.channel
    events = _events(payload.data) if header.type == HeaderType.ENDORSER_TRANSACTION else ()
    return FilteredTransaction(header.tx_id, header.type, code, events)


def _events(data: bytes) -> tuple[FilteredEvent, ...]:
    try:
        actions = (parse_action(header, payload) for header, payload in parse_actions(data))
        return _shown([parse_chaincode_action(action.action_bytes).events for action in actions])
    except MalformedMessage:
        return ()


def _shown(raws: Sequence[bytes]) -> tuple[FilteredEvent, ...]:
    events = [parse_chaincode_event(raw) for raw in raws]
    return tuple(FilteredEvent(e.chaincode_id, e.tx_id, e.name) for e in events if e.chaincode_id)

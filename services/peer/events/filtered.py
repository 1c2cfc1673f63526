"""The filtered form of a block: ids, verdicts and the names of events, nothing of what was said."""

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


def filtered_block(channel_id: str, block: Block) -> FilteredBlock:
    """What DeliverFiltered sends of a stored block (core/peer deliverevents toFilteredBlock).

    Fabric gives up on a block with a transaction that it cannot read, which would let anybody who gets an envelope
    ordered cut every listener off; here such a transaction shows no events, or, without a readable header, is left out.
    """
    codes = block.metadata[MetadataIndex.TRANSACTIONS_FILTER]
    transactions = (_transaction(raw, TxCode(code)) for raw, code in zip(block.data, codes, strict=True))
    return FilteredBlock(channel_id, block.header.number, tuple(tx for tx in transactions if tx is not None))


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
        events = [parse_chaincode_event(parse_chaincode_action(action.action_bytes).events) for action in actions]
    except MalformedMessage:
        return ()
    return tuple(FilteredEvent(e.chaincode_id, e.tx_id, e.name) for e in events if e.chaincode_id)

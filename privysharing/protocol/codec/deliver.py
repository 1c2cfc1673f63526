"""orderer.SeekInfo, and the answers of both Deliver services (their field numbers agree)."""

from collections.abc import Mapping
from typing import Final, TypeVar

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.codec.private_sets import parse_tx_private_sets
from privysharing.protocol.codec.varint import encode_varint, message_field
from privysharing.protocol.codes import Status, TxCode
from privysharing.protocol.deliver import (
    BlockAndPrivateData,
    DeliverResponse,
    FilteredBlock,
    FilteredEvent,
    FilteredTransaction,
    SeekBehavior,
    SeekContentType,
    SeekErrorResponse,
    SeekInfo,
    SeekKind,
    SeekPosition,
)
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.errors import MalformedMessage
from privysharing.wire.orderer import ab_pb2
from privysharing.wire.peer import chaincode_event_pb2, events_pb2

BLOCK_TAG = b"\x12"  # field 2, length-delimited: `block` in both DeliverResponses
_BLOCK_AND_PRIVATE_DATA_TAG: Final = b"\x22"  # field 4

# A code that we do not know is not VALID, and more than that nobody has to know.
_VERDICTS: Final[dict[int, TxCode]] = {code.value: code for code in TxCode}

Choice = TypeVar("Choice", SeekBehavior, SeekErrorResponse, SeekContentType, Status)


def parse_seek_info(raw: bytes) -> SeekInfo:
    """Read a SeekInfo. A choice that we do not know counts as its default, as in Fabric's comparisons."""
    message = decode(ab_pb2.SeekInfo, raw)
    return SeekInfo(
        start=_position(message.start) if message.HasField("start") else None,
        stop=_position(message.stop) if message.HasField("stop") else None,
        behavior=_choice(SeekBehavior, message.behavior),
        error_response=_choice(SeekErrorResponse, message.error_response),
        content_type=_choice(SeekContentType, message.content_type),
    )


def encode_seek_info(seek: SeekInfo) -> bytes:
    """A SeekInfo."""
    message = ab_pb2.SeekInfo(
        behavior=seek.behavior.name,
        error_response=seek.error_response.name,
        content_type=ab_pb2.SeekInfo.SeekContentType.Name(seek.content_type),
    )
    if seek.start is not None:
        message.start.CopyFrom(_encode_position(seek.start))
    if seek.stop is not None:
        message.stop.CopyFrom(_encode_position(seek.stop))
    return message.SerializeToString()


def parse_deliver_response(raw: bytes) -> DeliverResponse:
    """Read an answer of either Deliver service."""
    message = decode(events_pb2.DeliverResponse, raw)
    kind = message.WhichOneof("Type")
    if kind == "status":
        return DeliverResponse(status=_choice(Status, message.status))
    if kind == "block":
        return DeliverResponse(block=message.block.SerializeToString())
    if kind == "filtered_block":
        return DeliverResponse(filtered_block=_filtered_block(message.filtered_block))
    if kind == "block_and_private_data":
        whole = message.block_and_private_data
        private = {
            number: parse_tx_private_sets(sets.SerializeToString()) for number, sets in whole.private_data_map.items()
        }
        return DeliverResponse(block_and_private_data=BlockAndPrivateData(whole.block.SerializeToString(), private))
    raise MalformedMessage(f"Deliver answered with {kind or 'nothing'}")


def encode_deliver_status(status: Status) -> bytes:
    """An answer that ends a request, or reports why there is none."""
    return events_pb2.DeliverResponse(status=status.name).SerializeToString()


def encode_deliver_block(block: bytes) -> bytes:
    """An answer with a block, wrapped without being parsed: the bytes go out as they are stored."""
    return BLOCK_TAG + encode_varint(len(block)) + block


def encode_deliver_with_private(block: bytes, private: Mapping[int, bytes]) -> bytes:
    """An answer with a block and rwset.TxPvtReadWriteSets by transaction; the block goes out as it is stored."""
    entries = (
        message_field(b"\x12", b"\x08" + encode_varint(number) + message_field(b"\x12", sets))
        for number, sets in sorted(private.items())
    )
    return message_field(_BLOCK_AND_PRIVATE_DATA_TAG, b"".join((message_field(b"\x0a", block), *entries)))


def encode_deliver_filtered(block: FilteredBlock) -> bytes:
    """An answer with a filtered block."""
    return events_pb2.DeliverResponse(filtered_block=_encode_filtered_block(block)).SerializeToString()


def _position(message: ab_pb2.SeekPosition) -> SeekPosition:
    kind = message.WhichOneof("Type")
    if kind is None:
        return SeekPosition(SeekKind.UNSET)
    if kind == "specified":
        return SeekPosition.at(message.specified.number)
    return SeekPosition(SeekKind[kind.upper()])


def _encode_position(position: SeekPosition) -> ab_pb2.SeekPosition:
    message = ab_pb2.SeekPosition()
    if position.kind is SeekKind.SPECIFIED:
        message.specified.CopyFrom(ab_pb2.SeekSpecified(number=position.number))
    elif position.kind is not SeekKind.UNSET:
        getattr(message, position.kind.name.lower()).SetInParent()
    return message


def _choice(kind: type[Choice], number: int) -> Choice:
    try:
        return kind(number)
    except ValueError:
        return kind(0)


def _filtered_block(message: events_pb2.FilteredBlock) -> FilteredBlock:
    transactions = [
        FilteredTransaction(
            TxId(tx.txid),
            tx.type,
            _VERDICTS.get(tx.tx_validation_code, TxCode.INVALID_OTHER_REASON),
            _events(tx.transaction_actions) if tx.HasField("transaction_actions") else (),
        )
        for tx in message.filtered_transactions
    ]
    return FilteredBlock(message.channel_id, message.number, tuple(transactions))


def _events(message: events_pb2.FilteredTransactionActions) -> tuple[FilteredEvent, ...]:
    events = [action.chaincode_event for action in message.chaincode_actions]
    return tuple([FilteredEvent(event.chaincode_id, TxId(event.tx_id), event.event_name) for event in events])


def _encode_filtered_block(block: FilteredBlock) -> events_pb2.FilteredBlock:
    message = events_pb2.FilteredBlock(channel_id=block.channel_id, number=block.number)
    for tx in block.transactions:
        entry = message.filtered_transactions.add(txid=tx.tx_id, type=tx.type, tx_validation_code=tx.code)
        for event in tx.events:
            entry.transaction_actions.chaincode_actions.add(
                chaincode_event=chaincode_event_pb2.ChaincodeEvent(
                    chaincode_id=event.chaincode_id, tx_id=event.tx_id, event_name=event.name
                )
            )
    return message

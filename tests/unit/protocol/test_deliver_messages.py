"""Seeks and the answers of Deliver, read as they were written."""

import pytest

from privysharing.protocol.codec.deliver import (
    encode_deliver_block,
    encode_deliver_filtered,
    encode_deliver_status,
    encode_seek_info,
    parse_deliver_response,
    parse_seek_info,
)
from privysharing.protocol.codes import Status, TxCode
from privysharing.protocol.deliver import (
    NEWEST,
    NEXT_COMMIT,
    OLDEST,
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
from privysharing.wire.common import common_pb2
from privysharing.wire.orderer import ab_pb2
from privysharing.wire.peer import events_pb2

FILTERED = FilteredBlock(
    "city",
    7,
    (
        FilteredTransaction(TxId("a"), 3, TxCode.VALID, (FilteredEvent("cc", TxId("a"), "shared"),)),
        FilteredTransaction(TxId("b"), 1, TxCode.MVCC_READ_CONFLICT),
    ),
)


@pytest.mark.parametrize(
    "seek",
    [
        SeekInfo(OLDEST, NEWEST),
        SeekInfo(SeekPosition.at(0), SeekPosition.at(2**64 - 1), SeekBehavior.FAIL_IF_NOT_READY),
        SeekInfo(NEXT_COMMIT, SeekPosition(SeekKind.UNSET), error_response=SeekErrorResponse.BEST_EFFORT),
        SeekInfo(None, None, content_type=SeekContentType.HEADER_WITH_SIG_BYTES),
    ],
)
def test_a_seek_comes_back_as_it_was_written(seek: SeekInfo) -> None:
    assert parse_seek_info(encode_seek_info(seek)) == seek


def test_a_choice_that_we_do_not_know_is_the_default() -> None:
    raw = b"\x18\x09\x20\x09\x28\x09"  # behaviour, error response and content type 9
    assert parse_seek_info(raw) == SeekInfo(None, None)
    assert ab_pb2.SeekInfo.FromString(raw).behavior == 9


def test_bytes_that_are_no_seek() -> None:
    with pytest.raises(MalformedMessage, match="SeekInfo"):
        parse_seek_info(b"\xff")


@pytest.mark.parametrize("size", [0, 1, 127, 128, 20_000])
def test_a_block_is_wrapped_as_it_is(size: int) -> None:
    block = common_pb2.Block(data=common_pb2.BlockData(data=[b"x" * size])).SerializeToString()
    answer = encode_deliver_block(block)
    assert parse_deliver_response(answer).block == block
    for service in (events_pb2.DeliverResponse, ab_pb2.DeliverResponse):
        assert service.FromString(answer).block.SerializeToString() == block


def test_statuses_and_filtered_blocks_come_back_as_they_were_written() -> None:
    assert parse_deliver_response(encode_deliver_status(Status.NOT_FOUND)).status is Status.NOT_FOUND
    assert parse_deliver_response(encode_deliver_filtered(FILTERED)).filtered_block == FILTERED
    assert parse_deliver_response(b"\x08\x09").status is Status.UNKNOWN


def test_an_answer_that_says_nothing_is_none() -> None:
    for raw in (b"", b"\x2a\x00", b"\xff"):
        with pytest.raises(MalformedMessage):
            parse_deliver_response(raw)

"""Messages of our own descriptor pool behave like any other, well-known types included."""

import copy
import datetime as dt
import pickle

from google.protobuf import descriptor_pool, json_format
from google.protobuf import timestamp_pb2 as default_timestamp_pb2

from privysharing.wire.common import common_pb2
from privysharing.wire.gateway import gateway_pb2
from privysharing.wire.google.protobuf import timestamp_pb2
from privysharing.wire.google.rpc import status_pb2
from privysharing.wire.pool import POOL

MOMENT = dt.datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=dt.UTC)


def test_the_pool_is_not_the_default_one() -> None:
    assert descriptor_pool.Default() is not POOL
    assert common_pb2.Block.DESCRIPTOR is POOL.FindMessageTypeByName("common.Block")


def test_a_timestamp_converts_to_and_from_datetime() -> None:
    header = common_pb2.ChannelHeader()
    header.timestamp.FromDatetime(MOMENT)
    assert header.timestamp.ToDatetime(dt.UTC) == MOMENT
    header.timestamp.GetCurrentTime()
    assert header.timestamp.ToDatetime(dt.UTC) > MOMENT


def test_a_timestamp_has_the_bytes_of_the_default_pools_timestamp() -> None:
    ours, default = timestamp_pb2.Timestamp(), default_timestamp_pb2.Timestamp()
    ours.FromDatetime(MOMENT)
    default.FromDatetime(MOMENT)
    assert ours.SerializeToString() == default.SerializeToString()


def test_a_status_detail_packs_and_unpacks() -> None:
    sent = gateway_pb2.ErrorDetail(address="peer0:7051", msp_id="Org1MSP", message="no")
    status = status_pb2.Status(code=10)
    status.details.add().Pack(sent)
    received = gateway_pb2.ErrorDetail()
    assert status.details[0].type_url == "type.googleapis.com/gateway.ErrorDetail"
    assert status.details[0].Unpack(received)
    assert received == sent


def test_a_message_survives_copy_pickle_and_json() -> None:
    header = common_pb2.BlockHeader(number=7, previous_hash=b"\x00", data_hash=b"\xff")
    assert copy.deepcopy(header) == header
    assert pickle.loads(pickle.dumps(header)) == header
    text = json_format.MessageToJson(header)
    assert json_format.Parse(text, common_pb2.BlockHeader(), descriptor_pool=POOL) == header

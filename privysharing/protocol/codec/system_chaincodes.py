"""Arguments and results of the system chaincodes qscc, cscc and lscc."""

from collections.abc import Iterable

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.system_chaincodes import BlockchainInfo
from privysharing.wire.common import ledger_pb2
from privysharing.wire.peer import query_pb2


def encode_blockchain_info(info: BlockchainInfo) -> bytes:
    """common.BlockchainInfo (qscc GetChainInfo)."""
    return ledger_pb2.BlockchainInfo(
        height=info.height, currentBlockHash=info.current_hash, previousBlockHash=info.previous_hash
    ).SerializeToString()


def parse_blockchain_info(raw: bytes) -> BlockchainInfo:
    """Read common.BlockchainInfo."""
    message = decode(ledger_pb2.BlockchainInfo, raw)
    return BlockchainInfo(message.height, message.currentBlockHash, message.previousBlockHash)


def encode_channel_ids(channel_ids: Iterable[str]) -> bytes:
    """protos.ChannelQueryResponse (cscc GetChannels)."""
    channels = [query_pb2.ChannelInfo(channel_id=channel_id) for channel_id in channel_ids]
    return query_pb2.ChannelQueryResponse(channels=channels).SerializeToString()


def parse_channel_ids(raw: bytes) -> tuple[str, ...]:
    """Read protos.ChannelQueryResponse."""
    return tuple(channel.channel_id for channel in decode(query_pb2.ChannelQueryResponse, raw).channels)


def parse_legacy_chaincodes(raw: bytes) -> tuple[str, ...]:
    """The names in a protos.ChaincodeQueryResponse (lscc GetChaincodes)."""
    return tuple(chaincode.name for chaincode in decode(query_pb2.ChaincodeQueryResponse, raw).chaincodes)


def encode_no_legacy_chaincodes() -> bytes:
    """A protos.ChaincodeQueryResponse without chaincodes: the 1.x lifecycle has none left."""
    return query_pb2.ChaincodeQueryResponse().SerializeToString()

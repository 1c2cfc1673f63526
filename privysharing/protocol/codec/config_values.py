"""The leaves of a channel configuration: what the bytes of each value say."""

from collections.abc import Iterable, Mapping

from privysharing.protocol.channel.settings import AnchorPeer, BatchSize, ConsensusState, ConsensusType, Consenter
from privysharing.protocol.codec.decode import decode
from privysharing.protocol.errors import MalformedMessage
from privysharing.wire.common import configuration_pb2
from privysharing.wire.orderer import configuration_pb2 as orderer_configuration_pb2
from privysharing.wire.peer import configuration_pb2 as peer_configuration_pb2


def parse_hashing_algorithm(raw: bytes) -> str:
    """The name in a common.HashingAlgorithm."""
    return decode(configuration_pb2.HashingAlgorithm, raw).name


def encode_hashing_algorithm(name: str) -> bytes:
    """A common.HashingAlgorithm."""
    return configuration_pb2.HashingAlgorithm(name=name).SerializeToString()


def parse_data_hashing_width(raw: bytes) -> int:
    """The width in a common.BlockDataHashingStructure."""
    return decode(configuration_pb2.BlockDataHashingStructure, raw).width


def encode_data_hashing_width(width: int) -> bytes:
    """A common.BlockDataHashingStructure."""
    return configuration_pb2.BlockDataHashingStructure(width=width).SerializeToString()


def parse_capabilities(raw: bytes) -> frozenset[str]:
    """The names in a common.Capabilities."""
    return frozenset(decode(configuration_pb2.Capabilities, raw).capabilities)


def encode_capabilities(names: Iterable[str]) -> bytes:
    """A common.Capabilities that requires each of these."""
    capabilities = {name: configuration_pb2.Capability() for name in names}
    return configuration_pb2.Capabilities(capabilities=capabilities).SerializeToString(deterministic=True)


def parse_addresses(raw: bytes) -> tuple[str, ...]:
    """The `host:port` entries of a common.OrdererAddresses (values OrdererAddresses and Endpoints)."""
    return tuple(decode(configuration_pb2.OrdererAddresses, raw).addresses)


def encode_addresses(addresses: Iterable[str]) -> bytes:
    """A common.OrdererAddresses."""
    return configuration_pb2.OrdererAddresses(addresses=addresses).SerializeToString()


def parse_consenters(raw: bytes) -> tuple[Consenter, ...]:
    """The nodes in a common.Orderers."""
    return tuple(
        Consenter(each.id, each.host, each.port, each.msp_id, each.identity, each.client_tls_cert, each.server_tls_cert)
        for each in decode(configuration_pb2.Orderers, raw).consenter_mapping
    )


def parse_consensus_type(raw: bytes) -> ConsensusType:
    """Read an orderer.ConsensusType."""
    message = decode(orderer_configuration_pb2.ConsensusType, raw)
    try:
        state = ConsensusState(int(message.state))
    except ValueError:
        raise MalformedMessage(f"consensus state {int(message.state)} does not exist") from None
    return ConsensusType(message.type, message.metadata, state)


def encode_consensus_type(consensus: ConsensusType) -> bytes:
    """An orderer.ConsensusType."""
    return orderer_configuration_pb2.ConsensusType(
        type=consensus.type,
        metadata=consensus.metadata,
        state=orderer_configuration_pb2.ConsensusType.State.Name(consensus.state.value),
    ).SerializeToString()


def parse_batch_size(raw: bytes) -> BatchSize:
    """Read an orderer.BatchSize."""
    message = decode(orderer_configuration_pb2.BatchSize, raw)
    return BatchSize(message.max_message_count, message.absolute_max_bytes, message.preferred_max_bytes)


def encode_batch_size(size: BatchSize) -> bytes:
    """An orderer.BatchSize."""
    return orderer_configuration_pb2.BatchSize(
        max_message_count=size.max_message_count,
        absolute_max_bytes=size.absolute_max_bytes,
        preferred_max_bytes=size.preferred_max_bytes,
    ).SerializeToString()


def parse_batch_timeout(raw: bytes) -> str:
    """The Go duration in an orderer.BatchTimeout."""
    return decode(orderer_configuration_pb2.BatchTimeout, raw).timeout


def encode_batch_timeout(duration: str) -> bytes:
    """An orderer.BatchTimeout."""
    return orderer_configuration_pb2.BatchTimeout(timeout=duration).SerializeToString()


def parse_kafka_brokers(raw: bytes) -> tuple[str, ...]:
    """The `host:port` entries of an orderer.KafkaBrokers."""
    return tuple(decode(orderer_configuration_pb2.KafkaBrokers, raw).brokers)


def encode_kafka_brokers(addresses: Iterable[str]) -> bytes:
    """An orderer.KafkaBrokers."""
    return orderer_configuration_pb2.KafkaBrokers(brokers=addresses).SerializeToString()


def parse_channel_restrictions(raw: bytes) -> int:
    """The greatest number of channels in an orderer.ChannelRestrictions, 0 for no limit."""
    return decode(orderer_configuration_pb2.ChannelRestrictions, raw).max_count


def encode_channel_restrictions(max_count: int) -> bytes:
    """An orderer.ChannelRestrictions."""
    return orderer_configuration_pb2.ChannelRestrictions(max_count=max_count).SerializeToString()


def parse_anchor_peers(raw: bytes) -> tuple[AnchorPeer, ...]:
    """The peers in a protos.AnchorPeers."""
    message = decode(peer_configuration_pb2.AnchorPeers, raw)
    return tuple(AnchorPeer(each.host, each.port) for each in message.anchor_peers)


def encode_anchor_peers(peers: Iterable[AnchorPeer]) -> bytes:
    """A protos.AnchorPeers."""
    return peer_configuration_pb2.AnchorPeers(
        anchor_peers=[peer_configuration_pb2.AnchorPeer(host=peer.host, port=peer.port) for peer in peers]
    ).SerializeToString()


def parse_acls(raw: bytes) -> dict[str, str]:
    """The policy reference of each resource in a protos.ACLs."""
    return {name: rule.policy_ref for name, rule in decode(peer_configuration_pb2.ACLs, raw).acls.items()}


def encode_acls(acls: Mapping[str, str]) -> bytes:
    """A protos.ACLs."""
    rules = {name: peer_configuration_pb2.APIResource(policy_ref=reference) for name, reference in acls.items()}
    return peer_configuration_pb2.ACLs(acls=rules).SerializeToString(deterministic=True)

"""Private sets: kvrwset.KVRWSet with plain writes, and rwset.TxPvtReadWriteSet, which bundles a transaction's."""

from collections.abc import Iterable, Mapping

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.codec.rwsets import encode_private_writes
from privysharing.protocol.codec.varint import bytes_field, message_field
from privysharing.protocol.rwsets import PrivateRwSet, Write
from privysharing.wire.ledger.rwset import rwset_pb2
from privysharing.wire.ledger.rwset.kvrwset import kv_rwset_pb2 as kv


def parse_private_set(raw: bytes) -> PrivateRwSet:
    """What a private set writes. Raises MalformedMessage."""
    message = decode(kv.KVRWSet, raw)
    return PrivateRwSet(
        tuple([Write(write.key, write.value, write.is_delete) for write in message.writes]),
        tuple([metadata.key for metadata in message.metadata_writes]),
    )


def encode_private_set(private: PrivateRwSet) -> bytes:
    """The bytes whose SHA-256 is CollectionHashedReadWriteSet.pvt_rwset_hash (rwset_builder collPvtRwBuilder)."""
    encoded = encode_private_writes(private.writes)
    for key in private.metadata_keys:
        encoded += message_field(b"\x22", bytes_field(b"\x0a", key.encode()))
    return encoded


def parse_tx_private_sets(raw: bytes) -> Mapping[tuple[str, str], bytes]:
    """rwset.TxPvtReadWriteSet: private sets by namespace and collection. Raises MalformedMessage."""
    message = decode(rwset_pb2.TxPvtReadWriteSet, raw)
    return {
        (ns.namespace, collection.collection_name): collection.rwset
        for ns in message.ns_pvt_rwset
        for collection in ns.collection_pvt_rwset
    }


def encode_tx_private_sets(sets: Iterable[tuple[str, str, bytes]]) -> bytes:
    """rwset.TxPvtReadWriteSet of (namespace, collection, set), sorted as Fabric has them."""
    message = rwset_pb2.TxPvtReadWriteSet()
    for namespace, collection, private in sorted(sets):
        if not message.ns_pvt_rwset or message.ns_pvt_rwset[-1].namespace != namespace:
            message.ns_pvt_rwset.add(namespace=namespace)
        message.ns_pvt_rwset[-1].collection_pvt_rwset.add(collection_name=collection, rwset=private)
    return message.SerializeToString()

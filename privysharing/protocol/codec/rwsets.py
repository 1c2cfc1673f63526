"""rwset.TxReadWriteSet and the sets encoded inside it."""

from collections.abc import Iterable

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.rwsets import (
    CollectionHashedRwSet,
    HashedMetadataWrite,
    HashedRead,
    HashedWrite,
    MerkleSummary,
    MetadataWrite,
    NamespaceRwSet,
    RangeQuery,
    Read,
    TxRwSet,
    Version,
    Write,
)
from privysharing.wire.ledger.rwset import rwset_pb2
from privysharing.wire.ledger.rwset.kvrwset import kv_rwset_pb2 as kv


def parse_tx_rwset(raw: bytes) -> TxRwSet:
    """Read a whole read/write set, down to every key (rwsetutil TxRwSetFromProtoMsg)."""
    message = decode(rwset_pb2.TxReadWriteSet, raw)
    return TxRwSet(tuple(_parse_namespace(namespace) for namespace in message.ns_rwset))


def encode_tx_rwset(rwset: TxRwSet) -> bytes:
    """A read/write set in the order given: whoever builds one sorts it (rwsetutil TxRwSet.ToProtoBytes)."""
    return rwset_pb2.TxReadWriteSet(ns_rwset=[_encode_namespace(ns) for ns in rwset.namespaces]).SerializeToString()


def encode_query_reads(reads: Iterable[Read]) -> bytes:
    """kvrwset.QueryReads: what a leaf of a range query's Merkle tree hashes."""
    return kv.QueryReads(kv_reads=[_encode_read(read) for read in reads]).SerializeToString()


def encode_private_writes(writes: Iterable[Write]) -> bytes:
    """kvrwset.KVRWSet of a collection's plain writes: what CollectionHashedReadWriteSet.pvt_rwset_hash is taken of."""
    return kv.KVRWSet(writes=[_encode_write(write) for write in writes]).SerializeToString()


def parse_state_metadata(raw: bytes) -> dict[str, bytes]:
    """A key's metadata as the state keeps it, by name (statemetadata.Deserialize)."""
    return dict(_entries(decode(kv.KVMetadataWrite, raw).entries))


def encode_state_metadata(entries: Iterable[tuple[str, bytes]]) -> bytes:
    """A key's metadata as the state keeps it: a KVMetadataWrite that names no key (statemetadata.Serialize)."""
    return kv.KVMetadataWrite(entries=_encode_entries(entries)).SerializeToString()


def _parse_namespace(message: rwset_pb2.NsReadWriteSet) -> NamespaceRwSet:
    sets = decode(kv.KVRWSet, message.rwset)
    return NamespaceRwSet(
        namespace=message.namespace,
        reads=tuple([_parse_read(read) for read in sets.reads]),
        range_queries=tuple([_parse_range_query(query) for query in sets.range_queries_info]),
        writes=tuple([Write(write.key, write.value, write.is_delete) for write in sets.writes]),
        metadata_writes=tuple([MetadataWrite(write.key, _entries(write.entries)) for write in sets.metadata_writes]),
        collections=tuple([_parse_collection(c) for c in message.collection_hashed_rwset]),
    )


def _parse_collection(message: rwset_pb2.CollectionHashedReadWriteSet) -> CollectionHashedRwSet:
    sets = decode(kv.HashedRWSet, message.hashed_rwset)
    return CollectionHashedRwSet(
        collection=message.collection_name,
        reads=tuple(
            [HashedRead(r.key_hash, _version(r.version) if r.HasField("version") else None) for r in sets.hashed_reads]
        ),
        writes=tuple([HashedWrite(w.key_hash, w.value_hash, w.is_delete, w.is_purge) for w in sets.hashed_writes]),
        metadata_writes=tuple([HashedMetadataWrite(w.key_hash, _entries(w.entries)) for w in sets.metadata_writes]),
        private_rwset_hash=message.pvt_rwset_hash,
    )


def _parse_read(message: kv.KVRead) -> Read:
    return Read(message.key, _version(message.version) if message.HasField("version") else None)


def _parse_range_query(message: kv.RangeQueryInfo) -> RangeQuery:
    kind = message.WhichOneof("reads_info")
    reads = summary = None
    if kind == "raw_reads":
        reads = tuple([_parse_read(read) for read in message.raw_reads.kv_reads])
    elif kind == "reads_merkle_hashes":
        hashes = message.reads_merkle_hashes
        summary = MerkleSummary(hashes.max_degree, hashes.max_level, tuple(hashes.max_level_hashes))
    return RangeQuery(message.start_key, message.end_key, message.itr_exhausted, reads, summary)


def _version(message: kv.Version) -> Version:
    return Version(message.block_num, message.tx_num)


def _entries(entries: Iterable[kv.KVMetadataEntry]) -> tuple[tuple[str, bytes], ...]:
    return tuple([(entry.name, entry.value) for entry in entries])


def _encode_namespace(ns: NamespaceRwSet) -> rwset_pb2.NsReadWriteSet:
    sets = kv.KVRWSet(
        reads=[_encode_read(read) for read in ns.reads],
        range_queries_info=[_encode_range_query(query) for query in ns.range_queries],
        writes=[_encode_write(write) for write in ns.writes],
        metadata_writes=[kv.KVMetadataWrite(key=w.key, entries=_encode_entries(w.entries)) for w in ns.metadata_writes],
    )
    return rwset_pb2.NsReadWriteSet(
        namespace=ns.namespace,
        rwset=sets.SerializeToString(),
        collection_hashed_rwset=[_encode_collection(collection) for collection in ns.collections],
    )


def _encode_collection(collection: CollectionHashedRwSet) -> rwset_pb2.CollectionHashedReadWriteSet:
    sets = kv.HashedRWSet(
        hashed_reads=[kv.KVReadHash(key_hash=r.key_hash, version=_encode_version(r.version)) for r in collection.reads],
        hashed_writes=[
            kv.KVWriteHash(key_hash=w.key_hash, is_delete=w.is_delete, value_hash=w.value_hash, is_purge=w.is_purge)
            for w in collection.writes
        ],
        metadata_writes=[
            kv.KVMetadataWriteHash(key_hash=w.key_hash, entries=_encode_entries(w.entries))
            for w in collection.metadata_writes
        ],
    )
    return rwset_pb2.CollectionHashedReadWriteSet(
        collection_name=collection.collection,
        hashed_rwset=sets.SerializeToString(),
        pvt_rwset_hash=collection.private_rwset_hash,
    )


def _encode_read(read: Read) -> kv.KVRead:
    return kv.KVRead(key=read.key, version=_encode_version(read.version))


def _encode_write(write: Write) -> kv.KVWrite:
    return kv.KVWrite(key=write.key, is_delete=write.is_delete, value=write.value)


def _encode_version(version: Version | None) -> kv.Version | None:
    # Version(0, 0) must stay present, as an empty message: absent means that the key does not exist.
    return None if version is None else kv.Version(block_num=version.block_num, tx_num=version.tx_num)


def _encode_range_query(query: RangeQuery) -> kv.RangeQueryInfo:
    message = kv.RangeQueryInfo(start_key=query.start_key, end_key=query.end_key, itr_exhausted=query.exhausted)
    if query.reads is not None:
        message.raw_reads.CopyFrom(kv.QueryReads(kv_reads=[_encode_read(read) for read in query.reads]))
    if query.summary is not None:
        message.reads_merkle_hashes.CopyFrom(
            kv.QueryReadsMerkleSummary(
                max_degree=query.summary.max_degree,
                max_level=query.summary.max_level,
                max_level_hashes=query.summary.hashes,
            )
        )
    return message


def _encode_entries(entries: Iterable[tuple[str, bytes]]) -> list[kv.KVMetadataEntry]:
    return [kv.KVMetadataEntry(name=name, value=value) for name, value in entries]

"""rwset.TxReadWriteSet and the sets encoded inside it."""

from collections.abc import Iterable, Iterator

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.rwsets import (
    CollectionHashedRwSet,
    HashedKey,
    HashedMetadataWrite,
    HashedRead,
    HashedWrite,
    MerkleSummary,
    MetadataWrite,
    NamespaceRwSet,
    PublicKey,
    RangeQuery,
    Read,
    RwSetOutline,
    TxRwSet,
    Version,
    Write,
)
from privysharing.wire.ledger.rwset import rwset_pb2
from privysharing.wire.ledger.rwset.kvrwset import kv_rwset_pb2 as kv
from privysharing.wire.privysharing.v1 import outline_pb2


def parse_tx_rwset(raw: bytes) -> TxRwSet:
    """Read a whole read/write set, down to every key (rwsetutil TxRwSetFromProtoMsg)."""
    message = decode(rwset_pb2.TxReadWriteSet, raw)
    return TxRwSet(tuple(map(_parse_namespace, message.ns_rwset)))


def outline_tx_rwset(raw: bytes) -> RwSetOutline:
    """See that all of a read/write set can be read, and make nothing of its entries.

    Two bytes are an entry, and anybody who may write to a channel can have millions of them ordered: what costs more
    than decoding them waits until the endorsers are known to have signed, and what repeats is looked at once.
    """
    entries = decode(outline_pb2.Namespaces, raw).ns_rwset
    distinct = dict.fromkeys(entries)
    names: set[str] = set()
    written: dict[str, bytes] = {}
    for entry in distinct:
        ns = decode(outline_pb2.Namespace, entry)
        names.add(ns.namespace)
        if (ns.rwset or ns.collection_hashed_rwset) and _writes_anything(ns):
            written[ns.namespace] = entry
    return RwSetOutline(written, repeats_namespace=len(names) < len(entries))


def written_keys(raw: bytes) -> Iterator[PublicKey | HashedKey]:
    """What one namespace's part writes to, each key when it is asked for; those of values come first."""
    ns = decode(outline_pb2.Namespace, raw)
    public = decode(kv.KVRWSet, ns.rwset)
    for write in public.writes:
        yield ns.namespace, write.key
    for metadata in public.metadata_writes:
        yield ns.namespace, metadata.key
    for collection in _collections(ns):
        for hashed in decode(kv.HashedRWSet, collection.hashed_rwset).hashed_writes:
            yield ns.namespace, collection.collection_name, hashed.key_hash
    yield from _hashed_metadata_keys(ns)


def metadata_keys(raw: bytes) -> Iterator[PublicKey | HashedKey]:
    """Those keys of one namespace's part whose metadata it replaces, each when it is asked for."""
    ns = decode(outline_pb2.Namespace, raw)
    for metadata in decode(kv.KVRWSet, ns.rwset).metadata_writes:
        yield ns.namespace, metadata.key
    yield from _hashed_metadata_keys(ns)


def encode_tx_rwset(rwset: TxRwSet) -> bytes:
    """A read/write set in the order given: whoever builds one sorts it (rwsetutil TxRwSet.ToProtoBytes)."""
    message = rwset_pb2.TxReadWriteSet()
    for ns in rwset.namespaces:
        _fill_namespace(message.ns_rwset.add(), ns)
    return message.SerializeToString()


def encode_query_reads(reads: Iterable[Read]) -> bytes:
    """kvrwset.QueryReads: what a leaf of a range query's Merkle tree hashes."""
    message = kv.QueryReads()
    for read in reads:
        _fill_read(message.kv_reads.add(), read)
    return message.SerializeToString()


def encode_private_writes(writes: Iterable[Write]) -> bytes:
    """kvrwset.KVRWSet of a collection's plain writes: what CollectionHashedReadWriteSet.pvt_rwset_hash is taken of."""
    message = kv.KVRWSet()
    for write in writes:
        _fill_write(message.writes.add(), write)
    return message.SerializeToString()


def parse_state_metadata(raw: bytes) -> dict[str, bytes]:
    """A key's metadata as the state keeps it, by name (statemetadata.Deserialize)."""
    return dict(_entries(decode(kv.KVMetadataWrite, raw).entries))


def encode_state_metadata(entries: Iterable[tuple[str, bytes]]) -> bytes:
    """A key's metadata as the state keeps it: a KVMetadataWrite that names no key (statemetadata.Serialize)."""
    message = kv.KVMetadataWrite()
    _fill_entries(message, entries)
    return message.SerializeToString()


def _writes_anything(ns: outline_pb2.Namespace) -> bool:
    """Whether a committer must ask this namespace's endorsement policy. Reads all of it: each part may be malformed."""
    writes = False
    if ns.rwset:
        public = decode(kv.KVRWSet, ns.rwset)
        writes = bool(public.writes or public.metadata_writes)
    for collection in _collections(ns):
        if collection.hashed_rwset:
            hashed = decode(kv.HashedRWSet, collection.hashed_rwset)
            writes = writes or bool(hashed.hashed_writes or hashed.metadata_writes)
    return writes


def _collections(ns: outline_pb2.Namespace) -> Iterator[rwset_pb2.CollectionHashedReadWriteSet]:
    """The collections of a namespace; what stands there again, byte for byte, says nothing more."""
    distinct = dict.fromkeys(ns.collection_hashed_rwset)
    return (decode(rwset_pb2.CollectionHashedReadWriteSet, entry) for entry in distinct)


def _hashed_metadata_keys(ns: outline_pb2.Namespace) -> Iterator[HashedKey]:
    for collection in _collections(ns):
        for metadata in decode(kv.HashedRWSet, collection.hashed_rwset).metadata_writes:
            yield ns.namespace, collection.collection_name, metadata.key_hash


def _parse_namespace(message: rwset_pb2.NsReadWriteSet) -> NamespaceRwSet:
    sets = decode(kv.KVRWSet, message.rwset)
    return NamespaceRwSet(
        namespace=message.namespace,
        reads=tuple(map(_parse_read, sets.reads)),
        range_queries=tuple(map(_parse_range_query, sets.range_queries_info)),
        writes=tuple(map(_parse_write, sets.writes)),
        metadata_writes=tuple(map(_parse_metadata_write, sets.metadata_writes)),
        collections=tuple(map(_parse_collection, message.collection_hashed_rwset)),
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


def _parse_write(message: kv.KVWrite) -> Write:
    return Write(message.key, message.value, message.is_delete)


def _parse_metadata_write(message: kv.KVMetadataWrite) -> MetadataWrite:
    return MetadataWrite(message.key, _entries(message.entries))


def _parse_range_query(message: kv.RangeQueryInfo) -> RangeQuery:
    kind = message.WhichOneof("reads_info")
    reads = summary = None
    if kind == "raw_reads":
        reads = tuple(map(_parse_read, message.raw_reads.kv_reads))
    elif kind == "reads_merkle_hashes":
        hashes = message.reads_merkle_hashes
        summary = MerkleSummary(hashes.max_degree, hashes.max_level, tuple(hashes.max_level_hashes))
    return RangeQuery(message.start_key, message.end_key, message.itr_exhausted, reads, summary)


def _version(message: kv.Version) -> Version:
    return Version(message.block_num, message.tx_num)


def _entries(entries: Iterable[kv.KVMetadataEntry]) -> tuple[tuple[str, bytes], ...]:
    return tuple([(entry.name, entry.value) for entry in entries])


# Messages are filled in where they stand: made one by one and handed over, each would be copied into its parent.


def _fill_namespace(message: rwset_pb2.NsReadWriteSet, ns: NamespaceRwSet) -> None:
    sets = kv.KVRWSet()
    for read in ns.reads:
        _fill_read(sets.reads.add(), read)
    for query in ns.range_queries:
        _fill_range_query(sets.range_queries_info.add(), query)
    for write in ns.writes:
        _fill_write(sets.writes.add(), write)
    for metadata in ns.metadata_writes:
        _fill_entries(sets.metadata_writes.add(key=metadata.key), metadata.entries)
    message.namespace = ns.namespace
    message.rwset = sets.SerializeToString()
    for collection in ns.collections:
        _fill_collection(message.collection_hashed_rwset.add(), collection)


def _fill_collection(message: rwset_pb2.CollectionHashedReadWriteSet, collection: CollectionHashedRwSet) -> None:
    sets = kv.HashedRWSet()
    for read in collection.reads:
        hashed_read = sets.hashed_reads.add(key_hash=read.key_hash)
        if read.version is not None:
            _fill_version(hashed_read.version, read.version)
    for w in collection.writes:
        sets.hashed_writes.add(key_hash=w.key_hash, is_delete=w.is_delete, value_hash=w.value_hash, is_purge=w.is_purge)
    for metadata in collection.metadata_writes:
        _fill_entries(sets.metadata_writes.add(key_hash=metadata.key_hash), metadata.entries)
    message.collection_name = collection.collection
    message.hashed_rwset = sets.SerializeToString()
    message.pvt_rwset_hash = collection.private_rwset_hash


def _fill_read(message: kv.KVRead, read: Read) -> None:
    message.key = read.key
    if read.version is not None:
        _fill_version(message.version, read.version)


def _fill_write(message: kv.KVWrite, write: Write) -> None:
    message.key = write.key
    message.is_delete = write.is_delete
    message.value = write.value


def _fill_version(message: kv.Version, version: Version) -> None:
    # Version(0, 0) must stay present, as an empty message: absent means that the key does not exist.
    message.SetInParent()
    message.block_num = version.block_num
    message.tx_num = version.tx_num


def _fill_range_query(message: kv.RangeQueryInfo, query: RangeQuery) -> None:
    message.start_key = query.start_key
    message.end_key = query.end_key
    message.itr_exhausted = query.exhausted
    if query.reads is not None:
        message.raw_reads.SetInParent()
        for read in query.reads:
            _fill_read(message.raw_reads.kv_reads.add(), read)
    if query.summary is not None:
        summary = message.reads_merkle_hashes
        summary.max_degree = query.summary.max_degree
        summary.max_level = query.summary.max_level
        summary.max_level_hashes.extend(query.summary.hashes)


def _fill_entries(message: kv.KVMetadataWrite | kv.KVMetadataWriteHash, entries: Iterable[tuple[str, bytes]]) -> None:
    for name, value in entries:
        message.entries.add(name=name, value=value)

"""rwset.TxReadWriteSet and the sets encoded inside it."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.codec.frames import fields, pair
from privysharing.protocol.codec.varint import bytes_field, encode_varint, message_field
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
    TxRwSet,
    Version,
    Write,
)
from privysharing.wire.ledger.rwset import rwset_pb2
from privysharing.wire.ledger.rwset.kvrwset import kv_rwset_pb2 as kv
from privysharing.wire.privysharing.v1 import outline_pb2

# Parts of read/write sets that are kept once they are decoded: upb takes up to 20 times the bytes for them.
DECODED_BYTES_MAX = 4096
# Parts that are looked up by their bytes: all transactions of a chaincode read the same key of its definition.
SHARED_BYTES_MAX = 96
SHARED_PARTS_MAX = 256


def parse_tx_rwset(raw: bytes) -> TxRwSet:
    """Read a whole read/write set, down to every key (rwsetutil TxRwSetFromProtoMsg)."""
    return TxRwSet(tuple([unread_namespace(entry).whole() for entry in _split_namespaces(raw)]))


class UnreadNamespace:
    """One namespace's part of a read/write set, well-formed down to the last key: made of its bytes, not of its keys.

    Two bytes are an entry, and anybody who may write to a channel can have millions of them ordered: what costs more
    than decoding them waits until the endorsers are known to have signed.
    """

    __slots__ = ("_decoded", "_entry", "_whole", "has_metadata", "namespace", "writes")

    def __init__(self, entry: bytes) -> None:
        """Raises MalformedMessage."""
        decoded = _decode_namespace(entry)
        self.namespace, collections, public = decoded
        self.writes = _writes_anything(collections, public)  # whether a committer must ask its endorsement policy
        self.has_metadata = bool(public.metadata_writes or collections)  # perhaps, at least
        self._entry = entry
        self._decoded = decoded if len(entry) <= DECODED_BYTES_MAX else None
        self._whole: NamespaceRwSet | None = None

    def decoded(self) -> "Decoded":
        """Its parts, for this module."""
        return self._decoded or _decode_namespace(self._entry)

    def whole(self) -> NamespaceRwSet:
        """All of it, in work and memory many times the bytes: for those that were endorsed, or that one looks at."""
        if self._whole is None:
            self._whole = _parse_namespace(*self.decoded())
        return self._whole


def unread_namespace(entry: bytes) -> UnreadNamespace:
    """The part that these bytes are. Raises MalformedMessage."""
    return _shared_namespace(entry) if len(entry) <= SHARED_BYTES_MAX else UnreadNamespace(entry)


_shared_namespace = lru_cache(SHARED_PARTS_MAX)(UnreadNamespace)


class UnreadRwSet:
    """A read/write set that is well-formed, down to the last key, and of which no more is known than its namespaces."""

    __slots__ = ("_parts", "_raw", "_whole", "repeats_namespace", "written")

    def __init__(self, raw: bytes = b"") -> None:
        """See that all of it can be read; what repeats is looked at once. Raises MalformedMessage."""
        entries = _split_namespaces(raw)
        parts = [unread_namespace(entry) for entry in dict.fromkeys(entries)]
        self.written = {part.namespace: part for part in parts if part.writes}  # in order
        self.repeats_namespace = len({part.namespace for part in parts}) < len(entries)
        self._raw = raw
        self._parts = parts
        self._whole: TxRwSet | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnreadRwSet) and self._raw == other._raw

    def __hash__(self) -> int:
        return hash(self._raw)

    def whole(self) -> TxRwSet:
        """What was read and is to be written; see `UnreadNamespace.whole`."""
        if self.repeats_namespace:
            return parse_tx_rwset(self._raw)
        if self._whole is None:
            self._whole = TxRwSet(tuple([part.whole() for part in self._parts]))
        return self._whole


def written_keys(part: UnreadNamespace) -> Iterator[PublicKey | HashedKey]:
    """What one namespace's part writes to, each key when it is asked for; those of values come first."""
    namespace, collections, public = part.decoded()
    for write in public.writes:
        yield namespace, write.key
    for metadata in public.metadata_writes:
        yield namespace, metadata.key
    if collections:
        for collection in _collections(collections):
            for hashed in decode(kv.HashedRWSet, collection.hashed_rwset).hashed_writes:
                yield namespace, collection.collection_name, hashed.key_hash
        yield from _hashed_metadata_keys(namespace, collections)


def metadata_keys(part: UnreadNamespace) -> Iterator[PublicKey | HashedKey]:
    """Those keys of one namespace's part whose metadata it replaces, each when it is asked for."""
    namespace, collections, public = part.decoded()
    for metadata in public.metadata_writes:
        yield namespace, metadata.key
    yield from _hashed_metadata_keys(namespace, collections)


def encode_tx_rwset(rwset: TxRwSet) -> bytes:
    """A read/write set in the order given: whoever builds one sorts it (rwsetutil TxRwSet.ToProtoBytes)."""
    return b"".join(map(encode_namespace, rwset.namespaces))


def encode_namespace(ns: NamespaceRwSet) -> bytes:
    """A read/write set of one namespace. Several of them, one behind the other, are the set of all of these."""
    return message_field(b"\x12", _encode_namespace(ns))


def encode_query_reads(reads: Iterable[Read]) -> bytes:
    """kvrwset.QueryReads: what a leaf of a range query's Merkle tree hashes."""
    return b"".join([message_field(b"\x0a", _encode_read(read)) for read in reads])


def encode_private_writes(writes: Iterable[Write]) -> bytes:
    """kvrwset.KVRWSet of a collection's plain writes: what CollectionHashedReadWriteSet.pvt_rwset_hash is taken of."""
    return b"".join([message_field(b"\x1a", _encode_write(write)) for write in writes])


def parse_state_metadata(raw: bytes) -> dict[str, bytes]:
    """A key's metadata as the state keeps it, by name (statemetadata.Deserialize)."""
    return dict(_entries(decode(kv.KVMetadataWrite, raw).entries))


def encode_state_metadata(entries: Iterable[tuple[str, bytes]]) -> bytes:
    """A key's metadata as the state keeps it: a KVMetadataWrite that names no key (statemetadata.Serialize)."""
    message = kv.KVMetadataWrite()
    _fill_entries(message, entries)
    return message.SerializeToString()


Decoded = tuple[str, Sequence[bytes], kv.KVRWSet]
"""A namespace's name, its collections undecoded, and its public part."""


def _split_namespaces(raw: bytes) -> Sequence[bytes]:
    """The entries of a TxReadWriteSet."""
    tags, entries = fields(raw)
    return entries if tags and tags.count(b"\x12") == len(tags) else decode(outline_pb2.Namespaces, raw).ns_rwset


def _decode_namespace(entry: bytes) -> Decoded:
    if (parts := pair(entry)) and parts[0].isascii():
        return parts[0].decode(), (), decode(kv.KVRWSet, parts[1])
    ns = decode(outline_pb2.Namespace, entry)
    return ns.namespace, ns.collection_hashed_rwset, decode(kv.KVRWSet, ns.rwset)


def _writes_anything(collections: Sequence[bytes], public: kv.KVRWSet) -> bool:
    """Whether there are writes of any kind. Reads all collections: each part may be malformed."""
    writes = bool(public.writes or public.metadata_writes)
    if collections:
        for collection in _collections(collections):
            hashed = decode(kv.HashedRWSet, collection.hashed_rwset)
            writes = writes or bool(hashed.hashed_writes or hashed.metadata_writes)
    return writes


def _collections(entries: Sequence[bytes]) -> Iterator[rwset_pb2.CollectionHashedReadWriteSet]:
    """The collections of a namespace; what stands there again, byte for byte, says nothing more."""
    return (decode(rwset_pb2.CollectionHashedReadWriteSet, entry) for entry in dict.fromkeys(entries))


def _hashed_metadata_keys(namespace: str, collections: Sequence[bytes]) -> Iterator[HashedKey]:
    for collection in _collections(collections):
        for metadata in decode(kv.HashedRWSet, collection.hashed_rwset).metadata_writes:
            yield namespace, collection.collection_name, metadata.key_hash


def _parse_namespace(namespace: str, collections: Sequence[bytes], public: kv.KVRWSet) -> NamespaceRwSet:
    return NamespaceRwSet(
        namespace,
        tuple(map(_parse_read, public.reads)),
        tuple(map(_parse_range_query, public.range_queries_info)),
        tuple(map(_parse_write, public.writes)),
        tuple(map(_parse_metadata_write, public.metadata_writes)),
        tuple(map(_parse_collection, collections)),
    )


def _parse_collection(raw: bytes) -> CollectionHashedRwSet:
    message = decode(rwset_pb2.CollectionHashedReadWriteSet, raw)
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


def _encode_namespace(ns: NamespaceRwSet) -> bytes:
    encoded = bytes_field(b"\x0a", ns.namespace.encode()) + bytes_field(b"\x12", _encode_public(ns))
    for collection in ns.collections:
        message = rwset_pb2.CollectionHashedReadWriteSet()
        _fill_collection(message, collection)
        encoded += message_field(b"\x1a", message.SerializeToString())
    return encoded


def _encode_public(ns: NamespaceRwSet) -> bytes:
    """kvrwset.KVRWSet: what nearly every transaction has is framed, the rest is filled in."""
    encoded = encode_query_reads(ns.reads)
    if ns.range_queries:
        sets = kv.KVRWSet()
        for query in ns.range_queries:
            _fill_range_query(sets.range_queries_info.add(), query)
        encoded += sets.SerializeToString()
    encoded += encode_private_writes(ns.writes)
    if ns.metadata_writes:
        sets = kv.KVRWSet()
        for metadata in ns.metadata_writes:
            _fill_entries(sets.metadata_writes.add(key=metadata.key), metadata.entries)
        encoded += sets.SerializeToString()
    return encoded


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


def _encode_read(read: Read) -> bytes:
    key, version = bytes_field(b"\x0a", read.key.encode()), read.version
    if version is None:
        return key
    # Version(0, 0) must stay present, as an empty message: absent means that the key does not exist.
    block = b"\x08" + encode_varint(version.block_num) if version.block_num else b""
    return key + message_field(b"\x12", block + b"\x10" + encode_varint(version.tx_num) if version.tx_num else block)


def _encode_write(write: Write) -> bytes:
    key = bytes_field(b"\x0a", write.key.encode())
    return key + (b"\x10\x01" if write.is_delete else b"") + bytes_field(b"\x1a", write.value)


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
        message.raw_reads.MergeFromString(encode_query_reads(query.reads))
    if query.summary is not None:
        summary = message.reads_merkle_hashes
        summary.max_degree = query.summary.max_degree
        summary.max_level = query.summary.max_level
        summary.max_level_hashes.extend(query.summary.hashes)


def _fill_entries(message: kv.KVMetadataWrite | kv.KVMetadataWriteHash, entries: Iterable[tuple[str, bytes]]) -> None:
    for name, value in entries:
        message.entries.add(name=name, value=value)

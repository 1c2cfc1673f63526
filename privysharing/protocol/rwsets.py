"""Read/write sets: what a simulation read, at which versions, and what it wants written."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from privysharing.protocol.values import value


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Height at which a key was last written: block first, then place in the block."""

    block_num: int
    tx_num: int


@value
class Read:
    """kvrwset.KVRead. `version` is None when the key did not exist; Version(0, 0) exists."""

    key: str
    version: Version | None


@value
class Write:
    """kvrwset.KVWrite. An empty value is a delete (FAB-18386), on both sides of the wire."""

    key: str
    value: bytes
    is_delete: bool = False


@value
class MetadataWrite:
    """kvrwset.KVMetadataWrite: the entries replace a key's metadata as a whole; none deletes it."""

    key: str
    entries: tuple[tuple[str, bytes], ...]


@value
class MerkleSummary:
    """kvrwset.QueryReadsMerkleSummary: hashes that stand for more than 50 reads of a range."""

    max_degree: int
    max_level: int
    hashes: tuple[bytes, ...]


@value
class RangeQuery:
    """kvrwset.RangeQueryInfo: the results of a range, so that a committer can repeat it.

    At most one of `reads` and `summary` is set; neither when the range was empty.
    """

    start_key: str
    end_key: str
    exhausted: bool
    reads: tuple[Read, ...] | None = None
    summary: MerkleSummary | None = None


# protos.MetaDataKeys: the metadata entry that holds a key's own endorsement policy
VALIDATION_PARAMETER = "VALIDATION_PARAMETER"


@value
class HashedRead:
    """kvrwset.KVReadHash."""

    key_hash: bytes
    version: Version | None


@value
class HashedWrite:
    """kvrwset.KVWriteHash."""

    key_hash: bytes
    value_hash: bytes
    is_delete: bool = False
    is_purge: bool = False


@value
class HashedMetadataWrite:
    """kvrwset.KVMetadataWriteHash."""

    key_hash: bytes
    entries: tuple[tuple[str, bytes], ...]


@value
class CollectionHashedRwSet:
    """rwset.CollectionHashedReadWriteSet: a collection as everybody sees it. Ordered by plain key, not by hash."""

    collection: str
    reads: tuple[HashedRead, ...] = ()
    writes: tuple[HashedWrite, ...] = ()
    metadata_writes: tuple[HashedMetadataWrite, ...] = ()
    private_rwset_hash: bytes = b""


@value
class PrivateRwSet:
    """A collection's private side of a transaction (kvrwset.KVRWSet, only these parts): sorted by key.

    The metadata itself is public, under the key's hash; here are the keys that it is for.
    """

    writes: tuple[Write, ...] = field(default=(), repr=False)
    metadata_keys: tuple[str, ...] = field(default=(), repr=False)


@value
class NamespaceRwSet:
    """rwset.NsReadWriteSet: one chaincode's part. Everything but range queries is sorted by key."""

    namespace: str
    reads: tuple[Read, ...] = ()
    range_queries: tuple[RangeQuery, ...] = ()
    writes: tuple[Write, ...] = ()
    metadata_writes: tuple[MetadataWrite, ...] = ()
    collections: tuple[CollectionHashedRwSet, ...] = ()


@value
class TxRwSet:
    """rwset.TxReadWriteSet: sorted by namespace."""

    namespaces: tuple[NamespaceRwSet, ...] = ()


PublicKey = tuple[str, str]  # namespace, key
HashedKey = tuple[str, str, bytes]  # namespace, collection, key hash


@value
class VersionedValue:
    """A committed key: its value (a hash, in a collection's hashed space), its version, its encoded metadata."""

    value: bytes
    version: Version
    metadata: bytes = b""


@value
class Update:
    """The last word of a block on one key. `value` None deletes; `metadata` is the key's whole metadata after it."""

    value: bytes | None
    version: Version
    metadata: bytes = b""


@value
class UpdateBatch:
    """What the valid transactions of one block change, merged (last writer per key).

    `public[namespace][key]`; `hashed[namespace, collection][key_hash]` with the value's hash as value.
    """

    public: Mapping[str, Mapping[str, Update]] = field(default_factory=dict)
    hashed: Mapping[tuple[str, str], Mapping[bytes, Update]] = field(default_factory=dict)

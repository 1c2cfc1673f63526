"""How state, history and index lie in one database: a letter for the kind, then parts that cannot run into each other.

| key                                      | value                                             |
| ---------------------------------------- | ------------------------------------------------- |
| `m` name                                 | the savepoint; how many blocks have their `k`     |
| `s` ns, key                              | version, metadata, value                          |
| `h` ns, collection, key hash             | the same, with the value's hash as value          |
| `k` ns, collection                       | empty: keys there have, or had, metadata          |
| `e` expiring block, block, ns, coll., h. | empty: the key hash of that block goes then       |
| `y` ns, key, block, tx                   | empty: the block holds what was written           |
| `t` transaction id                       | block, tx, verdict                                |
| `b` header hash                          | block                                             |

Parts before the last are prefixed with their length, numbers are big-endian: the database's order of keys is the order
of keys in a namespace (UTF-8 bytes, as Fabric's), and of writes in a history.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache

from privysharing.protocol.codes import TxCode
from privysharing.protocol.rwsets import HashedKey, Update, Version
from services.peer.ledger.types import TxLocation, VersionedValue

SAVEPOINT_KEY = b"msavepoint"
METADATA_HEIGHT_KEY = b"mmetadata"
STATE = b"s"
HASHED = b"h"
METADATA = b"k"
EXPIRY = b"e"
HISTORY = b"y"
TRANSACTION = b"t"
BLOCK_HASH = b"b"
BEHIND_ALL = b"\xff" * 8  # behind every key

# Names of chaincodes, which a channel has defined; but whoever may endorse can have a transaction name any.
NAMESPACES_CACHED_MAX = 256
NAMESPACE_LENGTH_CACHED_MAX = 64

_LENGTH = struct.Struct(">I")
_HEIGHT = struct.Struct(">QI")
_BLOCK = struct.Struct(">Q")
_VALUE_HEAD = struct.Struct(">QII")
_LOCATION = struct.Struct(">QIB")


def namespace_prefix(namespace: str) -> bytes:
    """What all public keys of a namespace begin with."""
    return STATE + _namespace_part(namespace)


def _namespace_part(namespace: str) -> bytes:
    return _known_part(namespace) if len(namespace) <= NAMESPACE_LENGTH_CACHED_MAX else _part(namespace.encode())


@lru_cache(NAMESPACES_CACHED_MAX)
def _known_part(namespace: str) -> bytes:
    return _part(namespace.encode())


def state_key(namespace: str, key: str) -> bytes:
    return namespace_prefix(namespace) + key.encode()


def split_state_key(raw: bytes) -> tuple[str, str]:
    """Namespace and key of a public state key."""
    namespace, rest = _cut(raw, len(STATE))
    return namespace.decode(), rest.decode()


def hashed_key(namespace: str, collection: str, key_hash: bytes) -> bytes:
    return HASHED + _part(namespace.encode()) + _part(collection.encode()) + key_hash


def split_hashed_key(raw: bytes) -> tuple[str, str, bytes]:
    """Namespace, collection and key hash of a hashed state key."""
    namespace, rest = _cut(raw, len(HASHED))
    collection, key_hash = _cut(rest, 0)
    return namespace.decode(), collection.decode(), key_hash


def collection_prefix(namespace: str, collection: str) -> bytes:
    """What all hashed keys of a collection begin with."""
    return hashed_key(namespace, collection, b"")


def metadata_key(namespace: str, collection: str) -> bytes:
    """What marks the keys of a collection, or with an empty name the namespace's public ones, as having metadata."""
    return METADATA + _part(namespace.encode()) + collection.encode()


def split_metadata_key(raw: bytes) -> tuple[str, str]:
    """Namespace and collection of a mark."""
    namespace, collection = _cut(raw, len(METADATA))
    return namespace.decode(), collection.decode()


def expiry_prefix(expires: int) -> bytes:
    """What entries of what goes with a block begin with; those of the next blocks are greater."""
    return EXPIRY + _BLOCK.pack(expires)


def expiry_key(expires: int, block_num: int, key: HashedKey) -> bytes:
    return expiry_prefix(expires) + _BLOCK.pack(block_num) + hashed_key(*key)


def split_expiry_key(raw: bytes) -> tuple[int, int, HashedKey]:
    """The block with which a hash goes, the one that wrote it, and the hash's key."""
    (expires,) = _BLOCK.unpack_from(raw, 1)
    (block_num,) = _BLOCK.unpack_from(raw, 1 + _BLOCK.size)
    return expires, block_num, split_hashed_key(raw[1 + 2 * _BLOCK.size :])


def history_prefix(namespace: str, key: str) -> bytes:
    return HISTORY + _namespace_part(namespace) + _part(key.encode())


def history_key(namespace: str, key: str, block_num: int, tx_num: int) -> bytes:
    return history_prefix(namespace, key) + _HEIGHT.pack(block_num, tx_num)


def split_history_key(raw: bytes) -> Version:
    """The height at which a history entry was written."""
    return Version(*_HEIGHT.unpack(raw[-_HEIGHT.size :]))


def split_history(raw: bytes) -> tuple[str, str, Version]:
    """Namespace, key and height of a history entry."""
    namespace, rest = _cut(raw, len(HISTORY))
    key, _ = _cut(rest, 0)
    return namespace.decode(), key.decode(), split_history_key(raw)


def tx_key(tx_id: str) -> bytes:
    return TRANSACTION + tx_id.encode()


def hash_key(header_hash: bytes) -> bytes:
    return BLOCK_HASH + header_hash


def encode_update(update: Update) -> bytes:
    """A written key's value in the database; never called for a delete."""
    assert update.value is not None
    version = update.version
    return _VALUE_HEAD.pack(version.block_num, version.tx_num, len(update.metadata)) + update.metadata + update.value


def decode_value(raw: bytes) -> VersionedValue:
    block_num, tx_num, metadata_size = _VALUE_HEAD.unpack_from(raw)
    split = _VALUE_HEAD.size + metadata_size
    return VersionedValue(raw[split:], Version(block_num, tx_num), raw[_VALUE_HEAD.size : split])


def encode_location(block_num: int, tx_num: int, code: TxCode) -> bytes:
    return _LOCATION.pack(block_num, tx_num, code)


def decode_location(raw: bytes) -> TxLocation:
    block_num, tx_num, code = _LOCATION.unpack(raw)
    return TxLocation(block_num, tx_num, TxCode(code))


def encode_number(number: int) -> bytes:
    return _BLOCK.pack(number)


def decode_number(raw: bytes) -> int:
    number: int = _BLOCK.unpack(raw)[0]
    return number


@dataclass(frozen=True, slots=True)
class Savepoint:
    """How far the database has followed the block files. Written in the same batch as a block's effects."""

    height: int
    tip: bytes
    commit_hash: bytes

    def encode(self) -> bytes:
        return _BLOCK.pack(self.height) + _part(self.tip) + self.commit_hash

    @classmethod
    def decode(cls, raw: bytes) -> "Savepoint":
        tip, commit_hash = _cut(raw, _BLOCK.size)
        return cls(decode_number(raw[: _BLOCK.size]), tip, commit_hash)


def after(prefix: bytes) -> bytes:
    """The first key behind all that begin with the prefix, which ends in UTF-8 or in a zero length: never in 0xff."""
    return prefix[:-1] + bytes((prefix[-1] + 1,))


def _part(value: bytes) -> bytes:
    return _LENGTH.pack(len(value)) + value


def _cut(raw: bytes, offset: int) -> tuple[bytes, bytes]:
    (size,) = _LENGTH.unpack_from(raw, offset)
    start = offset + _LENGTH.size
    return raw[start : start + size], raw[start + size :]

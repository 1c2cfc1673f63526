"""How a channel's private sets lie in their database: a letter for the kind, then parts that are told apart by it.

| key                                        | value                                                    |
| ------------------------------------------ | -------------------------------------------------------- |
| `s` block, tx, ns, collection              | a byte: trimmed or not; the set                          |
| `c` block, tx, ns, collection              | a set of values that the transaction left as they were   |
| `m` block, tx, ns, collection              | of a missing set: hash, transaction id, key hashes       |
| `i` ns, collection, key hash, block, tx    | empty: a set there is about this key                     |
| `x` expiring block, block, tx, ns, coll.   | empty                                                    |
| `p` ns, collection, key hash               | block, tx of the newest purge; a byte: erased or not     |
| `z` a key of this database                 | block that changed it: what it held before shall go      |
| `b` block                                  | header hash of the block whose sets are there            |
| `h`                                        | number of blocks that all of this accounts for           |

Numbers are big-endian, parts before the last are prefixed with their length. No key holds anything that is not in
blocks: LevelDB writes keys into its own logs.
"""

import struct

from privysharing.protocol.envelopes import TxId
from services.peer.private_data.types import Missing, Place, PurgedKey

SET = b"s"
CARRIED = b"c"
MISSING = b"m"
INDEX = b"i"
EXPIRY = b"x"
PURGED = b"p"
ERASING = b"z"
TAG = b"b"
HEIGHT_KEY = b"h"

_LENGTH = struct.Struct(">I")
_BLOCK = struct.Struct(">Q")
_HEIGHT = struct.Struct(">QI")
_PURGE = struct.Struct(">QI?")


def place_key(kind: bytes, place: Place) -> bytes:
    """Key of a set, of carried values, or of a missing set."""
    head = kind + _HEIGHT.pack(place.block_num, place.tx_num)
    return head + _part(place.namespace.encode()) + place.collection.encode()


def split_place_key(key: bytes, offset: int = 1) -> Place:
    """The place in a key that ends with one."""
    block_num, tx_num = _HEIGHT.unpack_from(key, offset)
    namespace, collection = _cut(key, offset + _HEIGHT.size)
    return Place(block_num, tx_num, namespace.decode(), collection.decode())


def behind(kind: bytes) -> bytes:
    """A key behind all of a kind."""
    return bytes((kind[0] + 1,))


def block_prefix(kind: bytes, block_num: int) -> bytes:
    """What keys of a kind begin with for one block; those of the next blocks are greater."""
    return kind + _BLOCK.pack(block_num)


def split_block(key: bytes) -> int:
    """The block in a key that begins with one."""
    (block_num,) = _BLOCK.unpack_from(key, 1)
    return int(block_num)


def index_prefix(namespace: str, collection: str, key_hash: bytes) -> bytes:
    return INDEX + _part(namespace.encode()) + _part(collection.encode()) + key_hash


def index_key(place: Place, key_hash: bytes) -> bytes:
    prefix = index_prefix(place.namespace, place.collection, key_hash)
    return prefix + _HEIGHT.pack(place.block_num, place.tx_num)


def split_index_key(key: bytes) -> tuple[int, int]:
    """Block and transaction of an index entry."""
    block_num, tx_num = _HEIGHT.unpack(key[-_HEIGHT.size :])
    return block_num, tx_num


def expiry_key(expires: int, place: Place) -> bytes:
    return place_key(block_prefix(EXPIRY, expires), place)


def split_expiry_key(key: bytes) -> tuple[int, Place]:
    """The block with whose commit a set goes, and the set's place."""
    (expires,) = _BLOCK.unpack_from(key, 1)
    return expires, split_place_key(key, 1 + _BLOCK.size)


def purge_key(namespace: str, collection: str, key_hash: bytes) -> bytes:
    return PURGED + _part(namespace.encode()) + _part(collection.encode()) + key_hash


def split_purge_key(key: bytes) -> tuple[str, str, bytes]:
    """Namespace, collection and key hash of a purge."""
    namespace, rest = _cut(key, 1)
    collection, key_hash = _cut(rest, 0)
    return namespace.decode(), collection.decode(), key_hash


def encode_purge(purge: PurgedKey, erased: bool) -> bytes:
    return _PURGE.pack(purge.block_num, purge.tx_num, erased)


def decode_purge(raw: bytes) -> tuple[tuple[int, int], bool]:
    """Block and transaction of a purge, and whether all was erased since."""
    block_num, tx_num, erased = _PURGE.unpack(raw)
    return (block_num, tx_num), erased


def encode_missing(missing: Missing, key_hashes: tuple[bytes, ...]) -> bytes:
    return join(missing.rwset_hash, missing.tx_id.encode(), *key_hashes)


def decode_missing(place: Place, raw: bytes) -> tuple[Missing, tuple[bytes, ...]]:
    """A missing set, and hashes of the keys that it is about."""
    rwset_hash, tx_id, *key_hashes = split(raw)
    return Missing(place, TxId(tx_id.decode()), rwset_hash), tuple(key_hashes)


def encode_set(raw: bytes, trimmed: bool) -> bytes:
    return (b"\x01" if trimmed else b"\x00") + raw


def decode_set(raw: bytes) -> tuple[bytes, bool]:
    """The set, and whether purges have taken keys from it."""
    return raw[1:], raw[:1] == b"\x01"


def encode_number(number: int) -> bytes:
    return _BLOCK.pack(number)


def decode_number(raw: bytes) -> int:
    number: int = _BLOCK.unpack(raw)[0]
    return number


def join(*parts: bytes) -> bytes:
    """Parts in one, each with its length before it."""
    return b"".join(map(_part, parts))


def split(raw: bytes) -> list[bytes]:
    """The parts of what `join` made."""
    parts = []
    offset = 0
    while offset < len(raw):
        (size,) = _LENGTH.unpack_from(raw, offset)
        offset += _LENGTH.size + size
        parts.append(raw[offset - size : offset])
    return parts


def _part(value: bytes) -> bytes:
    return _LENGTH.pack(len(value)) + value


def _cut(raw: bytes, offset: int) -> tuple[bytes, bytes]:
    (size,) = _LENGTH.unpack_from(raw, offset)
    start = offset + _LENGTH.size
    return raw[start : start + size], raw[start + size :]

"""Critical values: where a private asset's readings lie, and what the channel sees of them.

The values are in the collection `critical` of the contract's definition on the channel. Its members are the
organisations concerned, and no other peer holds it. The channel sees an entry in a plain reading's place, and hashes:
of the private key, and of the value with its salt.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from privysharing.chaincode.canonical import JsonObject, JsonValue, dumps
from privysharing.chaincode.context import Context
from privysharing.chaincode.keys import composite_key, split
from privysharing.chaincode.secret import Secret
from privysharing.contract.records import Record, decode, store

CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class PrivateReading(Record):
    """What members hold. The salt is there for the hash alone, and never shown."""

    DOC_TYPE: ClassVar[str] = "private-reading"

    time: str = field(repr=False)
    value: JsonValue = field(repr=False)
    unit: str = field(repr=False)
    salt: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReadingKey(Record):
    """What everybody sees in a plain reading's place: the random part of the private key."""

    DOC_TYPE: ClassVar[str] = "reading-key"

    key: str


def require_collection(context: Context) -> None:
    """A fault of the peer, which says so, where the contract's definition has no such collection."""
    context.private(CRITICAL).hash(composite_key(CRITICAL))


def conceal(context: Context, entry: str, key: str, reading: PrivateReading) -> None:
    """Keep a reading where members alone hold it, and its key in the public entry."""
    store(context, entry, ReadingKey(key))
    context.private(CRITICAL).put(_private_key(entry, key), Secret(dumps(reading.to_json())))


def disclose(context: Context, entries: Sequence[tuple[str, bytes]]) -> tuple[list[JsonValue], int]:
    """The readings behind these entries, for a caller who may read them; and how many have outlived their time.

    A peer that does not hold one of them cannot answer: a fault.
    """
    found = [context.private(CRITICAL).get(_key_of(entry, raw)) for entry, raw in entries]
    readings = [decode(PrivateReading, secret.disclose()) for secret in found if secret is not None]
    shown: list[JsonValue] = [{"time": each.time, "value": each.value, "unit": each.unit} for each in readings]
    return shown, len(entries) - len(shown)


def hashes(context: Context, entry: str, raw: bytes) -> JsonObject:
    """What any peer of the channel has of a reading, in hex. No value's hash: it has outlived its time."""
    key = _key_of(entry, raw)
    value_hash = context.private(CRITICAL).hash(key)
    return {"key_hash": _key_hash(key), "value_hash": value_hash.hex() if value_hash else ""}


def purge(context: Context, entry: str, raw: bytes) -> str:
    """Delete a reading, and all that members keep of it; the hash of its key, by which they confirm that."""
    key = _key_of(entry, raw)
    context.private(CRITICAL).purge(key)
    context.delete(entry)
    return _key_hash(key)


def _key_of(entry: str, raw: bytes) -> str:
    return _private_key(entry, decode(ReadingKey, raw).key)


def _private_key(entry: str, key: str) -> str:
    """Begins with its owner, so that nobody writes another's, and is of one transaction: none writes it again."""
    kind, (owner, name, _, tx_id, _) = split(entry)
    return composite_key(kind, owner, name, tx_id, key)


def _key_hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()

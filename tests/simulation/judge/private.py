"""Where a private reading is, beside what the channel sees of it: under a key of its own, with its members."""

import hashlib
from collections.abc import Mapping

from tests.simulation.judge.forms import Key, Record, canonical, key_text

PRIVATE = "critical"  # the kind of records that members alone have, in the collection of that name


def private_key(entry: Key, shown: Record) -> Key:
    """The place of the reading that a public entry stands for."""
    _, owner, name, _, tx_id, _ = entry
    return PRIVATE, owner, name, tx_id, shown["key"]


def private_key_text(key: Key) -> str:
    """As the collection has it."""
    return key_text(("reading", *key[1:]))


def hash_of_key(key: Key) -> str:
    return hashlib.sha256(private_key_text(key).encode()).hexdigest()


def shown_to_all(records: Mapping[Key, Record | None]) -> dict[str, bytes | None]:
    """The records that the channel sees, as it sees them; None deletes."""
    return {key_text(key): _bytes(record) for key, record in records.items() if key[0] != PRIVATE}


def shown_to_members(records: Mapping[Key, Record | None]) -> dict[str, bytes | None]:
    """The records that members alone see."""
    return {private_key_text(key): _bytes(record) for key, record in records.items() if key[0] == PRIVATE}


def _bytes(record: Record | None) -> bytes | None:
    return None if record is None else canonical(record)

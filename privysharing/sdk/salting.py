"""Salts and random keys for values whose hashes others will see: without them a heart rate is guessed from its hash."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

KEY_BYTES = 16
SALT_BYTES = 32


def salted(records: Sequence[Mapping[str, Any]], random_bytes: Callable[[int], bytes]) -> bytes:
    """A JSON list of the records, each with a `key` and a `salt` of its own in hex: for a transient field."""
    drawn = [
        {**record, "key": random_bytes(KEY_BYTES).hex(), "salt": random_bytes(SALT_BYTES).hex()} for record in records
    ]
    return json.dumps(drawn).encode()

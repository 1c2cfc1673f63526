"""What validation needs to know of a ledger: the state and the ids before the block."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from privysharing.protocol.envelopes import TxId
from privysharing.protocol.rwsets import Version


@dataclass(frozen=True, slots=True)
class VersionedValue:
    """A committed key: its value (a hash, in a collection's hashed space), its version, its encoded metadata."""

    value: bytes
    version: Version
    metadata: bytes = b""


class StateView(Protocol):
    """A channel's state as of one height, all of it as of the same height.

    A look-up that fails raises: the channel halts, since to call a transaction invalid for it would fork.
    """

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        """A public key, None when it does not exist."""

    def range(self, namespace: str, start_key: str, end_key: str) -> Iterator[tuple[str, VersionedValue]]:
        """The public keys from start (included) to end (excluded; empty: no end), in the order of their UTF-8 bytes."""

    def get_hashed(self, namespace: str, collection: str, key_hash: bytes) -> VersionedValue | None:
        """A key of a collection's hashed space; the value is the hash of the private value."""

    def known_ids(self, ids: Iterable[TxId]) -> frozenset[TxId]:
        """Those of the ids that some earlier block holds, valid or not."""

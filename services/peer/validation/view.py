"""What validation needs to know of a ledger: the state and the ids before the block."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from privysharing.protocol.envelopes import TxId
from privysharing.protocol.rwsets import VersionedValue

__all__ = ["EmptyView", "RememberingView", "StateView"]


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

    def may_have_metadata(self, namespace: str, collection: str = "") -> bool:
        """Whether any key there may have metadata; without a collection: any public key. No: nobody needs to look."""

    def known_ids(self, ids: Iterable[TxId]) -> frozenset[TxId]:
        """Those of the ids that some earlier block holds, valid or not."""


class RememberingView:
    """A view that looks up no key twice: policies, reads and writes of one block ask for the same ones."""

    def __init__(self, view: StateView) -> None:
        self._view = view
        self._public: dict[tuple[str, str], VersionedValue | None] = {}
        self._hashed: dict[tuple[str, str, bytes], VersionedValue | None] = {}

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        """A public key, None when it does not exist."""
        place = (namespace, key)
        try:
            return self._public[place]
        except KeyError:
            found = self._public[place] = self._view.get(namespace, key)
        return found

    def range(self, namespace: str, start_key: str, end_key: str) -> Iterator[tuple[str, VersionedValue]]:
        """As of the view beneath: ranges are not remembered."""
        return self._view.range(namespace, start_key, end_key)

    def get_hashed(self, namespace: str, collection: str, key_hash: bytes) -> VersionedValue | None:
        """A key of a collection's hashed space."""
        place = (namespace, collection, key_hash)
        if place not in self._hashed:
            self._hashed[place] = self._view.get_hashed(namespace, collection, key_hash)
        return self._hashed[place]

    def may_have_metadata(self, namespace: str, collection: str = "") -> bool:
        """Whether any key there may have metadata."""
        return self._view.may_have_metadata(namespace, collection)

    def known_ids(self, ids: Iterable[TxId]) -> frozenset[TxId]:
        """Those of the ids that some earlier block holds."""
        return self._view.known_ids(ids)


class EmptyView:
    """The state before the genesis block."""

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        """Nothing."""
        return None

    def range(self, namespace: str, start_key: str, end_key: str) -> Iterator[tuple[str, VersionedValue]]:
        """Nothing."""
        return iter(())

    def get_hashed(self, namespace: str, collection: str, key_hash: bytes) -> VersionedValue | None:
        """Nothing."""
        return None

    def may_have_metadata(self, namespace: str, collection: str = "") -> bool:
        """None has."""
        return False

    def known_ids(self, ids: Iterable[TxId]) -> frozenset[TxId]:
        """None."""
        return frozenset()

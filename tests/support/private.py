"""Private values and collections for tests of what only asks for them."""

import hashlib
from collections.abc import Iterable

from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.rwsets import VersionedValue
from services.peer.private_data.types import PrivateResults
from services.runtime.handover import Told


class EveryCollection:
    """Collections of whatever name, but for those that are named here."""

    def __init__(self, *undefined: str) -> None:
        self._undefined = undefined

    def find(self, namespace: str, collection: str) -> CollectionConfig | None:
        del namespace
        return None if collection in self._undefined else CollectionConfig(name=collection)


class Values:
    """Private values by the hashes of their keys and of themselves, wherever they are."""

    def __init__(self, values: Iterable[tuple[str, bytes]] = ()) -> None:
        self._values: dict[tuple[bytes, bytes], tuple[str, bytes]] = {}
        self.add(values)

    def add(self, values: Iterable[tuple[str, bytes]]) -> None:
        for key, value in values:
            self._values[_sha256(key.encode()), _sha256(value)] = key, value

    def find(
        self, namespace: str, collection: str, key_hash: bytes, stored: VersionedValue
    ) -> tuple[str, bytes] | None:
        del namespace, collection
        return self._values.get((key_hash, stored.value))


class Nowhere:
    """Where nothing is spread."""

    def spread(self, results: PrivateResults, told: Told, more: bool = False) -> None:
        raise AssertionError(f"nobody spreads {results}")


def _sha256(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()

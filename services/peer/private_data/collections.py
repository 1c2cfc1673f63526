"""Which collections a channel has defined, as of one state."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Protocol

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.collections import implicit_config, member_msp_ids, parse_collections
from privysharing.protocol.codec.lifecycle import parse_bytes
from privysharing.protocol.collections import CollectionConfig, implicit_collection_msp_id
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.lifecycle import LIFECYCLE
from privysharing.protocol.lifecycle_state import collections_key, sequence_key
from privysharing.protocol.rwsets import VersionedValue

DEFINITIONS_CACHED_MAX: Final = 256


class PublicState(Protocol):
    """A channel's public state at one height."""

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        """A public key, None when it does not exist."""
        ...


class Collections:
    """Collections of chaincodes by a committed definition, those that every organisation has included.

    Look-ups leave no trace in a read set.
    """

    def __init__(self, view: PublicState, config: ChannelConfig) -> None:
        self._view = view
        self._config = config

    def of(self, namespace: str) -> Mapping[str, CollectionConfig]:
        """See `defined`."""
        return self.defined(self._view, namespace)

    @staticmethod
    def defined(view: PublicState, namespace: str) -> Mapping[str, CollectionConfig]:
        """The collections of a chaincode's definition by name; none when it has none that can be read."""
        stored = view.get(LIFECYCLE, collections_key(namespace))
        return {} if stored is None else _parsed(stored.value)

    def find(self, namespace: str, collection: str) -> CollectionConfig | None:
        """A collection of a defined chaincode; None when there is no such."""
        msp_id = implicit_collection_msp_id(collection)
        if msp_id is None:
            return self.of(namespace).get(collection)
        if namespace != LIFECYCLE and self._view.get(LIFECYCLE, sequence_key(namespace)) is None:
            return None
        if all(org.msp_id != msp_id for org in self._config.application_orgs.values()):
            return None
        return _implicit(msp_id)

    def members(self, namespace: str, collection: str) -> frozenset[str]:
        """MSP ids of the organisations whose peers hold a collection's data; none when there is no such."""
        config = self.find(namespace, collection)
        return frozenset() if config is None else _members(config)


@lru_cache(DEFINITIONS_CACHED_MAX)
def _parsed(stored: bytes) -> Mapping[str, CollectionConfig]:
    """The first of a name counts. `_lifecycle` checks what it stores; what cannot be read defines nothing."""
    by_name: dict[str, CollectionConfig] = {}
    try:
        for collection in parse_collections(parse_bytes(stored)):
            by_name.setdefault(collection.name, collection)
    except ProtocolError:
        return {}
    return MappingProxyType(by_name)


@lru_cache(DEFINITIONS_CACHED_MAX)
def _members(config: CollectionConfig) -> frozenset[str]:
    try:
        return member_msp_ids(config)
    except ProtocolError:
        return frozenset()


_implicit = lru_cache(DEFINITIONS_CACHED_MAX)(implicit_config)

"""All the MSPs of a channel under one configuration: from a serialized identity to whom it is."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from privysharing.protocol.codec.msps import parse_serialized_identity
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.msp.identity import Identity, InvalidIdentity
from privysharing.protocol.msp.principals import MspPrincipal
from privysharing.protocol.msp.provider import Msp

IDENTITIES_CACHED_MAX: Final = 4096  # identities per channel configuration, some 6 KiB each


class MspManager:
    """Looks identities up, once per exact bytes. Immutable but for its cache, and safe to share between threads.

    A new channel configuration makes a new manager, so no verdict outlives the configuration it was made under.
    """

    def __init__(self, msps: Iterable[Msp]) -> None:
        self._msps = {msp.name: msp for msp in msps}
        # Only successes are kept: made-up identities cannot push real ones out.
        self.deserialize = lru_cache(IDENTITIES_CACHED_MAX)(self._deserialize)

    @property
    def msp_ids(self) -> tuple[str, ...]:
        """The ids of all MSPs."""
        return tuple(self._msps)

    def msp(self, msp_id: str) -> Msp:
        """One organisation's MSP; raises InvalidIdentity when the channel has none of that name."""
        msp = self._msps.get(msp_id)
        if msp is None:
            raise InvalidIdentity(f"MSP {msp_id} is not defined on channel")
        return msp

    def identity(self, serialized: bytes) -> Identity:
        """The valid identity behind these bytes; raises InvalidIdentity. For creators and whoever calls."""
        identity = self.deserialize(serialized)
        if identity.fault is not None:
            raise InvalidIdentity(f"MSP {identity.msp_id}: {identity.fault}")
        return identity

    def satisfies(self, identity: Identity, principal: MspPrincipal) -> bool:
        """Whether the identity's own MSP says that it is whom a policy asks for."""
        return self.msp(identity.msp_id).satisfies(identity, principal)

    def _deserialize(self, serialized: bytes) -> Identity:
        try:
            msp_id, id_bytes = parse_serialized_identity(serialized)
        except MalformedMessage as error:
            raise InvalidIdentity(str(error)) from None
        return self.msp(msp_id).deserialize(id_bytes, serialized)

"""Somebody under an MSP: a certificate, what the MSP makes of it, and the key that verifies its signatures."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography import x509

from privysharing.protocol.crypto import VerifyingKey
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.msp.principals import MspRole


class InvalidIdentity(ProtocolError):
    """Bytes that are no identity, or one that no MSP of the channel vouches for."""


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """An identity as its MSP sees it under one configuration. Make one with `Msp` or `MspManager` only.

    `fault` says why the MSP does not vouch for it; identities handed out as valid have none.
    """

    msp_id: str
    serialized: bytes  # as received: transaction ids and hashes are over these bytes
    certificate: x509.Certificate = field(repr=False)  # with its issuer's signature in low-S form
    public_key: VerifyingKey = field(repr=False)
    dedupe_key: tuple[str, bytes]  # MSP id and hash of the certificate: two encodings of one identity share it
    expires_at_ns: int  # nanoseconds since the epoch; nothing here asks whether that has passed
    ous: tuple[str, ...]
    certifiers_identifier: bytes  # hash of the chain of CA certificates above it
    roles: frozenset[MspRole]
    fault: str | None

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether this identity's key signed `message`."""
        return self.public_key.verify(message, signature)


def distinct(identities: Iterable[Identity]) -> tuple[Identity, ...]:
    """The identities in order, each once, whatever bytes it came in (policies.SignatureSetToValidIdentities)."""
    first: dict[tuple[str, bytes], Identity] = {}
    for identity in identities:
        first.setdefault(identity.dedupe_key, identity)
    return tuple(first.values())

"""The endorsements that this peer has issued lately: its own signatures, which it need not verify in a block.

What is known is exactly what a verification would find out: this signature, over this digest of payload and endorser.
Anything else by this peer's name, a twin that differs in one bit included, is verified like everybody's.
"""

from collections import OrderedDict
from typing import Final

from privysharing.protocol.build import endorsement_message
from privysharing.protocol.crypto import sha256
from privysharing.protocol.transactions import Endorsement

ISSUED_KEPT_MAX: Final = 10_000  # some seconds of a busy peer; 3 MB


class IssuedEndorsements:
    """Those of (response payload, endorsement) that were added last. Any thread may add and ask."""

    def __init__(self, kept_max: int = ISSUED_KEPT_MAX) -> None:
        self._kept_max = kept_max
        self._digests: OrderedDict[bytes, bytes] = OrderedDict()  # by signature

    def add(self, response_payload: bytes, endorsement: Endorsement) -> None:
        """Remember an endorsement, and forget the oldest when there are too many."""
        self._digests[endorsement.signature] = _digest(response_payload, endorsement)
        if len(self._digests) > self._kept_max:
            self._digests.popitem(last=False)

    def __contains__(self, endorsed: tuple[bytes, Endorsement], /) -> bool:
        response_payload, endorsement = endorsed
        digest = self._digests.get(endorsement.signature)
        return digest is not None and digest == _digest(response_payload, endorsement)


def _digest(response_payload: bytes, endorsement: Endorsement) -> bytes:
    return sha256(endorsement_message(response_payload, endorsement.endorser))

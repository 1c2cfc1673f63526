"""The endorsements that this peer has issued lately: its own signatures, which it need not verify in a block.

What is known is exactly what a verification would find out: this signature, of this payload and endorser. Anything else
by this peer's name, a twin that differs in one bit included, is verified like everybody's.
"""

from collections import OrderedDict
from typing import Final

from privysharing.protocol.crypto import sha256
from privysharing.protocol.transactions import Endorsement

ISSUED_KEPT_MAX: Final = 10_000  # some seconds of a busy peer; 7 MB
WHOLE_BYTES_MAX: Final = 1024  # of a payload: of a longer one the digest is kept


class IssuedEndorsements:
    """Those of (response payload, endorsement) that were added last. Any thread may add and ask."""

    def __init__(self, kept_max: int = ISSUED_KEPT_MAX) -> None:
        self._kept_max = kept_max
        self._signed: OrderedDict[bytes, tuple[bytes | str, bytes]] = OrderedDict()  # payload, endorser; by signature

    def add(self, response_payload: bytes, endorsement: Endorsement) -> None:
        """Remember an endorsement, and forget the oldest when there are too many."""
        self._signed[endorsement.signature] = _kept(response_payload), endorsement.endorser
        if len(self._signed) > self._kept_max:
            self._signed.popitem(last=False)

    def __contains__(self, endorsed: tuple[bytes, Endorsement], /) -> bool:
        response_payload, endorsement = endorsed
        return self._signed.get(endorsement.signature) == (_kept(response_payload), endorsement.endorser)


def _kept(response_payload: bytes) -> bytes | str:
    """What stands for a payload: itself, or its digest in letters, which equal no payload."""
    return response_payload if len(response_payload) <= WHOLE_BYTES_MAX else sha256(response_payload).hex()

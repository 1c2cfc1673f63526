"""Which requests came before: nobody's is taken twice."""

from collections import Counter
from collections.abc import Callable
from typing import Final

from privysharing.protocol.crypto import sha256
from privysharing.protocol.private_exchange import WINDOW_NS, Reason, RequestRefused

KEPT_S: Final = 2 * WINDOW_NS / 1_000_000_000  # a request from a clock ahead of ours is good for two windows
ORGANISATION_MAX: Final = 100_000  # requests of one organisation in that time
_DIGEST_BYTES: Final = 16


class Nonces:
    """Remembers each nonce with whoever drew it, for as long as a request with it could be taken."""

    def __init__(self, monotonic: Callable[[], float], organisation_max: int = ORGANISATION_MAX) -> None:
        self._monotonic = monotonic
        self._organisation_max = organisation_max
        self._turned_at = monotonic()
        self._new: set[bytes] = set()
        self._old: set[bytes] = set()
        self._counts: Counter[str] = Counter()  # of the new ones, by organisation

    def take(self, organisation: str, requester: bytes, nonce: bytes) -> None:
        """Note a request that is about to be answered. Raises RequestRefused when it came before."""
        self._turn()
        digest = sha256(requester, nonce)[:_DIGEST_BYTES]
        if digest in self._new or digest in self._old:
            raise RequestRefused(Reason.REPLAYED, "this request came before")
        if self._counts[organisation] >= self._organisation_max:
            text = f"more than {self._organisation_max} requests of {organisation} within {KEPT_S:g} s"
            raise RequestRefused(Reason.QUOTA, text)
        self._counts[organisation] += 1
        self._new.add(digest)

    def _turn(self) -> None:
        """Forget what is too old to be taken anyway."""
        elapsed = self._monotonic() - self._turned_at
        if elapsed > KEPT_S:
            self._old = self._new if elapsed <= 2 * KEPT_S else set()
            self._new = set()
            self._counts.clear()
            self._turned_at += elapsed

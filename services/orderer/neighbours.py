"""The orderers that share a log: which of them live, and who of them posts TimeToCut first."""

from collections.abc import Sequence
from typing import Protocol

from privysharing.protocol.orderers import LiveOrderer


class Neighbours(Protocol):
    """What one orderer knows of the others."""

    def live(self) -> Sequence[LiveOrderer]:
        """Those that live, this one among them."""
        ...

    def leads(self, channel_id: str) -> bool:
        """Whether this one posts first; the others do when it is late."""
        ...


class Nobody:
    """Nothing is known of others."""

    def __init__(self, me: LiveOrderer) -> None:
        self._me = me

    def live(self) -> Sequence[LiveOrderer]:
        """See `Neighbours.live`."""
        return (self._me,)

    def leads(self, channel_id: str) -> bool:
        """See `Neighbours.leads`."""
        return True

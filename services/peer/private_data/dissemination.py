"""How private writes get to those who may hold them, before an endorsement says that they were made."""

from typing import Protocol

from services.peer.private_data.types import PrivateResults, TransientStore
from services.runtime.handover import Told


class NotSpread(Exception):
    """Fewer peers took a private set than its collection requires. The text is for the client."""


class Dissemination(Protocol):
    """Spreads private sets, and keeps them here."""

    def spread(self, results: PrivateResults, told: Told, more: bool = False) -> None:
        """Keep the sets here, and push them to eligible peers; `told` once as many as required have them durably.

        Called by any thread, and returns at once. `more`: others follow soon, and may share what is sent.
        Faults are NotSpread, TransientStoreFull, StorageErrors.
        """
        ...


class KeptHere:
    """Spreads nothing: for a peer that has no fellows."""

    def __init__(self, store: TransientStore) -> None:
        self._store = store

    def spread(self, results: PrivateResults, told: Told, more: bool = False) -> None:
        """See `Dissemination.spread`."""
        del more  # nothing is sent
        fault: Exception | None = None
        try:
            for collection in results.collections.values():
                if collection.required_peer_count > 0:
                    raise NotSpread(
                        f"required to disseminate to at least {collection.required_peer_count} peers, but know of only "
                        "0 eligible peers"
                    )
            self._store.keep(results.tx_id, results.height, results.sets)
        except Exception as error:
            fault = error
        told(fault, False)

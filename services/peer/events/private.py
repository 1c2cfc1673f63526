"""Which private sets of a block a reader may see (core/peer deliverevents blockAndPrivateDataResponseSender)."""

from collections.abc import Mapping

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.private_sets import encode_tx_private_sets
from privysharing.protocol.msp.identity import InvalidIdentity
from privysharing.protocol.rwsets import Version, VersionedValue
from services.peer.ledger.types import LedgerPort
from services.peer.private_data.collections import Collections
from services.peer.private_data.membership import is_member
from services.peer.private_data.types import PrivateData


class StateBelow:
    """A channel's public state as it was before one of its blocks: what has changed since, from the keys' history."""

    def __init__(self, ledger: LedgerPort, block_num: int) -> None:
        self._ledger = ledger
        self._block_num = block_num

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        """A public key as it was, None when it did not exist."""
        now = self._ledger.view.get(namespace, key)
        if now is not None and now.version.block_num < self._block_num:
            return now
        for then in self._ledger.history(namespace, key):
            place = self._ledger.transaction(then.tx_id)
            if place is not None and place.block_num < self._block_num:
                return None if then.is_delete else VersionedValue(then.value, Version(place.block_num, place.tx_num))
        return None


def readable_sets(
    ledger: LedgerPort, private: PrivateData, config: ChannelConfig, reader: bytes, block_num: int
) -> Mapping[int, bytes]:
    """rwset.TxPvtReadWriteSet by transaction, of the collections that the reader belonged to as of that block.

    `reader` is a msp.SerializedIdentity whose signature has been verified. Reads files: not for the event loop.
    """
    stored = private.sets_of_block(block_num)
    if not stored:
        return {}
    try:
        who = config.msps.identity(reader)
    except InvalidIdentity:
        return {}
    collections = Collections(StateBelow(ledger, block_num), config)
    readable: dict[int, list[tuple[str, str, bytes]]] = {}
    for (tx_num, namespace, name), found in stored.items():
        collection = collections.find(namespace, name)
        if collection is not None and is_member(who, collection, config):
            readable.setdefault(tx_num, []).append((namespace, name, found.rwset))
    return {tx_num: encode_tx_private_sets(sets) for tx_num, sets in readable.items()}

"""This peer's signed word that private values are gone: given only when no byte of them is left in its files."""

from collections.abc import Callable
from typing import Final

from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.private_data import PurgedAnswer, PurgedAsk, PurgeStatement
from privysharing.protocol.purge_statements import sign_statement
from services.peer.private_data.types import PrivateData

KEY_HASH_BYTES: Final = 32


def state_purges(
    ask: PurgedAsk, channel_id: str, private: PrivateData, signer: SigningIdentity, now_ns: Callable[[], int]
) -> PurgedAnswer:
    """A statement for each of the keys that are gone. Reads files and signs: not for the event loop."""
    gone = (
        private.purged(ask.namespace, ask.collection, key_hash)
        for key_hash in dict.fromkeys(ask.key_hashes)
        if len(key_hash) == KEY_HASH_BYTES
    )
    return PurgedAnswer(
        tuple(
            sign_statement(
                PurgeStatement(
                    channel_id=channel_id,
                    namespace=purged.namespace,
                    collection=purged.collection,
                    key_hash=purged.key_hash,
                    block_num=purged.block_num,
                    tx_num=purged.tx_num,
                    peer=signer.serialized,
                    time_ns=now_ns(),
                ),
                signer,
            )
            for purged in gone
            if purged is not None
        )
    )

"""What a stored envelope says: its id, and what it wrote to a key."""

from privysharing.protocol.codec.envelopes import parse_envelope, parse_payload
from privysharing.protocol.codec.rwsets import parse_tx_rwset
from privysharing.protocol.codec.transactions import parse_chaincode_action, parse_endorser_transaction
from services.peer.ledger.types import KeyModification


def key_modification(envelope: bytes, namespace: str, key: str) -> KeyModification | None:
    """What a valid endorser transaction wrote to a public key (kvledger/history getKeyModificationFromTran)."""
    payload = parse_payload(parse_envelope(envelope).payload)
    action = parse_chaincode_action(parse_endorser_transaction(payload.data).action_bytes)
    for written in parse_tx_rwset(action.results).namespaces:
        if written.namespace != namespace:
            continue
        for write in written.writes:
            if write.key == key:
                header = payload.header.channel
                is_delete = write.is_delete or not write.value
                return KeyModification(header.tx_id, write.value, header.timestamp_ns, is_delete)
    return None

"""What a client learns about who has to endorse, and what a peer looks up for it."""

import pytest

from privysharing.protocol.codec.interests import parse_interest
from privysharing.protocol.codec.policies import encode_signature_policy
from privysharing.protocol.codec.rwsets import encode_state_metadata
from privysharing.protocol.interests import ChaincodeCall
from privysharing.protocol.policies.dsl import parse_policy
from privysharing.protocol.rwsets import (
    VALIDATION_PARAMETER,
    CollectionHashedRwSet,
    HashedWrite,
    NamespaceRwSet,
    TxRwSet,
    Version,
    VersionedValue,
    Write,
)
from services.peer.endorsement.interest import interest_of
from services.peer.ledger.memory import MemoryState

POLICY = encode_signature_policy(parse_policy("OR('Org1MSP.peer')"))
WITH_POLICY = VersionedValue(b"v", Version(1, 0), encode_state_metadata([(VALIDATION_PARAMETER, POLICY)]))
WRITES = TxRwSet(
    (
        NamespaceRwSet(
            "cc",
            writes=(Write("mine", b"v"), Write("new", b"v")),
            collections=(CollectionHashedRwSet("secret", writes=(HashedWrite(b"hash", b"v"),)),),
        ),
    )
)


class WatchedState(MemoryState):
    """Knows which keys somebody has looked up."""

    def __init__(self, *places: tuple[str, str]) -> None:
        super().__init__(1, {"cc": {"mine": WITH_POLICY}}, {("cc", "secret"): {b"hash": WITH_POLICY}})
        self.metadata = frozenset(places)
        self.looked_up: list[str | bytes] = []

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        self.looked_up.append(key)
        return super().get(namespace, key)

    def get_hashed(self, namespace: str, collection: str, key_hash: bytes) -> VersionedValue | None:
        self.looked_up.append(key_hash)
        return super().get_hashed(namespace, collection, key_hash)


BY_CHAINCODE, BY_COLLECTION = ChaincodeCall("cc"), ChaincodeCall("cc", ("secret",), no_private_reads=True)
BY_KEY = ChaincodeCall("cc", key_policies=(POLICY,))


@pytest.mark.parametrize(
    ("places", "looked_up", "calls"),
    [
        ([], [], (BY_CHAINCODE, BY_COLLECTION)),
        ([("cc", "other"), ("other", "")], [], (BY_CHAINCODE, BY_COLLECTION)),
        ([("cc", "")], ["mine", "new"], (BY_KEY, BY_COLLECTION)),
        ([("cc", "secret")], [b"hash"], (BY_KEY,)),
    ],
)
def test_policies_of_keys_are_looked_up_only_where_some_key_has_metadata(
    places: list[tuple[str, str]], looked_up: list[str | bytes], calls: tuple[ChaincodeCall, ...]
) -> None:
    state = WatchedState(*places)
    assert parse_interest(interest_of(WRITES, state)).calls == calls
    assert state.looked_up == looked_up

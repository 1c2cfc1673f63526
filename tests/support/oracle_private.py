"""The private sets behind the large network's blocks (`support.vectors`), made anew from what its clients sent."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache

from privysharing.protocol.codec.blocks import parse_filter
from privysharing.protocol.codec.private_sets import encode_private_set
from privysharing.protocol.rwsets import PrivateRwSet, Write
from services.peer.private_data.types import Place, PrivateSet
from services.peer.validation.validate import read_block
from tests.support.vectors import large_network

ORG1, ORG2 = "Org1MSP", "Org2MSP"
CHAINCODE = "oracle"

# What the proposals had in their transient fields, by function and arguments.
TRANSIENT: Mapping[tuple[str, ...], bytes] = {
    ("putpriv", "both", "pk1"): b"secret one",
    ("putpriv", "org1only", "pk1"): b"org1 secret",
    ("putpriv", "org1only", "pk2"): b"org2 wrote",
    ("putpriv", "shortlived", "sl1"): b"short",
    ("putpriv", "_implicit_org_Org1MSP", "im1"): b"implicit",
    ("mix", "mixkey", "mixval", "both", "pmix"): b"mixed",
}
AGAIN: Mapping[int, bytes] = {65: b"secret two", 78: b"by org1"}  # putpriv both pk2, by block

_WRITTEN: Mapping[tuple[int, int, str], PrivateRwSet] = {
    (53, 0, "both"): PrivateRwSet((Write("pk1", b"secret one"),)),
    (54, 0, "org1only"): PrivateRwSet((Write("pk1", b"org1 secret"),)),
    (56, 0, "shortlived"): PrivateRwSet((Write("sl1", b"short"),)),
    (57, 0, "_implicit_org_Org1MSP"): PrivateRwSet((Write("im1", b"implicit"),)),
    (58, 0, "both"): PrivateRwSet((Write("a-pmix", b"mixed"), Write("pmix", b"mixed"))),
    (59, 0, "both"): PrivateRwSet((Write("pk1", b"secret one+1"),)),
    (60, 0, "both"): PrivateRwSet((Write("a-pmix", b"", True),)),
    (61, 0, "both"): PrivateRwSet((Write("pk1", b"", True),)),
    (65, 0, "both"): PrivateRwSet((Write("pk2", b"secret two"),)),
    (77, 0, "both"): PrivateRwSet((), ("pk2",)),
    (78, 0, "both"): PrivateRwSet((Write("pk2", b"by org1"),)),
}


def sent_in_private(block_num: int, args: Sequence[bytes]) -> bytes | None:
    """What a proposal had in the field `value` of its transient data; None when it had none."""
    return AGAIN.get(block_num) or TRANSIENT.get(tuple(arg.decode(errors="replace") for arg in args))


@cache
def private_sets() -> Mapping[Place, PrivateSet]:
    """The sets of chaincode `oracle`, of its valid transactions, by place: each hashes to what its block says."""
    found = {
        Place(block, tx, CHAINCODE, collection): PrivateSet(CHAINCODE, collection, encode_private_set(written))
        for (block, tx, collection), written in _WRITTEN.items()
    }
    for place, private in found.items():
        assert hashlib.sha256(private.rwset).digest() == _hash_at(place), place
    return found


def _hash_at(place: Place) -> bytes:
    block = large_network()[place.block_num]
    assert parse_filter(block.metadata[2])[place.tx_num] == 0
    endorsed = read_block(block)[place.tx_num].endorsed
    assert endorsed is not None
    return next(
        collection.private_rwset_hash
        for ns in endorsed.rwset.namespaces
        for collection in ns.collections
        if (ns.namespace, collection.collection) == (place.namespace, place.collection)
    )

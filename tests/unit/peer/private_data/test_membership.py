"""Who may hold a collection's data."""

from dataclasses import dataclass

import pytest

from privysharing.protocol.codec.policies import encode_signature_policy
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.policies.dsl import parse_policy
from privysharing.protocol.policies.signature import SignaturePolicy
from services.peer.private_data.membership import is_member, may_hold, one_of_each_first
from tests.support.judging import ADMIN1, CLIENT1, CONFIG, ORDERER, PEER1, PEER2


def collection(policy: str) -> CollectionConfig:
    parsed = parse_policy(policy)
    assert isinstance(parsed, SignaturePolicy)
    return CollectionConfig(name="secrets", member_orgs_policy=encode_signature_policy(parsed))


ORG1 = collection("OR('Org1MSP.member')")


@pytest.mark.parametrize(
    ("who", "policy", "holds", "member"),
    [
        (PEER1, ORG1, True, True),
        (PEER2, ORG1, False, False),
        (PEER2, collection("OR('Org1MSP.member', 'Org2MSP.peer')"), True, True),
        (CLIENT1, ORG1, False, True),
        (ADMIN1, ORG1, False, True),
        (PEER1, collection("OR('Org1MSP.admin')"), False, False),
        (ORDERER, collection("OR('OrdererMSP.member')"), False, True),
        (PEER1, CollectionConfig(name="secrets", member_orgs_policy=b"\xff"), False, False),
        (PEER1, CollectionConfig(name="secrets"), False, False),
    ],
    ids=range(9),
)
def test_peers_of_member_organisations_hold_it(
    who: SigningIdentity, policy: CollectionConfig, holds: bool, member: bool
) -> None:
    identity = CONFIG.msps.identity(who.serialized)
    assert may_hold(identity, policy, CONFIG) is holds
    assert is_member(identity, policy, CONFIG) is member


@dataclass(frozen=True)
class Peer:
    msp_id: str
    number: int


def test_one_of_each_organisation_comes_first() -> None:
    peers = [Peer("a", 0), Peer("a", 1), Peer("b", 0), Peer("a", 2), Peer("c", 0), Peer("b", 1)]
    assert [f"{peer.msp_id}{peer.number}" for peer in one_of_each_first(peers)] == ["a0", "b0", "c0", "a1", "b1", "a2"]
    assert one_of_each_first([]) == []

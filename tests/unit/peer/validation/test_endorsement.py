"""Whose signatures a write needs: the chaincode's policy, a collection's, a key's own."""

import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from privysharing.protocol.build import endorse
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.genesis import genesis_block
from privysharing.protocol.codec.policies import encode_application_policy, encode_signature_policy
from privysharing.protocol.codec.rwsets import encode_state_metadata
from privysharing.protocol.codes import TxCode
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.crypto import SigningIdentity, parse_signature
from privysharing.protocol.policies.dsl import parse_policy
from privysharing.protocol.reading import read_transaction
from privysharing.protocol.rwsets import (
    CollectionHashedRwSet,
    HashedMetadataWrite,
    HashedWrite,
    MetadataWrite,
    NamespaceRwSet,
    Read,
    Version,
    VersionedValue,
    Write,
)
from privysharing.protocol.transactions import ChaincodeId, Endorsement
from tests.support.judging import (
    ADMIN1,
    CLIENT1,
    CLIENT2,
    CONFIG,
    ORG1_CA,
    PEER1,
    PEER2,
    PROFILE,
    DictView,
    Tx,
    judge,
)

VALID, FAILED = TxCode.VALID, TxCode.ENDORSEMENT_POLICY_FAILURE
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ORG1_ONLY = encode_signature_policy(parse_policy("OR('Org1MSP.peer')"))
KEY_HASH = hashlib.sha256(b"secret key").digest()
VALUE_HASH = hashlib.sha256(b"secret value").digest()


@pytest.fixture
def view() -> DictView:
    view = DictView()
    view.define("cc")
    return view


def writing(*namespaces: NamespaceRwSet, by: tuple[SigningIdentity, ...] = (PEER1, PEER2), called: str = "cc") -> Tx:
    return Tx(namespaces=namespaces, endorsers=by, called=called, chaincode=ChaincodeId(called, "1"))


def put(key: str = "k", value: bytes = b"v") -> NamespaceRwSet:
    return NamespaceRwSet("cc", writes=(Write(key, value),))


def set_policy(key: str, policy: bytes | None) -> NamespaceRwSet:
    entries = () if policy is None else (("VALIDATION_PARAMETER", policy),)
    return NamespaceRwSet("cc", metadata_writes=(MetadataWrite(key, entries),))


def in_collection(
    collection: str, *, write: bool = True, policy: bytes | None = None, namespace: str = "cc"
) -> NamespaceRwSet:
    metadata = () if policy is None else (HashedMetadataWrite(KEY_HASH, (("VALIDATION_PARAMETER", policy),)),)
    writes = (HashedWrite(KEY_HASH, VALUE_HASH),) if write else ()
    rwset = CollectionHashedRwSet(collection, writes=writes, metadata_writes=metadata)
    return NamespaceRwSet(namespace, collections=(rwset,))


def codes(view: DictView, *transactions: Tx, config: ChannelConfig = CONFIG) -> tuple[TxCode, ...]:
    return judge(view, *(tx.raw for tx in transactions), config=config).verdicts


# --- the chaincode's policy


def test_both_organisations_in_either_order(view: DictView) -> None:
    assert codes(view, writing(put()), writing(put("other"), by=(PEER2, PEER1))) == (VALID, VALID)


@pytest.mark.parametrize(
    "endorsers",
    [(), (PEER1,), (PEER2,), (PEER1, PEER1), (PEER1, CLIENT2), (PEER1, ADMIN1), (CLIENT1, CLIENT2)],
)
def test_too_few_endorsers_or_the_wrong_ones(view: DictView, endorsers: tuple[SigningIdentity, ...]) -> None:
    assert codes(view, writing(put(), by=endorsers)) == (FAILED,)


def test_a_transaction_that_writes_nothing_needs_the_policy_too(view: DictView) -> None:
    assert codes(view, writing(), writing(by=(PEER1,))) == (VALID, FAILED)


def endorsements(tx: Tx, *endorsers: SigningIdentity) -> list[Endorsement]:
    """The endorsements of a transaction, to be tampered with."""
    endorsed = read_transaction(tx.raw).endorsed
    assert endorsed is not None
    return [endorse(endorsed.transaction.response_payload, endorser) for endorser in endorsers]


def high_s(endorsement: Endorsement) -> Endorsement:
    numbers = parse_signature(endorsement.signature)
    assert numbers is not None
    return replace(endorsement, signature=encode_dss_signature(numbers[0], P256_ORDER - numbers[1]))


def test_a_bad_signature_counts_for_nothing(view: DictView) -> None:
    tx = writing(put())
    first, second = endorsements(tx, PEER1, PEER2)
    flipped = replace(second, signature=second.signature[:-1] + bytes((second.signature[-1] ^ 1,)))
    for bad in (flipped, high_s(second), replace(second, endorser=PEER1.serialized), replace(second, signature=b"")):
        assert codes(view, replace(tx, endorsements=(first, bad))) == (FAILED,)
    assert codes(view, replace(tx, endorsements=(first, second))) == (VALID,)


def test_a_bad_endorsement_beside_enough_good_ones_does_no_harm(view: DictView) -> None:
    tx = writing(put())
    first, second = endorsements(tx, PEER1, PEER2)
    garbage = Endorsement(b"nobody", b"nothing")
    bad_first = replace(first, signature=b"bad")
    for kept in ((garbage, first, second), (first, first, second), (bad_first, first, second)):
        assert codes(view, replace(tx, endorsements=kept)) == (VALID,)


def test_an_endorsement_of_another_response_counts_for_nothing(view: DictView) -> None:
    tx = writing(put())
    (first,) = endorsements(tx, PEER1)
    (elsewhere,) = endorsements(writing(put("other")), PEER2)
    assert codes(view, replace(tx, endorsements=(first, elsewhere))) == (FAILED,)


def test_an_endorser_of_a_foreign_authority_counts_for_nothing(view: DictView) -> None:
    impostor = ORG1_CA.issue("peer2", "peer").signer("Org2MSP")
    assert codes(view, writing(put(), by=(PEER1, impostor))) == (FAILED,)


def test_every_namespace_written_has_its_say(view: DictView) -> None:
    view.define("lax", "OR('Org1MSP.peer')")
    lax = NamespaceRwSet("lax", writes=(Write("k", b"v"),))
    assert codes(view, writing(lax, called="lax", by=(PEER1,))) == (VALID,)
    assert codes(view, writing(put("x"), lax, called="lax", by=(PEER1,))) == (FAILED,)
    assert codes(view, writing(lax, called="cc", by=(PEER1,))) == (FAILED,)


def test_a_policy_may_be_the_channels() -> None:
    view = DictView()
    view.define("cc", None)
    assert codes(view, writing(put()), writing(put("o"), by=(PEER1,))) == (VALID, FAILED)


def test_lifecycle_has_a_policy_of_its_own(view: DictView) -> None:
    approval = NamespaceRwSet("_lifecycle", writes=(Write("anything", b"v"),))
    both, alone = (writing(approval, called="_lifecycle", by=by) for by in ((PEER1, PEER2), (PEER1,)))
    assert codes(view, both, alone) == (VALID, FAILED)


def test_without_a_lifecycle_policy_a_majority_of_members_decides(view: DictView) -> None:
    policies = {name: rule for name, rule in PROFILE.application_policies.items() if name != "LifecycleEndorsement"}
    genesis = genesis_block(replace(PROFILE, application_policies=policies), nonce=b"n", timestamp_ns=1)
    config = ChannelConfig.from_block(genesis)
    approval = NamespaceRwSet("_lifecycle", writes=(Write("anything", b"v"),))
    both, alone = (writing(approval, called="_lifecycle", by=by) for by in ((CLIENT1, CLIENT2), (CLIENT1, PEER1)))
    assert codes(view, both, alone, config=config) == (VALID, FAILED)


# --- a collection's policy


@pytest.fixture
def collections(view: DictView) -> DictView:
    own = encode_application_policy(parse_policy("OR('Org1MSP.peer')"))
    view.define(
        "cc", collections=(CollectionConfig(name="plain"), CollectionConfig(name="own", endorsement_policy=own))
    )
    return view


def test_a_collection_without_a_policy_leaves_it_to_its_chaincode(collections: DictView) -> None:
    assert codes(collections, writing(in_collection("plain"))) == (VALID,)
    assert codes(collections, writing(in_collection("plain"), by=(PEER1,))) == (FAILED,)


def test_a_collections_own_policy_takes_the_chaincodes_place(collections: DictView) -> None:
    assert codes(collections, writing(in_collection("own"), by=(PEER1,))) == (VALID,)
    assert codes(collections, writing(in_collection("own"), by=(PEER2,))) == (FAILED,)


def test_a_public_write_beside_it_needs_the_chaincodes_policy_as_well(collections: DictView) -> None:
    both = replace(in_collection("own"), writes=(Write("k", b"v"),))
    assert codes(collections, writing(both), writing(both, by=(PEER1,))) == (VALID, FAILED)


def test_a_collection_that_is_not_defined_cannot_be_written(collections: DictView) -> None:
    assert codes(collections, writing(in_collection("nowhere"))) == (FAILED,)


def test_an_implicit_collection_is_its_organisations(collections: DictView) -> None:
    mine = in_collection("_implicit_org_Org1MSP")
    assert codes(collections, writing(mine, by=(PEER1,)), writing(mine, by=(PEER2,))) == (VALID, FAILED)
    assert codes(collections, writing(in_collection("_implicit_org_NobodyMSP"))) == (FAILED,)


def test_an_organisation_without_an_endorsement_policy_signs_as_any_member(collections: DictView) -> None:
    org1, org2 = PROFILE.application_orgs
    bare = replace(org1, policies={name: rule for name, rule in org1.policies.items() if name != "Endorsement"})
    genesis = genesis_block(replace(PROFILE, application_orgs=(bare, org2)), nonce=b"n", timestamp_ns=1)
    mine = in_collection("_implicit_org_Org1MSP")
    config = ChannelConfig.from_block(genesis)
    assert codes(collections, writing(mine, by=(CLIENT1,)), writing(mine, by=(PEER2,)), config=config) == (
        VALID,
        FAILED,
    )


# --- a key's own policy


def with_policy(view: DictView, key: str, policy: bytes) -> None:
    view.put("cc", key, b"old", Version(1, 0), encode_state_metadata([("VALIDATION_PARAMETER", policy)]))


def test_a_keys_own_policy_takes_the_chaincodes_place(view: DictView) -> None:
    with_policy(view, "k", ORG1_ONLY)
    assert codes(view, writing(put(), by=(PEER1,)), writing(put(), by=(PEER2,))) == (VALID, FAILED)
    assert codes(view, writing(put("other"), by=(PEER1,))) == (FAILED,)


def test_other_metadata_is_no_policy(view: DictView) -> None:
    view.put(
        "cc", "k", b"old", Version(1, 0), encode_state_metadata([("COLOUR", b"red"), ("VALIDATION_PARAMETER", b"")])
    )
    assert codes(view, writing(put(), by=(PEER1,)), writing(put())) == (FAILED, VALID)


def test_a_keys_policy_guards_its_own_change(view: DictView) -> None:
    with_policy(view, "k", ORG1_ONLY)
    assert codes(view, writing(set_policy("k", None), by=(PEER2,))) == (FAILED,)
    assert codes(view, writing(set_policy("k", None), by=(PEER1,))) == (VALID,)


def test_a_policy_that_cannot_be_read_is_met_by_nobody(view: DictView) -> None:
    with_policy(view, "k", b"\xff")
    assert codes(view, writing(put())) == (FAILED,)


def test_a_hashed_key_may_have_its_own_policy(collections: DictView) -> None:
    metadata = encode_state_metadata([("VALIDATION_PARAMETER", ORG1_ONLY)])
    collections.hashed["cc", "plain", KEY_HASH] = VersionedValue(b"old", Version(1, 0), metadata)
    tx = in_collection("plain")
    assert codes(collections, writing(tx, by=(PEER1,)), writing(tx, by=(PEER2,))) == (VALID, FAILED)


class WatchedView(DictView):
    """Knows which keys of the chaincode somebody has looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_up: list[str] = []

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        if namespace == "cc":
            self.looked_up.append(key)
        return super().get(namespace, key)

    def get_hashed(self, namespace: str, collection: str, key_hash: bytes) -> VersionedValue | None:
        self.looked_up.append(collection)
        return super().get_hashed(namespace, collection, key_hash)


def test_written_keys_are_looked_up_only_where_some_key_has_metadata() -> None:
    view = WatchedView()
    view.define("cc", collections=[CollectionConfig(name="plain"), CollectionConfig(name="other")])
    metadata = encode_state_metadata([("VALIDATION_PARAMETER", ORG1_ONLY)])
    block = [writing(put()), writing(in_collection("plain")), writing(in_collection("other"))]
    for expected in ([], ["plain"], ["k", "plain"]):
        view.looked_up.clear()
        assert codes(view, *block) == (VALID, VALID, VALID)
        assert view.looked_up == expected
        if not expected:
            view.hashed["cc", "plain", b"another"] = VersionedValue(b"old", Version(1, 0), metadata)
        else:
            with_policy(view, "another", ORG1_ONLY)


def test_a_later_write_of_a_key_whose_policy_the_block_changed_fails(view: DictView) -> None:
    view.put("cc", "k", b"old", Version(1, 0))
    transactions = (writing(set_policy("k", ORG1_ONLY)), writing(put()), writing(put("other")))
    assert codes(view, *transactions) == (VALID, FAILED, VALID)


def test_so_does_one_of_a_hashed_key(collections: DictView) -> None:
    changed = writing(in_collection("plain", write=False, policy=ORG1_ONLY))
    assert codes(collections, changed, writing(in_collection("plain")), writing(in_collection("own"))) == (
        VALID,
        FAILED,
        VALID,
    )


def test_a_change_of_policy_that_was_not_endorsed_stands_in_nobodys_way(view: DictView) -> None:
    assert codes(view, writing(set_policy("k", ORG1_ONLY), by=(PEER1,)), writing(put())) == (FAILED, VALID)


def test_one_that_turns_out_stale_does(view: DictView) -> None:
    stale = replace(set_policy("k", ORG1_ONLY), reads=(Read("gone", Version(1, 1)),))
    assert codes(view, writing(stale), writing(put())) == (TxCode.MVCC_READ_CONFLICT, FAILED)

"""Private data is shown to peers of its collections' members and to no other, whoever is named and whatever is lost."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privysharing.contract.private_readings import KEY_BITS, SALT_BITS
from privysharing.sdk import Call
from privysharing.sdk.errors import PrivateDataRefused, ProfileError
from privysharing.sdk.profile import ChannelNodes, Collection, Node
from privysharing.sdk.routing import route
from privysharing.sdk.salting import salted

ORGS = ("A", "B", "C")
PEERS = tuple(Node(f"peer{number}.{org}", org, "localhost:1", b"") for org in ORGS for number in (0, 1))
COLLECTIONS = {
    "cc": {"ab": Collection(frozenset("AB"), 3), "bc": Collection(frozenset("BC")), "none": Collection(frozenset())}
}
NODES = ChannelNodes(PEERS, PEERS, (), 2, COLLECTIONS)
SECRET = {"value": b"2.4"}


def names(peers):
    return [node.name for node in peers]


def test_what_is_not_private_goes_to_anybody():
    chosen = route("ch", Call("cc", "f"), NODES, "A")
    assert (chosen.peers, chosen.needed) == (PEERS, 2)
    named = route("ch", Call("cc", "f"), NODES, "A", PEERS[4:])
    assert (named.peers, named.needed) == (PEERS[4:], 2)


@pytest.mark.parametrize("transient", [None, SECRET])
def test_a_collections_call_goes_to_its_members_and_needs_as_many_as_the_profile_says(transient):
    chosen = route("ch", Call("cc", "f", (), transient, ("ab",)), NODES, "C")
    assert (chosen.peers, chosen.needed) == (PEERS[:4], 3)
    assert route("ch", Call("cc", "f", (), transient, ("bc",)), NODES, "A").needed == 4


def test_a_call_about_several_collections_goes_to_whoever_is_a_member_of_all():
    chosen = route("ch", Call("cc", "f", (), SECRET, ("ab", "bc")), NODES, "A")
    assert names(chosen.peers) == ["peer0.B", "peer1.B"]
    assert chosen.needed == 2


def test_an_organisations_implicit_collection_is_its_own():
    chosen = route("ch", Call("cc", "f", (), SECRET, ("_implicit_org_C",)), NODES, "A")
    assert names(chosen.peers) == ["peer0.C", "peer1.C"]


def test_transient_data_of_no_collection_stays_in_ones_own_organisation():
    assert names(route("ch", Call("cc", "f", (), SECRET), NODES, "B").peers) == ["peer0.B", "peer1.B"]
    with pytest.raises(
        PrivateDataRefused, match=r"that names no collection in cc on ch is for peers of D; found peer0.A"
    ):
        route("ch", Call("cc", "f", (), SECRET), NODES, "D")


def test_a_named_peer_that_is_no_member_is_refused_and_not_left_out():
    call = Call("cc", "f", (), SECRET, ("ab",))
    assert route("ch", call, NODES, "A", PEERS[1:2]).needed == 1
    with pytest.raises(PrivateDataRefused, match=r"of ab in cc on ch is for peers of A, B; found peer1.B, peer0.C"):
        route("ch", call, NODES, "A", PEERS[3:5])


@pytest.mark.parametrize(("chaincode", "collection"), [("cc", "other"), ("other", "ab")])
def test_a_collection_that_the_profile_does_not_know_is_refused(chaincode, collection):
    with pytest.raises(ProfileError, match="no collection"):
        route("ch", Call(chaincode, "f", (), SECRET, (collection,)), NODES, "A")


@given(
    collections=st.lists(st.sampled_from(("ab", "bc", "none", "_implicit_org_A")), max_size=3),
    named=st.lists(st.sampled_from(PEERS), max_size=3, unique=True),
    own=st.sampled_from((*ORGS, "D")),
)
def test_no_transient_data_ever_goes_outside(collections, named, own):
    call = Call("cc", "f", (), SECRET, tuple(collections))
    members = {name: set(each.members) for name, each in COLLECTIONS["cc"].items()} | {"_implicit_org_A": {"A"}}
    may = set.intersection(*(members[name] for name in collections)) if collections else {own}
    try:
        chosen = route("ch", call, NODES, own, named)
    except PrivateDataRefused:
        assert not may or not {node.msp_id for node in named} <= may or not may & set(ORGS)
        return
    assert {node.msp_id for node in chosen.peers} <= may
    assert 1 <= chosen.needed <= len(chosen.peers)


def test_keys_and_salts_are_drawn_for_each_record_as_the_contract_asks():
    chance = itertools.count(1)
    records = json.loads(
        salted([{"value": 72, "salt": "mine"}, {"value": 72}], lambda size: bytes([next(chance)]) * size)
    )
    assert [record["value"] for record in records] == [72, 72]
    assert len({record[name] for record in records for name in ("key", "salt")}) == 4
    assert [(len(record["key"]) * 4, len(record["salt"]) * 4) for record in records] == [(KEY_BITS, SALT_BITS)] * 2


def test_a_call_does_not_show_its_secrets():
    assert "2.4" not in repr(Call("cc", "f", (), SECRET))

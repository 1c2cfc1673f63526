"""What the contract cannot stop, and how much of it shows: the tests behind `docs/threat-model.md`."""

import json
from dataclasses import replace

import pytest

from privysharing.chaincode.canonical import dumps
from privysharing.chaincode.keys import composite_key
from privysharing.contract.coins import COIN, MINT, Coin, Issue
from privysharing.contract.instants import PROPOSAL_WINDOW_NS, parse_instant
from privysharing.protocol.codec.msps import encode_serialized_identity
from tests.support.city import ALICE, BOB, DAY, DOCTOR, PULSE, City, authority


@pytest.fixture
def city() -> City:
    """Alice's pulse, and ten coins of the doctor's."""
    city = City()
    city.create()
    city.submit(ALICE, "AddReading", PULSE, 71, "bpm")
    city.fund(DOCTOR, 10)
    return city


def test_whoever_gets_a_certificate_of_her_name_from_her_own_organisation_is_alice(city: City) -> None:
    """A person is a name and an organisation: that organisation's CA decides who it is."""
    holder = authority("CitizensMSP").issue("alice", "client")
    second = encode_serialized_identity("CitizensMSP", holder.pem)
    assert city.ask(second, "ReadAsset", PULSE)["readings"][0]["value"] == 71
    city.request(BOB, 1)
    city.submit(second, "ShareAsset", "heart_rate", PULSE, 1, [BOB])
    assert city.ask(BOB, "ReadAsset", PULSE)
    acts = city.ask(ALICE, "AssetHistory", PULSE)["items"]
    assert "shared" in [entry["act"] for entry in acts]  # the true one can see that it was done


def write(city: City, key: str, record: Coin | Issue) -> None:
    """What peers enough for the policy have agreed to write."""
    some = next(iter(city.world.state.values()))
    city.world.state[key] = replace(some, value=dumps(record.to_json()))


def test_coins_that_endorsers_made_without_a_mint_show_in_the_audit(city: City) -> None:
    assert city.audit()["balanced"]
    write(city, composite_key(COIN, BOB, "f" * 64), Coin("f" * 64, BOB, 5))
    assert city.balance(BOB) == 5
    assert not city.audit()["balanced"]


def test_coins_that_endorsers_made_with_a_mint_show_in_no_sum(city: City) -> None:
    """Only in the list of payments: there is none of that reference."""
    write(city, composite_key(COIN, BOB, "f" * 64), Coin("f" * 64, BOB, 5))
    write(city, composite_key(MINT, "never-paid"), Issue("never-paid", BOB, 5, "2020-03-01T12:00:00Z", "f" * 64))
    assert city.audit()["balanced"]


def test_an_owner_cheats_a_buyer_of_ten_minutes_at_most(city: City) -> None:
    """By dating the share before the clock of the peers."""
    city.request(DOCTOR, 1)
    arguments = ("ShareAsset", "heart_rate", PULSE, 1, [DOCTOR])
    for lie in (PROPOSAL_WINDOW_NS + 1, -PROPOSAL_WINDOW_NS - 1):
        refused, _ = city.simulate(ALICE, *arguments, at=city.now - lie, peer_time=city.now)
        assert json.loads(refused.message)["code"] == "TIMESTAMP_REFUSED"
    shared, stub = city.simulate(ALICE, *arguments, at=city.now - PROPOSAL_WINDOW_NS, peer_time=city.now)
    assert shared.status == 200
    city.world.commit(stub)
    (grant,) = city.ask(ALICE, "ListGrants", PULSE)["items"]
    assert parse_instant(grant["not_after"]) == city.now + DAY - PROPOSAL_WINDOW_NS

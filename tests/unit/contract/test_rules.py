"""The access rules of the city, each from both sides. The numbers are those in `privysharing.contract.access`."""

import json

import pytest

from privysharing.protocol.codec.msps import encode_serialized_identity
from tests.support.city import ALICE, BOB, DAY, DOCTOR, MINT, OFFICER, PULSE, City, authority, creator, names_in

DENIED = "access denied: not enough permissions"
NOBODY = "nobody@CitizensMSP/nothing"
PULSE_VALUE = 71.25


@pytest.fixture
def city():
    """Alice's pulse is shared with the doctor for a day; the officer has asked for it."""
    city = City()
    city.create()
    city.submit(ALICE, "AddReading", PULSE, PULSE_VALUE, "bpm")
    city.share(DOCTOR, 1)
    city.request(OFFICER, 1)
    return city


def as_answered(city, who, function, *args):
    """Everything that the caller learns: the response, byte for byte."""
    response, stub = city.simulate(who, function, *args)
    return response, len(stub.reads), len(stub.range_reads)


# Rules 1, 7 and 10: who reads.


def test_the_owner_and_the_grantee_read_and_nobody_else(city):
    for reader in (ALICE, DOCTOR):
        assert names_in(city.ask(reader, "ReadAsset", PULSE)["readings"], "value") == [PULSE_VALUE]
    for stranger in (BOB, OFFICER, MINT, creator("admin@CitizensMSP", "admin"), creator(BOB, role="auditor")):
        assert city.refusal(stranger, "ReadAsset", PULSE)["message"] == DENIED


def test_an_asset_that_one_may_not_read_looks_like_one_that_is_not_there(city):
    asked = as_answered(city, BOB, "ReadAsset", PULSE)
    assert asked == as_answered(city, BOB, "ReadAsset", NOBODY)
    assert asked == as_answered(city, BOB, "ReadAsset", f"{ALICE}/unknown")


OWNERS_OWN = [
    ("UpdateAsset", [{"status": "retired"}]),
    ("AddReading", [1, "bpm"]),
    ("AddReadings", [[{"value": 1, "unit": "bpm"}]]),
    ("RevokeGrant", [DOCTOR]),
    ("DeleteAsset", []),
    ("DeclineRequest", [OFFICER]),
    ("ListGrants", []),
    ("ListRequests", []),
    ("AssetHistory", []),
]


@pytest.mark.parametrize(("function", "args"), OWNERS_OWN, ids=[function for function, _ in OWNERS_OWN])
@pytest.mark.parametrize("stranger", [BOB, DOCTOR, OFFICER, MINT])
def test_what_only_the_owner_may_do_is_denied_to_all_others_and_tells_them_nothing(city, stranger, function, args):
    answer = as_answered(city, stranger, function, PULSE, *args)
    assert json.loads(answer[0].message)["message"] == DENIED
    assert answer == as_answered(city, stranger, function, NOBODY, *args)
    assert city.simulate(ALICE, function, PULSE, *args)[0].status == 200


@pytest.mark.parametrize("who", [BOB, DOCTOR, OFFICER, MINT])
def test_only_the_owner_may_share(city, who):
    """Rule 2."""
    assert city.refusal(who, "ShareAsset", "heart_rate", PULSE, 1, [OFFICER])["message"] == DENIED
    assert (
        city.submit(ALICE, "ShareAsset", "heart_rate", PULSE, 1, [OFFICER])["stakeholders"][0]["message"]
        == "data shared"
    )


def test_a_grantee_cannot_pass_its_grant_on(city):
    assert city.refusal(DOCTOR, "ShareAsset", "heart_rate", PULSE, 1, [BOB])["message"] == DENIED


def test_lists_hold_ones_own_things_only(city):
    city.create(BOB, "pulse")
    assert names_in(city.ask(ALICE, "ListMyAssets")["items"]) == [PULSE]
    assert names_in(city.ask(BOB, "ListMyAssets")["items"]) == [f"{BOB}/pulse"]
    assert city.ask(DOCTOR, "ListMyAssets")["items"] == []
    assert names_in(city.ask(DOCTOR, "ListSharedWithMe")["items"]) == [PULSE]
    assert city.ask(OFFICER, "ListSharedWithMe")["items"] == []
    assert names_in(city.ask(ALICE, "ListRequests")["items"], "requester") == [OFFICER]
    assert names_in(city.ask(ALICE, "ListRequests", "", "", 10, "granted")["items"], "requester") == [DOCTOR]
    assert city.ask(BOB, "ListRequests")["items"] == []
    assert names_in(city.ask(OFFICER, "ListMyRequests")["items"], "asset") == [PULSE]
    assert city.ask(BOB, "ListMyRequests")["items"] == []


@pytest.mark.parametrize("reader", [ALICE, DOCTOR])
def test_a_bookmark_of_one_list_opens_no_other(city, reader):
    foreign = next(key for key in city.state() if key.startswith("\x00coin\x00")).encode().hex()
    for function in ("ListMyAssets", "ListSharedWithMe", "ListMyRequests", "ListRequests"):
        args = ["", foreign] if function == "ListRequests" else [foreign]
        assert city.refusal(reader, function, *args)["code"] == "BAD_VALUE"
    assert city.refusal(reader, "ReadAsset", PULSE, foreign)["code"] == "BAD_VALUE"
    assert city.refusal(reader, "ReadAsset", PULSE, "no hex")["code"] == "BAD_VALUE"
    assert city.refusal(reader, "ReadAsset", PULSE, "ff")["code"] == "BAD_VALUE"
    assert city.refusal(reader, "ReadAsset", PULSE, " ")["code"] == "BAD_VALUE"


# Rule 4: history.


def test_an_admin_or_auditor_lists_transactions_without_values_or_details(city):
    for overseer in (creator("admin@MedicalMSP", "admin"), creator("carol@BankMSP", role="auditor")):
        acts = city.ask(overseer, "ListTransactions")["items"]
        assert sorted(names_in(acts, "act")) == ["created", "readings added", "requested", "requested", "shared"]
        assert all(sorted(act) == ["act", "asset", "by", "time", "tx_id"] for act in acts)
        assert str(PULSE_VALUE) not in json.dumps(acts)
        assert city.refusal(overseer, "AssetHistory", PULSE)["message"] == DENIED


@pytest.mark.parametrize("who", [ALICE, DOCTOR, MINT, creator("mallory@CitizensMSP", role="auditor ")])
def test_nobody_else_lists_transactions(city, who):
    assert city.refusal(who, "ListTransactions")["message"] == DENIED


# Rule 5: profiles.


def test_a_profile_is_its_persons_alone():
    city = City()
    city.submit(ALICE, "SetProfile", {"name": "Alice"})
    assert city.ask(ALICE, "GetProfile")["fields"] == {"name": "Alice"}
    assert city.ask(ALICE, "GetProfile", ALICE)["fields"] == {"name": "Alice"}
    assert city.ask(BOB, "GetProfile")["fields"] == {}
    for other in (BOB, MINT, creator("admin@CitizensMSP", "admin")):
        assert city.refusal(other, "GetProfile", ALICE)["message"] == DENIED
        assert city.refusal(other, "SetProfile", {"name": "Mallory"}, ALICE)["message"] == DENIED
        assert as_answered(city, other, "GetProfile", ALICE) == as_answered(city, other, "GetProfile", "x@CitizensMSP")


# Rule 8: coins.


def test_everybody_sees_only_his_own_coins(city):
    city.fund(BOB, 7)
    assert city.balance(BOB) == 7
    assert city.balance(ALICE) == 1
    assert city.balance(OFFICER) == 0  # its coin is in escrow


@pytest.mark.parametrize("who", [ALICE, DOCTOR, creator("admin@CitizensMSP", "admin"), creator("x@MinistryMSP2")])
def test_only_the_ministry_mints_and_burns(city, who):
    assert city.refusal(who, "MintCoins", ALICE, 5, "payment")["message"] == DENIED
    assert city.refusal(who, "BurnCoins", 5, "payout", [])["message"] == DENIED
    assert city.submit(MINT, "MintCoins", ALICE, 5, "payment")["amount"] == 5


def test_sums_of_coins_are_for_auditors_admins_and_the_ministry(city):
    for overseer in (MINT, creator("admin@MedicalMSP", "admin"), creator("carol@BankMSP", role="auditor")):
        assert city.ask(overseer, "AuditCoins") == {
            "minted": 2,
            "held": 1,
            "escrowed": 1,
            "burned": 0,
            "balanced": True,
        }
    for other in (ALICE, DOCTOR):
        assert city.refusal(other, "AuditCoins")["message"] == DENIED


# Rule 10: intruders.


QUERIES = ["ListMyAssets", "ListSharedWithMe", "ListRequests", "ListMyRequests"]


@pytest.mark.parametrize(
    "intruder", ["intruder@CitizensMSP", "intruder@PoliceMSP", "alice@MedicalMSP", "ALICE@CitizensMSP"]
)
def test_an_intruder_whom_a_corrupt_admin_registered_reads_nothing(city, intruder):
    for asset in (PULSE, NOBODY):
        assert city.refusal(intruder, "ReadAsset", asset)["message"] == DENIED
        assert city.refusal(intruder, "AssetHistory", asset)["message"] == DENIED
    assert all(city.ask(intruder, query)["items"] == [] for query in QUERIES)
    assert city.ask(intruder, "MyCoins") == {"total": 0, "count": 0, "coins": []}
    assert city.refusal(intruder, "ListTransactions")["message"] == DENIED


def test_another_organisations_alice_is_not_alice(city):
    foreign_alice = encode_serialized_identity("MedicalMSP", authority("MedicalMSP").issue("alice", "client").pem)
    assert city.refusal(foreign_alice, "ReadAsset", PULSE)["message"] == DENIED


@pytest.mark.parametrize("name", ["alice\u200b", "\u0430lice", "alice ", " alice", "a\x00b", "\U0010ffff", "x" * 129])
def test_a_disguised_name_is_nobodys(city, name):
    """Only printable ASCII names people, so nobody can look like Alice, or break out of a key."""
    assert city.refusal(ALICE, "TransferCoins", f"{name}@CitizensMSP", 1, city.coins(ALICE))["code"] == "BAD_VALUE"
    if len(name) < 64 and "\x00" not in name:
        impostor = encode_serialized_identity("CitizensMSP", authority("CitizensMSP").issue(name, "client").pem)
        assert city.refusal(impostor, "ReadAsset", PULSE)["code"] == "BAD_VALUE"


# Time: a grant must cover every clock.


def test_a_grant_ends_by_itself(city):
    last = city.now + DAY - 1
    assert city.ask(DOCTOR, "ReadAsset", PULSE, at=last)
    assert city.refusal(DOCTOR, "ReadAsset", PULSE, at=last + 1)["message"] == DENIED
    city.now = last + 1
    assert city.ask(DOCTOR, "ListSharedWithMe")["items"] == []


def test_a_grant_does_not_begin_before_it_was_given(city):
    assert city.ask(DOCTOR, "ReadAsset", PULSE, at=city.now)
    assert city.refusal(DOCTOR, "ReadAsset", PULSE, at=city.now - 1)["message"] == DENIED


@pytest.mark.parametrize("offset", [DAY, 400 * DAY, -1])
def test_a_lie_about_the_time_gains_nothing_where_the_peer_has_a_clock(city, offset):
    assert city.ask(DOCTOR, "ReadAsset", PULSE, peer_time=city.now)
    assert city.refusal(DOCTOR, "ReadAsset", PULSE, peer_time=city.now + offset)["message"] == DENIED
    assert city.ask(DOCTOR, "ListSharedWithMe", peer_time=city.now + offset)["items"] == []


def test_a_transaction_whose_timestamp_is_far_from_the_peers_clock_is_refused(city):
    """An owner who back-dates a share would be paid for days that are over."""
    window = 600 * 10**9
    for lie in (window + 1, -window - 1):
        refusal = city.refusal(
            ALICE, "ShareAsset", "heart_rate", PULSE, 1, [OFFICER], at=city.now + lie, peer_time=city.now
        )
        assert (refusal["code"], refusal["retry"]) == ("TIMESTAMP_REFUSED", True)
    for drift in (window, -window):
        response, _ = city.simulate(
            ALICE, "ShareAsset", "heart_rate", PULSE, 1, [OFFICER], at=city.now + drift, peer_time=city.now
        )
        assert response.status == 200


def test_the_peers_clock_changes_nothing_that_is_written(city):
    args = (ALICE, "ShareAsset", "heart_rate", PULSE, 1, [OFFICER])
    writes = []
    for peer_time in (None, city.now, city.now + 10**9):
        city.calls = 1000
        writes.append(city.simulate(*args, peer_time=peer_time)[1].writes)
    assert writes[0] == writes[1] == writes[2]

"""Requests, their escrow, and Algorithm 1."""

import pytest

from privysharing.protocol.codes import TxCode
from tests.support.city import ALICE, BOB, DAY, DOCTOR, MINT, OFFICER, PULSE, City, creator, names_in

NOT_ENOUGH = "stakeholder does not have enough coins"


@pytest.fixture
def city():
    city = City()
    city.create()
    return city


def share(city, days, *stakeholders, **choices):
    return city.submit(ALICE, "ShareAsset", "heart_rate", PULSE, days, stakeholders, **choices)


def refused_share(city, days, *stakeholders, **choices):
    return city.refusal(ALICE, "ShareAsset", "heart_rate", PULSE, days, stakeholders, **choices)


# Requests


def test_a_request_sets_the_price_aside_and_gives_change(city):
    city.fund(DOCTOR, 10)
    request = city.submit(DOCTOR, "FileRequest", PULSE, 3, "check-up", city.coins(DOCTOR))
    assert (request["coins"], request["status"], request["expires_at"]) == (3, "open", "2020-03-31T12:00:00Z")
    assert city.balance(DOCTOR) == 7
    assert city.audit() == {"minted": 10, "held": 7, "escrowed": 3, "burned": 0, "balanced": True}


def test_a_stakeholder_without_enough_coins_cannot_ask(city):
    city.fund(DOCTOR, 2)
    for coins in (city.coins(DOCTOR), []):
        refusal = city.refusal(DOCTOR, "FileRequest", PULSE, 3, "check-up", coins)
        assert refusal["message"] == NOT_ENOUGH
        assert (refusal["needed"], refusal["found"]) == ("3 coins", f"{2 if coins else 0} coins")
    assert city.balance(DOCTOR) == 2


@pytest.mark.parametrize("days", ["0", "-1", "1000000000", "3651", "1.5", "true", "NaN", '"3"', ""])
def test_a_number_of_days_is_a_whole_number_from_1_to_3650(city, days):
    city.fund(DOCTOR, 5)
    codes = {"BAD_VALUE", "BAD_ARGUMENT"}
    assert city.refusal(DOCTOR, "FileRequest", PULSE, days, "x", city.coins(DOCTOR))["code"] in codes
    assert city.refusal(ALICE, "ShareAsset", "heart_rate", PULSE, days, [DOCTOR])["code"] in codes


@pytest.mark.parametrize("purpose", ["", "   ", "x" * 257, "a\x00b", "safe\u202eelbat"])
def test_a_purpose_says_what_for(city, purpose):
    city.fund(DOCTOR, 5)
    assert city.refusal(DOCTOR, "FileRequest", PULSE, 1, purpose, city.coins(DOCTOR))["code"] == "BAD_VALUE"


def test_nobody_asks_himself(city):
    city.fund(ALICE, 5)
    assert city.refusal(ALICE, "FileRequest", PULSE, 1, "x", city.coins(ALICE))["code"] == "BAD_VALUE"


def test_a_request_does_not_tell_whether_the_asset_exists(city):
    city.fund(BOB, 1)
    there, _ = city.simulate(BOB, "FileRequest", PULSE, 1, "x", city.coins(BOB))
    nowhere, _ = city.simulate(BOB, "FileRequest", PULSE.replace("pulse", "ghost"), 1, "x", city.coins(BOB))
    assert there.status == nowhere.status == 200
    assert (
        there.payload[:400].replace(b"pulse", b"ghost").split(b"request_id")[0]
        == nowhere.payload.split(b"request_id")[0]
    )


def test_one_request_at_a_time(city):
    city.request(DOCTOR, 1)
    city.fund(DOCTOR, 1)
    assert city.refusal(DOCTOR, "FileRequest", PULSE, 1, "x", city.coins(DOCTOR))["code"] == "REQUEST_OPEN"
    city.submit(DOCTOR, "CancelRequest", PULSE)
    assert city.request(DOCTOR, 1)["status"] == "open"


@pytest.mark.parametrize(
    ("who", "function", "args", "status"),
    [(ALICE, "DeclineRequest", [PULSE, DOCTOR], "declined"), (DOCTOR, "CancelRequest", [PULSE], "cancelled")],
)
def test_declining_and_cancelling_give_every_coin_back_once(city, who, function, args, status):
    city.request(DOCTOR, 4)
    assert city.submit(who, function, *args)["status"] == status
    assert city.balance(DOCTOR) == 4
    assert city.refusal(who, function, *args)["code"] == "REQUEST_NOT_OPEN"
    assert city.ask(ALICE, "ListRequests", PULSE)["items"] == []
    for which in (status, "all"):
        assert names_in(city.ask(ALICE, "ListRequests", PULSE, "", 10, which)["items"], "status") == [status]
    assert city.refusal(ALICE, "ListRequests", PULSE, "", 10, "opened")["code"] == "BAD_VALUE"
    assert names_in(city.ask(DOCTOR, "ListMyRequests")["items"], "status") == [status]
    assert city.audit()["balanced"]


def test_nobody_cancels_or_declines_for_others(city):
    city.request(DOCTOR, 4)
    assert city.refusal(BOB, "CancelRequest", PULSE)["code"] == "REQUEST_NOT_OPEN"
    assert city.refusal(BOB, "DeclineRequest", PULSE, DOCTOR)["code"] == "ACCESS_DENIED"
    assert city.refusal(DOCTOR, "DeclineRequest", PULSE, DOCTOR)["code"] == "ACCESS_DENIED"


@pytest.mark.parametrize(
    ("who", "function", "args"), [(ALICE, "DeclineRequest", [PULSE, DOCTOR]), (DOCTOR, "CancelRequest", [PULSE])]
)
def test_an_expired_request_is_refunded_by_either_and_shared_by_nobody(city, who, function, args):
    city.request(DOCTOR, 4)
    city.now += 30 * DAY
    assert city.ask(ALICE, "ListRequests")["items"] == []
    assert names_in(city.ask(ALICE, "ListRequests", "", "", 10, "expired")["items"], "status") == ["expired"]
    refusal = refused_share(city, 4, DOCTOR)
    assert refusal["message"] == NOT_ENOUGH
    assert "expired" in refusal["found"]
    assert city.submit(who, function, *args)["status"] == "expired"
    assert city.balance(DOCTOR) == 4


def test_a_request_that_has_expired_by_the_peers_clock_is_not_shared(city):
    city.request(DOCTOR, 1)
    edge = city.now + 30 * DAY
    assert refused_share(city, 1, DOCTOR, at=edge - 1, peer_time=edge)["message"] == NOT_ENOUGH
    response, _ = city.simulate(ALICE, "ShareAsset", "heart_rate", PULSE, 1, [DOCTOR], at=edge - 1, peer_time=edge - 1)
    assert response.status == 200


def test_closed_requests_for_assets_that_never_were_do_not_hide_an_open_one(city):
    for number in range(3):
        city.fund(BOB, 1)
        ghost = PULSE.replace("pulse", f"ghost{number}")
        city.submit(BOB, "FileRequest", ghost, 1, "x", city.coins(BOB))
        city.submit(BOB, "CancelRequest", ghost)
    city.request(DOCTOR, 1)
    assert names_in(city.ask(ALICE, "ListRequests")["items"], "requester") == [DOCTOR]
    assert len(city.ask(ALICE, "ListRequests", "", "", 10, "all")["items"]) == 4


# Algorithm 1


def test_time_that_has_passed_on_any_clock_is_not_sold(city):
    city.submit(creator("admin@MinistryMSP", "admin"), "ConfigureChannel", {"day_seconds": 60})
    city.request(DOCTOR, 1)
    end = city.now + 60 * 10**9
    call = (ALICE, "ShareAsset", "heart_rate", PULSE, 1, [DOCTOR])
    refusal = city.refusal(*call, peer_time=end)
    assert (refusal["code"], refusal["found"]) == ("GRANT_OVER", "2020-03-01T12:01:00Z")
    response, _ = city.simulate(*call, peer_time=end - 1)
    assert response.status == 200


def test_each_stakeholder_pays_one_coin_a_day_and_the_owner_has_them_at_once(city):
    city.request(DOCTOR, 3)
    city.request(OFFICER, 3)
    outcome = share(city, 3, DOCTOR, OFFICER)["stakeholders"]
    assert names_in(outcome, "message") == ["data shared", "data shared"]
    assert names_in(outcome, "not_after") == ["2020-03-04T12:00:00Z"] * 2
    assert city.balance(ALICE) == 6
    assert city.world.events[-1] == (
        "AssetShared",
        f'{{"asset":"{PULSE}","stakeholders":["{DOCTOR}","{OFFICER}"]}}'.encode(),
    )


def test_what_was_set_aside_beyond_the_price_goes_back(city):
    city.request(DOCTOR, 5)
    share(city, 2, DOCTOR)
    assert (city.balance(ALICE), city.balance(DOCTOR)) == (2, 3)
    assert city.audit()["escrowed"] == 0


def test_one_who_has_too_few_coins_fails_all_and_changes_nothing(city):
    city.request(DOCTOR, 3)
    city.request(OFFICER, 2)
    before = city.state()
    refusal = refused_share(city, 3, DOCTOR, OFFICER)
    assert (refusal["message"], refusal["code"], refusal["needed"]) == (NOT_ENOUGH, "NOT_ENOUGH_COINS", "3 coins")
    assert refused_share(city, 1, DOCTOR, BOB)["message"] == NOT_ENOUGH  # Bob has not asked
    assert city.state() == before


def test_data_already_shared_is_said_and_costs_nothing(city):
    city.share(DOCTOR, 3)
    city.request(DOCTOR, 2)  # in advance
    city.request(OFFICER, 2)
    outcome = share(city, 2, DOCTOR, OFFICER)["stakeholders"]
    assert names_in(outcome, "message") == ["data already shared", "data shared"]
    assert city.balance(ALICE) == 5
    assert city.ask(ALICE, "ListRequests")["items"][0]["status"] == "open"
    assert city.refusal(DOCTOR, "ReadAsset", PULSE, at=city.now + 3 * DAY)["code"] == "ACCESS_DENIED"


def test_sharing_only_what_is_shared_already_writes_nothing(city):
    city.share(DOCTOR, 3)
    _, stub = city.simulate(ALICE, "ShareAsset", "heart_rate", PULSE, 2, [DOCTOR])
    assert stub.writes == {}
    assert stub.event is None


def test_an_owner_cannot_back_date_a_second_share_into_the_first_ones_days(city):
    city.share(DOCTOR, 10)
    city.request(DOCTOR, 1)
    outcome = share(city, 1, DOCTOR, at=city.now - 10**9)["stakeholders"]
    assert names_in(outcome, "message") == ["data already shared"]


def test_a_stakeholder_named_twice_pays_once(city):
    city.request(DOCTOR, 2)
    assert len(share(city, 2, DOCTOR, DOCTOR)["stakeholders"]) == 1
    assert city.balance(ALICE) == 2


def test_a_share_is_not_replayed(city):
    """The request that paid is spent: sharing again after the grant's end needs a new one."""
    city.share(DOCTOR, 1)
    city.now += DAY
    assert refused_share(city, 1, DOCTOR)["message"] == NOT_ENOUGH
    city.share(DOCTOR, 1)
    assert city.ask(DOCTOR, "ReadAsset", PULSE)


@pytest.mark.parametrize("stakeholders", [[], [ALICE], [DOCTOR, ALICE], ["doctor"], [""], [DOCTOR] * 101])
def test_stakeholders_are_other_parties_in_a_list_of_bounded_length(city, stakeholders):
    city.request(DOCTOR, 1)
    assert refused_share(city, 1, *stakeholders)["code"] == "BAD_VALUE"


def test_the_type_must_be_the_assets(city):
    city.request(DOCTOR, 1)
    assert city.refusal(ALICE, "ShareAsset", "blood_sugar", PULSE, 1, [DOCTOR])["code"] == "BAD_VALUE"


def test_a_retired_or_unknown_asset_is_not_shared(city):
    city.request(DOCTOR, 1)
    city.submit(ALICE, "UpdateAsset", PULSE, {"status": "retired"})
    assert refused_share(city, 1, DOCTOR)["code"] == "ASSET_NOT_ACTIVE"
    city.submit(ALICE, "DeleteAsset", PULSE)
    assert refused_share(city, 1, DOCTOR)["code"] == "ASSET_NOT_FOUND"
    assert city.submit(DOCTOR, "CancelRequest", PULSE)["status"] == "cancelled"


def test_two_shares_of_one_request_in_one_block_pay_once(city):
    city.request(DOCTOR, 1)
    stubs = [city.simulate(ALICE, "ShareAsset", "heart_rate", PULSE, 1, [DOCTOR])[1] for _ in range(2)]
    assert city.world.commit(*stubs) == (TxCode.VALID, TxCode.MVCC_READ_CONFLICT)
    assert city.balance(ALICE) == 1


def test_a_share_and_a_cancellation_in_one_block_pay_or_refund_never_both(city):
    for order in ([0, 1], [1, 0]):
        city.request(DOCTOR, 1)
        stubs = [
            city.simulate(ALICE, "ShareAsset", "heart_rate", PULSE, 1, [DOCTOR])[1],
            city.simulate(DOCTOR, "CancelRequest", PULSE)[1],
        ]
        verdicts = city.world.commit(*(stubs[index] for index in order))
        assert verdicts == (TxCode.VALID, TxCode.MVCC_READ_CONFLICT)
        assert city.audit()["balanced"]
        city.now += DAY


# Grants


def test_an_owner_sees_every_grant_and_whether_it_holds(city):
    city.share(DOCTOR, 1)
    city.share(OFFICER, 2)
    city.submit(ALICE, "RevokeGrant", PULSE, OFFICER)
    grants = {grant["grantee"]: grant for grant in city.ask(ALICE, "ListGrants", PULSE)["items"]}
    assert (grants[DOCTOR]["valid"], grants[DOCTOR]["purpose"], grants[DOCTOR]["days"]) == (True, "check-up", 1)
    assert (grants[OFFICER]["valid"], grants[OFFICER]["status"]) == (False, "revoked")
    lapsed = city.ask(ALICE, "ListGrants", PULSE, at=city.now + DAY)["items"]
    assert not any(grant["valid"] for grant in lapsed)


def test_a_revoked_grant_reads_nothing_and_is_revoked_once(city):
    city.share(DOCTOR, 5)
    city.submit(ALICE, "RevokeGrant", PULSE, DOCTOR)
    assert city.refusal(DOCTOR, "ReadAsset", PULSE)["code"] == "ACCESS_DENIED"
    assert city.ask(DOCTOR, "ListSharedWithMe")["items"] == []
    again = city.refusal(ALICE, "RevokeGrant", PULSE, DOCTOR)
    assert (again["code"], again["found"]) == ("GRANT_NOT_FOUND", "revoked")
    assert city.refusal(ALICE, "RevokeGrant", PULSE, BOB)["found"] == "none"


def test_what_was_revoked_can_be_bought_again(city):
    city.share(DOCTOR, 5)
    city.submit(ALICE, "RevokeGrant", PULSE, DOCTOR)
    city.share(DOCTOR, 1)
    assert city.ask(DOCTOR, "ReadAsset", PULSE)


def test_a_grant_is_for_one_asset(city):
    other = city.create(name="sugar", asset_type="blood_sugar")
    city.share(DOCTOR, 5)
    assert city.refusal(DOCTOR, "ReadAsset", other)["code"] == "ACCESS_DENIED"


# Nobody collides


def test_a_hundred_payers_of_one_owner_do_not_collide(city):
    payers = [f"payer{number}@MedicalMSP" for number in range(100)]
    for payer in payers:
        city.fund(payer, 1)
    filed = [city.simulate(payer, "FileRequest", PULSE, 1, "study", city.coins(payer))[1] for payer in payers]
    assert set(city.world.commit(*filed)) == {TxCode.VALID}
    shares = [city.simulate(ALICE, "ShareAsset", "heart_rate", PULSE, 1, [payer])[1] for payer in payers]
    assert set(city.world.commit(*shares)) == {TxCode.VALID}
    assert city.balance(ALICE) == 100


def test_one_payer_of_many_owners_does_not_collide_with_himself(city):
    owners = [f"citizen{number}@CitizensMSP" for number in range(30)]
    for _ in owners:
        city.fund(DOCTOR, 1)
    coins = city.coins(DOCTOR)
    filed = [
        city.simulate(DOCTOR, "FileRequest", f"{owner}/pulse", 1, "study", [coin])[1]
        for owner, coin in zip(owners, coins, strict=True)
    ]
    assert set(city.world.commit(*filed)) == {TxCode.VALID}


def test_everything_about_one_asset_fits_into_one_block(city):
    """Sensors, requesters, a share, a revocation, a new asset and a mint, all simulated on the same state."""
    city.share(BOB, 1)
    city.request(DOCTOR, 1)
    city.fund(OFFICER, 1)
    stubs = [
        city.simulate(*call)[1]
        for call in (
            (ALICE, "AddReading", PULSE, 70, "bpm"),
            (ALICE, "AddReading", PULSE, 71, "bpm"),
            (ALICE, "ShareAsset", "heart_rate", PULSE, 1, [DOCTOR]),
            (ALICE, "RevokeGrant", PULSE, BOB),
            (OFFICER, "FileRequest", PULSE, 1, "x", city.coins(OFFICER)),
            (ALICE, "CreateAsset", "blood_sugar", "sugar"),
            (MINT, "MintCoins", ALICE, 1, "p"),
            (ALICE, "SetProfile", {}),
        )
    ]
    assert set(city.world.commit(*stubs)) == {TxCode.VALID}


def test_no_transaction_but_a_deletion_reads_a_range(city):
    """A range that a stranger can write into would let him block its reader."""
    city.request(DOCTOR, 1)
    city.fund(BOB, 1)
    for call in (
        (ALICE, "CreateAsset", "heart_rate", "second"),
        (ALICE, "AddReading", PULSE, 1, "bpm"),
        (ALICE, "ShareAsset", "heart_rate", PULSE, 1, [DOCTOR]),
        (BOB, "FileRequest", PULSE, 1, "x", city.coins(BOB)),
        (BOB, "TransferCoins", ALICE, 1, city.coins(BOB)),
        (MINT, "MintCoins", ALICE, 1, "p"),
        (ALICE, "DeclineRequest", PULSE, DOCTOR),
    ):
        response, stub = city.simulate(*call)
        assert response.status == 200
        assert stub.range_reads == []
    _, deletion = city.simulate(ALICE, "DeleteAsset", PULSE)
    _, request = city.simulate(BOB, "FileRequest", PULSE, 1, "x", city.coins(BOB))
    assert city.world.commit(request, deletion) == (TxCode.VALID, TxCode.VALID)

"""What differs from channel to channel."""

import pytest

from privysharing.contract.settings import ALL_ASSET_TYPES, ASSET_TYPES
from tests.support.city import ALICE, DAY, DOCTOR, OFFICER, PULSE, City, creator

ADMIN = creator("admin@MinistryMSP", "admin")


@pytest.mark.parametrize("channel", ASSET_TYPES)
def test_a_channel_of_the_city_takes_its_own_kinds_of_data(channel):
    city = City(channel)
    for asset_type in ALL_ASSET_TYPES:
        response, _ = city.simulate(ALICE, "CreateAsset", asset_type, "a")
        assert (response.status == 200) == (asset_type in ASSET_TYPES[channel])


def test_a_channel_of_another_name_takes_all_until_it_is_told_otherwise():
    city = City("testchannel")
    for asset_type in ALL_ASSET_TYPES:
        assert city.simulate(ALICE, "CreateAsset", asset_type, "a")[0].status == 200
    city.submit(ADMIN, "ConfigureChannel", {"asset_types": ["income", "heart_rate", "income"]})
    assert city.ask(ALICE, "GetSettings")["asset_types"] == ["heart_rate", "income"]
    assert city.refusal(ALICE, "CreateAsset", "smoke_alarm", "a")["code"] == "BAD_VALUE"


def test_settlement_is_a_setting_with_one_value_yet():
    city = City()
    assert city.ask(ALICE, "GetSettings")["settlement"] == "immediate"
    assert city.submit(ADMIN, "ConfigureChannel", {"settlement": "immediate"})["settlement"] == "immediate"
    refusal = city.refusal(ADMIN, "ConfigureChannel", {"settlement": "vesting"})
    assert (refusal["code"], refusal["needed"]) == ("NOT_AVAILABLE", "immediate")


def test_a_channel_decides_how_long_a_request_waits():
    city = City()
    city.create()
    city.submit(ADMIN, "ConfigureChannel", {"request_days": 1})
    city.request(DOCTOR, 1)
    late = city.now + DAY
    assert city.refusal(ALICE, "ShareAsset", "heart_rate", PULSE, 1, [DOCTOR], at=late)["code"] == "NOT_ENOUGH_COINS"


def test_a_day_is_a_day_unless_the_channel_says_less_and_grants_keep_their_end():
    city = City()
    city.create()
    city.share(DOCTOR, 1)
    city.submit(ADMIN, "ConfigureChannel", {"day_seconds": 60})
    city.share(OFFICER, 2)
    grants = {grant["grantee"]: grant["not_after"] for grant in city.ask(ALICE, "ListGrants", PULSE)["items"]}
    assert grants == {DOCTOR: "2020-03-02T12:00:00Z", OFFICER: "2020-03-01T12:02:00Z"}
    assert city.refusal(OFFICER, "ReadAsset", PULSE, at=city.now + 120 * 10**9)["code"] == "ACCESS_DENIED"


def test_a_request_keeps_the_days_that_it_was_filed_for():
    city = City()
    city.create()
    city.request(DOCTOR, 1)
    city.submit(ADMIN, "ConfigureChannel", {"day_seconds": 1})
    city.submit(ALICE, "ShareAsset", "heart_rate", PULSE, 1, [DOCTOR])
    assert city.ask(DOCTOR, "ReadAsset", PULSE, at=city.now + DAY - 10**9)["asset"]["id"] == PULSE


@pytest.mark.parametrize(
    "changes",
    [
        {"asset_types": []},
        {"asset_types": ["dna"]},
        {"asset_types": "heart_rate"},
        {"asset_types": [["heart_rate"]]},
        {"settlement": "never"},
        {"request_days": 0},
        {"request_days": 366},
        {"request_days": True},
        {"request_days": 1.5},
        {"day_seconds": 0},
        {"day_seconds": 86401},
        {"day_seconds": True},
        {"owner": "x"},
    ],
)
def test_a_setting_that_means_nothing_is_refused(changes):
    assert City().refusal(ADMIN, "ConfigureChannel", changes)["code"] == "BAD_VALUE"


@pytest.mark.parametrize("who", [ALICE, "mint@MinistryMSP", creator("admin@CitizensMSP", "admin")])
def test_only_the_ministrys_administrators_configure_a_channel(who):
    assert City().refusal(who, "ConfigureChannel", {"request_days": 5})["code"] == "ACCESS_DENIED"

"""Assets and their readings."""

import json

import pytest

from tests.support.city import ALICE, BOB, DAY, DOCTOR, NOON, PULSE, City, names_in


@pytest.fixture
def city():
    city = City()
    city.create()
    return city


def test_an_asset_says_all_that_the_data_model_asks(city):
    assert city.ask(ALICE, "ReadAsset", PULSE)["asset"] == {
        "docType": "asset",
        "version": 1,
        "id": PULSE,
        "type": "heart_rate",
        "owner": ALICE,
        "creator": ALICE,
        "channel": "health",
        "confidentiality": "plain",
        "created_at": "2020-03-01T12:00:00Z",
        "status": "active",
        "description": "",
    }


def test_two_owners_may_use_one_name_and_one_owner_may_not(city):
    assert city.create(BOB) == f"{BOB}/pulse"
    assert city.refusal(ALICE, "CreateAsset", "heart_rate", "pulse")["code"] == "ASSET_EXISTS"


@pytest.mark.parametrize("asset_type", ["", "car_location", "Heart_Rate", "heart_rate ", "\u04bbeart_rate"])
def test_a_channel_takes_its_own_kinds_of_data_only(city, asset_type):
    assert city.refusal(ALICE, "CreateAsset", asset_type, "a")["code"] == "BAD_VALUE"


@pytest.mark.parametrize("confidentiality", ["encrypted", "signed-encrypted"])
def test_a_level_of_confidentiality_that_is_yet_to_come_is_refused_as_such(city, confidentiality):
    refusal = city.refusal(ALICE, "CreateAsset", "heart_rate", "a", confidentiality)
    assert (refusal["code"], refusal["needed"]) == ("NOT_AVAILABLE", "plain or private")


def test_a_level_of_confidentiality_that_does_not_exist_is_another_mistake(city):
    assert city.refusal(ALICE, "CreateAsset", "heart_rate", "a", "secret")["code"] == "BAD_VALUE"


@pytest.mark.parametrize(
    "name",
    ["", "/", "a/b", "A", "..", "-a", "a b", "a\x00b", "\u00e4", "a\n", "a" * 65, "\U0010ffff", "alice@CitizensMSP/a"],
)
def test_a_name_that_could_be_mistaken_is_refused(city, name):
    assert city.refusal(ALICE, "CreateAsset", "heart_rate", name)["code"] == "BAD_VALUE"


@pytest.mark.parametrize(
    "asset",
    [
        "",
        "pulse",
        "/pulse",
        "alice/pulse",
        "@/pulse",
        f"{ALICE}/",
        f"{ALICE}/pulse/",
        f"{ALICE} /pulse",
        f"{ALICE}\x00/pulse",
    ],
)
def test_an_id_that_is_not_an_assets_is_refused(city, asset):
    assert city.refusal(ALICE, "ReadAsset", asset)["code"] == "BAD_VALUE"


def test_an_owner_changes_status_and_description_and_nothing_else(city):
    changed = city.submit(ALICE, "UpdateAsset", PULSE, {"status": "retired", "description": "left wrist"})
    assert (changed["status"], changed["description"]) == ("retired", "left wrist")
    for changes in ({"owner": BOB}, {"status": "deleting"}, {"status": None}, {"description": 1}, {"id": "x"}):
        assert city.refusal(ALICE, "UpdateAsset", PULSE, changes)["code"] == "BAD_VALUE"
    for text in ("x" * 257, "a\u202eb", "a\nb"):
        assert city.refusal(ALICE, "UpdateAsset", PULSE, {"description": text})["code"] == "BAD_VALUE"


def test_a_retired_asset_takes_no_readings_but_its_grantees_still_read(city):
    city.share(DOCTOR, 1)
    city.submit(ALICE, "UpdateAsset", PULSE, {"status": "retired"})
    assert city.refusal(ALICE, "AddReading", PULSE, 70, "bpm")["code"] == "ASSET_NOT_ACTIVE"
    assert city.ask(DOCTOR, "ReadAsset", PULSE)["asset"]["status"] == "retired"
    city.submit(ALICE, "UpdateAsset", PULSE, {"status": "active"})
    assert city.submit(ALICE, "AddReading", PULSE, 70, "bpm")["added"] == 1


def test_an_owner_is_told_that_his_asset_does_not_exist(city):
    unknown = f"{ALICE}/unknown"
    for function, args in (("ReadAsset", []), ("UpdateAsset", [{}]), ("AddReading", [1, "bpm"]), ("DeleteAsset", [])):
        assert city.refusal(ALICE, function, unknown, *args)["code"] == "ASSET_NOT_FOUND"


# Readings


@pytest.mark.parametrize("value", [72, 36.6, -1, 0, False, "closed", [120, 80], {"lat": -33.9, "lon": 151.2}, "°"])
def test_a_value_is_whatever_json_a_sensor_gives(city, value):
    city.submit(ALICE, "AddReading", PULSE, json.dumps(value), "u")
    assert city.ask(ALICE, "ReadAsset", PULSE)["readings"] == [
        {"time": "2020-03-01T12:00:00Z", "value": value, "unit": "u"}
    ]


@pytest.mark.parametrize("value", ["null", "NaN", "Infinity", "1e999", "", json.dumps("x" * 4096), "9007199254740992"])
def test_a_value_that_is_none_or_means_different_things_is_refused(city, value):
    assert city.refusal(ALICE, "AddReading", PULSE, value, "bpm")["code"] in {"BAD_VALUE", "BAD_ARGUMENT"}


def test_readings_are_listed_newest_first_whatever_the_order_of_arrival(city):
    times = [
        "2020-02-28T10:00:00Z",
        "2020-03-01T09:30:00.5Z",
        "2020-03-01T09:30:00+02:00",
        "2019-12-31T23:59:59.999999999Z",
    ]
    readings = [{"value": index, "unit": "bpm", "time": time} for index, time in enumerate(times)]
    assert city.submit(ALICE, "AddReadings", PULSE, readings)["added"] == 4
    listed = city.ask(ALICE, "ReadAsset", PULSE)["readings"]
    assert [(r["time"], r["value"]) for r in listed] == [
        ("2020-03-01T09:30:00.5Z", 1),
        ("2020-03-01T07:30:00Z", 2),
        ("2020-02-28T10:00:00Z", 0),
        ("2019-12-31T23:59:59.999999999Z", 3),
    ]


def test_readings_come_in_pages(city):
    readings = [{"value": index, "unit": "bpm", "time": f"2020-03-01T10:{index:02d}:00Z"} for index in range(5)]
    city.submit(ALICE, "AddReadings", PULSE, readings)
    values, bookmark = [], ""
    while True:
        page = city.ask(ALICE, "ReadAsset", PULSE, bookmark, 2)
        values += names_in(page["readings"], "value")
        bookmark = page["bookmark"]
        if not bookmark:
            break
    assert values == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("limit", [0, -1, 1001, 10**9])
def test_a_page_has_a_limit(city, limit):
    assert city.refusal(ALICE, "ReadAsset", PULSE, "", limit)["code"] == "BAD_VALUE"


def test_two_readings_of_one_moment_are_both_kept(city):
    city.submit(ALICE, "AddReading", PULSE, 1, "bpm")
    city.submit(ALICE, "AddReading", PULSE, 2, "bpm")
    city.submit(ALICE, "AddReadings", PULSE, [{"value": 3, "unit": "bpm"}, {"value": 4, "unit": "bpm"}])
    assert sorted(names_in(city.ask(ALICE, "ReadAsset", PULSE)["readings"], "value")) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "time",
    [
        "yesterday",
        "2020-03-01",
        "2020-02-30T00:00:00Z",
        "2020-03-01T12:00:00",
        "1969-12-31T23:59:59Z",
        "2020-03-01T25:00:00Z",
        "2020-03-01T12:10:00.000000001Z",
        "9999-12-31T23:59:59Z",
        "2020-03-01T12:00:60Z",
        "\u0662020-03-01T12:00:00Z",
    ],
)
def test_a_time_that_is_none_or_not_yet_is_refused(city, time):
    assert city.refusal(ALICE, "AddReading", PULSE, 1, "bpm", time)["code"] == "BAD_VALUE"


@pytest.mark.parametrize(
    "reading",
    [
        {},
        {"value": 1},
        {"unit": "bpm"},
        {"value": 1, "unit": 7},
        {"value": 1, "unit": "bpm", "time": 7},
        {"value": 1, "unit": "bpm", "more": 1},
        {"value": 1, "unit": "b\u200bpm"},
        {"value": 1, "unit": "x" * 33},
    ],
)
def test_a_reading_of_another_shape_is_refused_without_repeating_its_value(city, reading):
    refusal = city.refusal(
        ALICE, "AddReadings", PULSE, [{**reading, **({"value": "canary"} if "value" in reading else {})}]
    )
    assert refusal["code"] == "BAD_VALUE"
    assert "canary" not in json.dumps(refusal)


@pytest.mark.parametrize("count", [0, 501])
def test_one_transaction_carries_a_bounded_number_of_readings(city, count):
    readings = [{"value": 1, "unit": "bpm"}] * count
    assert city.refusal(ALICE, "AddReadings", PULSE, readings)["code"] == "BAD_VALUE"


def test_the_moment_of_a_transaction_is_one_that_can_be_written(city):
    for at in (-1, 253_402_300_800 * 10**9, 2**80):
        assert city.refusal(ALICE, "CreateAsset", "heart_rate", "a", at=at)["code"] == "BAD_VALUE"
    assert city.submit(ALICE, "CreateAsset", "heart_rate", "a", at=0)["created_at"] == "1970-01-01T00:00:00Z"


def test_values_are_in_readings_alone(city):
    """No value in an event, in the journal, or in what a writing call returns."""
    response, stub = city.simulate(ALICE, "AddReading", PULSE, '"canary"', "bpm")
    assert b"canary" not in response.payload
    assert stub.event is None
    assert [key for key, value in stub.writes.items() if b"canary" in value] == [
        key for key in stub.writes if key.startswith("\x00reading\x00")
    ]


# Deletion


def test_deleting_removes_state_and_keeps_history(city):
    city.submit(ALICE, "AddReading", PULSE, 72, "bpm")
    city.share(DOCTOR, 1)
    before = city.ask(ALICE, "AssetHistory", PULSE)["items"]
    assert city.submit(ALICE, "DeleteAsset", PULSE) == {"asset": PULSE, "status": "deleted"}
    kinds = {key.split("\x00")[1] for key in city.state()}
    assert not kinds & {"asset", "reading", "grant", "granted"}
    after = city.ask(ALICE, "AssetHistory", PULSE)["items"]
    assert len(after) == len(before) + 1
    assert "deleted" in names_in(after, "act")
    assert city.refusal(BOB, "AssetHistory", PULSE)["code"] == "ACCESS_DENIED"
    assert city.refusal(DOCTOR, "ReadAsset", PULSE)["code"] == "ACCESS_DENIED"
    assert city.ask(DOCTOR, "ListSharedWithMe")["items"] == []
    assert city.refusal(ALICE, "DeleteAsset", PULSE)["code"] == "ASSET_NOT_FOUND"


def test_a_name_that_is_used_again_brings_nothing_back(city):
    city.submit(ALICE, "AddReading", PULSE, 72, "bpm")
    city.share(DOCTOR, 5)
    city.submit(ALICE, "DeleteAsset", PULSE)
    city.create()
    assert city.ask(ALICE, "ReadAsset", PULSE)["readings"] == []
    assert city.refusal(DOCTOR, "ReadAsset", PULSE)["code"] == "ACCESS_DENIED"


def test_open_requests_are_refunded_with_the_asset_or_cancelled_after_it(city):
    city.request(DOCTOR, 3)
    city.request(BOB, 2)
    city.submit(ALICE, "DeleteAsset", PULSE, [DOCTOR])
    assert city.balance(DOCTOR) == 3
    assert names_in(city.ask(DOCTOR, "ListMyRequests")["items"], "status") == ["declined"]
    city.submit(BOB, "CancelRequest", PULSE)
    assert city.balance(BOB) == 2
    assert city.audit()["balanced"]


@pytest.mark.parametrize("requesters", [[DOCTOR, DOCTOR], [f"p{i}@CitizensMSP" for i in range(101)]])
def test_the_requesters_to_refund_are_named_once_each(city, requesters):
    city.request(DOCTOR, 3)
    assert city.refusal(ALICE, "DeleteAsset", PULSE, requesters)["code"] == "BAD_VALUE"


def test_a_requester_without_an_open_request_cannot_be_refunded(city):
    assert city.refusal(ALICE, "DeleteAsset", PULSE, [DOCTOR])["code"] == "REQUEST_NOT_OPEN"


def test_a_large_asset_is_deleted_in_several_transactions_and_unreadable_meanwhile(city):
    city.share(DOCTOR, 5)
    for minute in range(3):
        time = f"2020-03-01T10:{minute:02d}:00Z"
        city.submit(ALICE, "AddReadings", PULSE, [{"value": 1, "unit": "bpm", "time": time}] * 450)
    assert city.submit(ALICE, "DeleteAsset", PULSE)["status"] == "deleting"
    assert city.refusal(DOCTOR, "ReadAsset", PULSE)["code"] == "ACCESS_DENIED"
    assert city.refusal(ALICE, "UpdateAsset", PULSE, {"status": "active"})["code"] == "ASSET_NOT_ACTIVE"
    assert city.refusal(ALICE, "AddReading", PULSE, 1, "bpm")["code"] == "ASSET_NOT_ACTIVE"
    assert city.ask(ALICE, "ReadAsset", PULSE)["asset"]["status"] == "deleting"
    assert city.submit(ALICE, "DeleteAsset", PULSE)["status"] == "deleted"
    assert not [key for key in city.state() if key.startswith("\x00reading\x00")]


def test_a_grant_that_waits_for_deletion_reads_nothing(city):
    """More grants than one transaction deletes (planted here, for speed): those that are left open nothing."""
    city.share(DOCTOR, 1)
    last = "zoe@MedicalMSP"
    for reader in [f"reader{number:04d}@MedicalMSP" for number in range(999)] + [last]:
        for key in [key for key in city.state() if key.startswith("\x00grant") and DOCTOR in key]:
            city.world.state[key.replace(DOCTOR, reader)] = city.world.state[key]
    assert city.ask(last, "ReadAsset", PULSE)
    assert city.submit(ALICE, "DeleteAsset", PULSE)["status"] == "deleting"
    assert city.refusal(last, "ReadAsset", PULSE)["code"] == "ACCESS_DENIED"
    assert city.ask(last, "ListSharedWithMe")["items"] == []
    assert city.submit(ALICE, "DeleteAsset", PULSE)["status"] == "deleted"
    assert not [key for key in city.state() if key.startswith("\x00grant")]


def test_history_comes_in_pages_newest_first(city):
    for hour in range(3):
        city.submit(ALICE, "AddReading", PULSE, hour, "bpm", at=NOON + hour * DAY)
    newest = city.ask(ALICE, "AssetHistory", PULSE, "", 2)
    assert names_in(newest["items"], "time") == ["2020-03-03T12:00:00Z", "2020-03-02T12:00:00Z"]
    rest = city.ask(ALICE, "AssetHistory", PULSE, newest["bookmark"], 2)
    assert sorted(names_in(rest["items"], "act")) == ["created", "readings added"]
    assert rest["bookmark"] == ""

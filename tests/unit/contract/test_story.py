"""One day of the paper's Alice, as a smoke test that a newcomer can read."""

from tests.support.city import ALICE, DAY, DOCTOR, PULSE, City, names_in


def test_alice_shares_her_pulse_for_two_days_and_is_paid():
    city = City()
    city.create()
    city.submit(ALICE, "AddReading", PULSE, 71, "bpm")
    city.submit(ALICE, "AddReading", PULSE, 73, "bpm", at=city.now + 1)
    city.fund(DOCTOR, 5)
    city.submit(DOCTOR, "FileRequest", PULSE, 3, "check-up", city.coins(DOCTOR))
    assert city.balance(DOCTOR) == 2
    assert city.balance(ALICE) == 0

    outcome = city.submit(ALICE, "ShareAsset", "heart_rate", PULSE, 2, [DOCTOR])
    assert outcome["stakeholders"] == [
        {"stakeholder": DOCTOR, "message": "data shared", "not_after": "2020-03-03T12:00:00Z"}
    ]
    assert city.balance(ALICE) == 2
    assert city.balance(DOCTOR) == 3
    read = city.ask(DOCTOR, "ReadAsset", PULSE)
    assert names_in(read["readings"], "value") == [73, 71]
    assert names_in(city.ask(DOCTOR, "ListSharedWithMe")["items"]) == [PULSE]

    assert city.refusal(DOCTOR, "ReadAsset", PULSE, at=city.now + 2 * DAY)["code"] == "ACCESS_DENIED"
    city.submit(ALICE, "RevokeGrant", PULSE, DOCTOR)
    assert city.refusal(DOCTOR, "ReadAsset", PULSE)["message"] == "access denied: not enough permissions"
    city.submit(ALICE, "DeleteAsset", PULSE)
    assert city.ask(ALICE, "ListMyAssets")["items"] == []
    history = city.ask(ALICE, "AssetHistory", PULSE)["items"]
    assert sorted(names_in(history, "act")) == sorted(
        ["created", "readings added", "readings added", "requested", "shared", "revoked", "deleted"]
    )
    assert city.audit() == {"minted": 5, "held": 5, "escrowed": 0, "burned": 0, "balanced": True}

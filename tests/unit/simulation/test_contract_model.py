"""The judge's model and the real contract agree, to the byte, on whatever people do."""

import json
from collections import Counter
from random import Random

import pytest

from privysharing.contract.instants import INSTANT_MAX_NS
from tests.simulation.judge.contract import FUNCTIONS, ContractModel
from tests.simulation.judge.private import shown_to_all, shown_to_members
from tests.simulation.judge.workload import ADMIN, ALICE, BOB, DOCTOR, MINT, Planned, Workload, evaluate, submit
from tests.simulation.judge.world import Call
from tests.support.city import DAY, City, creator

SECOND = 1_000_000_000
PULSE = f"{ALICE.party}/pulse"


class Twins:
    """The real contract and the model, asked the same."""

    def __init__(self) -> None:
        self.city, self.model = City(), ContractModel("health")

    def call(
        self, planned: Planned, *, peer_time: int | None = None, transient: dict[str, bytes] | None = None
    ) -> tuple[str, bytes]:
        """Code of the refusal and payload; they refuse, answer, write and emit alike. A submit commits."""
        identity = creator(planned.who.party, "admin" if planned.who.admin else "client")
        response, stub = self.city.simulate(
            identity, planned.function, *planned.args, peer_time=peer_time, transient=transient
        )
        moments = (self.city.now,) if peer_time is None else (self.city.now, peer_time)
        arguments = tuple(arg.encode() for arg in planned.args)
        outcome = self.model.run(
            Call(planned.who, planned.function, arguments, moments, stub.tx_id, transient=transient or {})
        )
        code = "" if response.status == 200 else json.loads(response.message)["code"]
        assert (outcome.code, outcome.payload) == (code, response.payload), planned
        if not code:
            assert shown_to_all(outcome.changes) == stub.writes, planned
            private = {key: value for (_, key), value in stub.private_writes.items()}
            assert shown_to_members(outcome.changes) == private, planned
            assert outcome.event == stub.event, planned
            if planned.kind == "submit":
                self.city.world.commit(stub)
                self.model.world.apply(outcome.changes)
        return code, response.payload

    def must(self, planned: Planned, transient: dict[str, bytes] | None = None) -> bytes:
        code, payload = self.call(planned, transient=transient)
        assert not code
        return payload


@pytest.fixture
def twins() -> Twins:
    return Twins()


@pytest.mark.parametrize("seed", range(4))
def test_the_model_answers_writes_and_refuses_as_the_contract_does(twins: Twins, seed: int) -> None:
    random, seen = Random(seed), Counter[str]()
    workload = Workload(random, day_seconds=60)
    opening = workload.opening()
    for _ in range(1200):
        planned = opening.pop(0) if opening else workload.plan()
        twins.city.now += random.randrange(5 * SECOND) if random.random() < 0.99 else random.randrange(20 * DAY)
        peer_time = twins.city.now + random.randrange(-20 * SECOND, 20 * SECOND) if random.random() < 0.5 else None
        code, payload = twins.call(planned, peer_time=peer_time)
        seen[code or planned.function] += 1
        if not code:
            workload.learn(planned, payload)
    assert {"ShareAsset", "DeleteAsset", "RevokeGrant", "COIN_NOT_FOUND", "ACCESS_DENIED", "REQUEST_OPEN"} <= set(seen)


ODD = (
    *("", " ", "0", "1", "-1", "2", "1.0", "1e0", "true", "null", "NaN", "1" * 17, "9007199254740992", "x", "\u0430"),
    *("[]", "{}", "[[]]", '[""]', '["a","a"]', '{"a":1,"a":2}', '"\\ud800"', "[{}]", "[null]", "[1,2", "\ufeff1"),
    *('{"status":"active"}', '{"status":true}', '{"other":"x"}', '{"description":"a\\u0000"}', '{"status":"deleting"}'),
    *('{"request_days":true}', '{"request_days":365,"asset_types":["income","income"]}', '{"settlement":"vesting"}'),
    *('{"asset_types":[]}', '{"asset_types":[[]]}', '{"day_seconds":86401}', '{"day_seconds":1.0}'),
    *('[{"value":1,"unit":"x","time":"1969-12-31T23:59:59Z"}]', '[{"value":[1,{"a":null}],"unit":""}]'),
    *('[{"value":null,"unit":"x"}]', '[{"value":1,"unit":"x","more":1}]', '[{"value":1,"unit":1}]', '[{"unit":"x"}]'),
    *("2020-01-01T00:00:00Z", "2020-02-30T00:00:00Z", "2020-01-01T24:00:00Z", "2020-03-01T12:10:00.000000001Z"),
    *(
        "2020-01-01T00:00:00.123456789+14:59",
        "2020-01-01t00:00:00Z",
        "2020-01-01T00:00:60Z",
        "1970-01-01T00:00:00+00:01",
    ),
    *(PULSE, f"{ALICE.party}/other", f"{BOB.party}/pulse", f"a@b@{BOB.party}/pulse", "@/", "/x", "x@y/Z", "pulse"),
    *(
        ALICE.party,
        BOB.party,
        DOCTOR.party,
        "a@",
        "@b",
        " a@b",
        "a b@b",
        "a@b.c-d",
        "\u00e9@b",
        f"[{json.dumps(ALICE.party)}]",
    ),
    *(json.dumps([BOB.party, DOCTOR.party]), json.dumps([BOB.party]), '["nobody"]', '["\\u0000"]', '["\U0010ffff"]'),
    *(
        "heart_rate",
        "income",
        "plain",
        "private",
        "secret",
        "all",
        "open",
        "granted",
        "payment-1",
        "pay ment",
        "y" * 300,
    ),
    *("00", "0", "zz", b"\x00asset\x00".hex(), b"\x00asset\x00alice".hex(), "a\u200bb", "a\u2028b"),
)


@pytest.mark.parametrize("seed", range(2))
def test_the_model_reads_odd_arguments_as_the_contract_does(twins: Twins, seed: int) -> None:
    """A call that could succeed, but for an argument or two; now and then one too many or too few."""
    random, seen = Random(seed), Counter[str]()
    workload = Workload(random)
    for planned in workload.opening():
        twins.must(planned)
    for _ in range(1500):
        planned = workload.plan()
        readers = FUNCTIONS[planned.function][1]
        args = [*planned.args, *(random.choice(ODD) for _ in range(random.randrange(len(readers) + 1)))][: len(readers)]
        for _ in range(random.randrange(3) if args else 0):
            args[random.randrange(len(args))] = random.choice(ODD)
        if random.random() < 0.05:
            args = args[:-1] if random.random() < 0.5 else [*args, ""]
        spoilt = Planned(planned.who, planned.kind, planned.function, tuple(args))
        code, payload = twins.call(spoilt)
        seen[code or planned.function] += 1
        if not code and spoilt == planned:
            workload.learn(planned, payload)
    assert {"BAD_ARGUMENT", "BAD_VALUE", "WRONG_ARGUMENTS"} <= set(seen)


@pytest.mark.parametrize("at", [-1, 0, 1, INSTANT_MAX_NS, INSTANT_MAX_NS - DAY, INSTANT_MAX_NS + 1])
def test_time_begins_and_ends_for_both_at_once(twins: Twins, at: int) -> None:
    twins.must(submit(ALICE, "CreateAsset", "heart_rate", "pulse"))
    twins.must(submit(MINT, "MintCoins", DOCTOR.party, 5, "payment"))
    (coin,) = json.loads(twins.must(evaluate(DOCTOR, "MyCoins")))["coins"]
    twins.city.now = at
    twins.call(submit(ALICE, "AddReading", PULSE, 1, "bpm"))
    twins.call(submit(ALICE, "CreateAsset", "heart_rate", "second"))
    twins.call(submit(DOCTOR, "FileRequest", PULSE, 1, "study", [coin["id"]]))
    twins.call(submit(ALICE, "ShareAsset", "heart_rate", PULSE, 1, [DOCTOR.party]))
    for asking in (
        evaluate(DOCTOR, "ReadAsset", PULSE),
        evaluate(ALICE, "ListRequests"),
        evaluate(ADMIN, "AuditCoins"),
    ):
        twins.call(asking)


def test_a_grant_lapses_for_both_at_the_same_nanosecond(twins: Twins) -> None:
    twins.must(submit(ALICE, "CreateAsset", "heart_rate", "pulse"))
    twins.must(submit(MINT, "MintCoins", DOCTOR.party, 2, "payment"))
    (coin,) = json.loads(twins.must(evaluate(DOCTOR, "MyCoins")))["coins"]
    twins.must(submit(DOCTOR, "FileRequest", PULSE, 2, "study", [coin["id"]]))
    twins.must(submit(ALICE, "ShareAsset", "heart_rate", PULSE, 1, [DOCTOR.party]))
    begun, codes = twins.city.now, []
    for now, peer_time in ((DAY - 1, DAY - 1), (DAY - 1, DAY), (DAY, DAY - 1), (-1, 0), (0, 0)):
        twins.city.now = begun + now
        codes.append(twins.call(evaluate(DOCTOR, "ReadAsset", PULSE), peer_time=begun + peer_time)[0])
    assert codes == ["", "ACCESS_DENIED", "ACCESS_DENIED", "ACCESS_DENIED", ""]


@pytest.mark.parametrize(
    ("late", "peer_late", "shown", "shared", "closed"),
    [(-1, -1, "open", "", "cancelled"), (-1, 0, "expired", "NOT_ENOUGH_COINS", "cancelled")]
    + [(0, later, "expired", "NOT_ENOUGH_COINS", "expired") for later in (-1, 0)],
)
def test_a_request_expires_for_both_at_the_same_nanosecond(
    twins: Twins, late: int, peer_late: int, shown: str, shared: str, closed: str
) -> None:
    twins.must(submit(ALICE, "CreateAsset", "heart_rate", "pulse"))
    twins.must(submit(MINT, "MintCoins", DOCTOR.party, 2, "payment"))
    (coin,) = json.loads(twins.must(evaluate(DOCTOR, "MyCoins")))["coins"]
    twins.must(submit(DOCTOR, "FileRequest", PULSE, 2, "study", [coin["id"]]))
    end = twins.city.now + 30 * DAY
    twins.city.now = end + late
    _, listed = twins.call(evaluate(DOCTOR, "ListMyRequests"), peer_time=end + peer_late)
    assert [request["status"] for request in json.loads(listed)["items"]] == [shown]
    sharing = evaluate(ALICE, "ShareAsset", "heart_rate", PULSE, 1, [DOCTOR.party])
    assert twins.call(sharing, peer_time=end + peer_late)[0] == shared
    _, answer = twins.call(submit(DOCTOR, "CancelRequest", PULSE), peer_time=end + peer_late)
    assert json.loads(answer)["status"] == closed


def test_an_asset_too_large_to_delete_at_once_is_deleted_alike(twins: Twins) -> None:
    twins.must(submit(ALICE, "CreateAsset", "heart_rate", "pulse"))
    for _ in range(3):
        twins.must(submit(ALICE, "AddReadings", PULSE, [{"value": 1, "unit": "bpm"}] * 400))
    deletions = [json.loads(twins.must(submit(ALICE, "DeleteAsset", PULSE)))["status"] for _ in range(2)]
    assert deletions == ["deleting", "deleted"]


SALTED = {"key": "0a" * 16, "salt": "0b" * 32}
HIGH = {**SALTED, "value": 2.4, "unit": "per mille"}


@pytest.mark.parametrize(
    ("readings", "code"),
    [
        ([HIGH, {**HIGH, "key": "0c" * 16, "time": "2020-03-01T12:09:59+00:00"}], ""),
        ([HIGH, HIGH], "BAD_VALUE"),
        ([{**HIGH, "key": "0a" * 15}], "BAD_VALUE"),
        ([{**HIGH, "salt": "0b" * 31}], "BAD_VALUE"),
        ([{**HIGH, "time": "2020-03-01T12:10:01Z"}], "BAD_VALUE"),
        ([{**HIGH, "value": None}], "BAD_VALUE"),
        ([[]], "BAD_VALUE"),
        ([], "BAD_VALUE"),
        ({}, "BAD_VALUE"),
    ],
)
def test_private_readings_are_kept_shown_and_purged_alike(twins: Twins, readings: object, code: str) -> None:
    twins.must(submit(ALICE, "CreateAsset", "blood_alcohol", "pulse", "private"))
    transient = {"readings": json.dumps(readings).encode()}
    assert twins.call(submit(ALICE, "AddPrivateReadings", PULSE), transient=transient)[0] == code
    assert twins.call(submit(BOB, "AddPrivateReadings", PULSE), transient=transient)[0] == "ACCESS_DENIED"
    for function in ("GetAsset", "ReadAsset", "ReadingHashes"):
        twins.must(evaluate(ALICE, function, PULSE))
        assert twins.call(evaluate(BOB, function, PULSE))[0] == "ACCESS_DENIED"
    assert twins.call(submit(ALICE, "AddReading", PULSE, 1, "bpm"))[0] == "OTHER_CONFIDENTIALITY"
    answer = json.loads(twins.must(submit(ALICE, "DeleteAsset", PULSE)))
    assert len(answer["purged"]) == (0 if code else 2)


def test_a_plain_asset_takes_no_private_readings_for_both(twins: Twins) -> None:
    twins.must(submit(ALICE, "CreateAsset", "heart_rate", "pulse"))
    transient = {"readings": json.dumps([HIGH]).encode()}
    assert twins.call(submit(ALICE, "AddPrivateReadings", PULSE), transient=transient)[0] == "OTHER_CONFIDENTIALITY"
    assert twins.call(evaluate(ALICE, "ReadingHashes", PULSE))[0] == "OTHER_CONFIDENTIALITY"


def test_pages_of_a_list_are_the_same_and_their_bookmarks_too(twins: Twins) -> None:
    for name in ("c", "a", "b", "a-b", "a.b"):
        twins.must(submit(ALICE, "CreateAsset", "heart_rate", name))
    bookmark, names = "", []
    while True:
        page = json.loads(twins.must(evaluate(ALICE, "ListMyAssets", bookmark, 2)))
        names += [item["id"].rpartition("/")[2] for item in page["items"]]
        if not (bookmark := page["bookmark"]):
            break
    assert names == ["a", "a-b", "a.b", "b", "c"]

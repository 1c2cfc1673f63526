"""How records lie on the ledger."""

import json

import pytest

from privysharing.contract import PrivySharing
from privysharing.contract.coins import Coin
from privysharing.contract.records import UnreadableRecord, decode
from tests.support.city import ALICE, DOCTOR, MINT, OFFICER, PULSE, City


def test_every_value_is_canonical_json_that_says_what_it_is():
    city = City()
    city.create()
    city.submit(ALICE, "AddReading", PULSE, 72, "bpm")
    city.submit(ALICE, "SetProfile", {"name": "Alice"})
    city.share(DOCTOR, 1)
    city.request(OFFICER, 1)
    city.fund(MINT, 2)
    city.submit(MINT, "BurnCoins", 1, "payout", city.coins(MINT))
    kinds = set()
    for key, value in city.state().items():
        kinds.add(key.split("\x00")[1])
        record = json.loads(value)
        assert value == json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert not record or (record["docType"] and record["version"] == 1)
    assert kinds == {
        *("asset", "burn", "coin", "escrow", "grant", "granted", "journal"),
        *("mint", "profile", "reading", "request", "requested"),
    }


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b'{"docType":"escrow","version":1,"id":"a","holder":"b","amount":1}',
        b'{"docType":"coin","version":2,"id":"a","holder":"b","amount":1}',
        b'{"docType":"coin","version":1,"id":"a","holder":"b"}',
        b'{"docType":"coin","version":1,"id":"a","holder":"b","amount":1,"more":1}',
    ],
)
def test_what_another_version_wrote_is_a_fault(raw):
    with pytest.raises(UnreadableRecord):
        decode(Coin, raw)


def test_every_function_says_what_it_does_and_refuses_wrong_arguments():
    for function in PrivySharing.functions.values():
        assert function.doc.endswith((".", "stays.", "}]")) or "\n" in function.doc
        assert len(function.doc) > 20


def test_a_profile_has_a_limit():
    assert City().refusal(ALICE, "SetProfile", {"x": "y" * 16384})["code"] == "BAD_VALUE"

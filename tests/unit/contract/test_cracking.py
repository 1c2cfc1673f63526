"""Whoever has every block, and time, learns nothing from the hashes of private readings: their salts see to that."""

import hashlib
import itertools
import json

import pytest

from privysharing.chaincode.canonical import dumps
from privysharing.protocol.codec.rwsets import encode_private_writes
from privysharing.protocol.rwsets import Write
from tests.support.city import ALICE, PULSE, City, salted

HEART_RATES = [(rate, "bpm") for rate in range(20, 251)]
ALCOHOL = [(hundredths / 100, "per mille") for hundredths in range(501)]
NOW = "2020-03-01T12:00:00Z"


def sha256(value):
    return hashlib.sha256(value).digest()


def stored(stub):
    """The private records of a transaction, which its members have."""
    return {key: json.loads(value) for (_, key), value in stub.private_writes.items()}


def hashes_on_the_channel(records):
    """All that blocks hold of private records: each value's hash, and that of the whole set, keys included."""
    values = {key: dumps(record) for key, record in sorted(records.items())}
    whole = encode_private_writes(tuple(Write(key, value) for key, value in values.items()))
    return {sha256(whole), *map(sha256, values.values())}


def crack(hashes, key, texts):
    """Every plausible value, at the very moment that the block tells, in every form that it could have been stored in.

    `key` is on the ledger; `texts` are what a lazy client might have taken as a salt.
    """
    for value, unit in (*HEART_RATES, *ALCOHOL):
        record = {"docType": "private-reading", "version": 1, "time": NOW, "value": value, "unit": unit}
        forms = [dumps(value), str(value).encode(), f"{value} {unit}".encode()]
        forms += [dumps(record), *(dumps({**record, "salt": text}) for text in texts)]
        for form in forms:
            if sha256(form) in hashes or sha256(encode_private_writes((Write(key, form),))) in hashes:
                return value
    return None


@pytest.mark.parametrize(
    ("asset_type", "value", "unit"), [("heart_rate", 72, "bpm"), ("blood_alcohol", 2.4, "per mille")]
)
def test_an_offline_cracker_fails_and_without_the_salt_it_succeeds(asset_type, value, unit):
    city = City()
    city.create(asset_type=asset_type, confidentiality="private")
    _, stub = city.simulate(
        ALICE, "AddPrivateReadings", PULSE, transient=salted({"value": value, "unit": unit, "time": NOW})
    )
    records = stored(stub)
    on_the_channel = {write.value_hash for _, write in stub.hashed_writes()}
    assert on_the_channel <= hashes_on_the_channel(records)
    (key,) = records
    (entry,) = [json.loads(written) for written in stub.writes.values() if b"reading-key" in written]
    texts = ["", "0" * 64, stub.tx_id, entry["key"], entry["key"] * 2]

    assert crack(hashes_on_the_channel(records), key, texts) is None

    bare = {key: {name: item for name, item in record.items() if name != "salt"} for key, record in records.items()}
    assert crack(hashes_on_the_channel(bare), key, texts) == value
    lazy = {key: {**record, "salt": stub.tx_id} for key, record in records.items()}
    assert crack(hashes_on_the_channel(lazy), key, texts) == value


def test_equal_readings_do_not_look_alike():
    city = City()
    city.create(confidentiality="private")
    city.conceal(*itertools.repeat({"value": 72, "unit": "bpm"}, 20))
    hashes = {entry.value for entry in city.world.hashed.values()}
    assert len(hashes) == 20

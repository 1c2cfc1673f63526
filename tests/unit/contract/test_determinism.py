"""Every endorser computes the same bytes, whatever its hash seed, and without looking at a clock or at chance."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]

STORY = """
import hashlib
from tests.support.city import ALICE, BOB, DOCTOR, MINT, OFFICER, PULSE, City, creator, salted

city = City()
city.submit(creator("admin@MinistryMSP", "admin"), "ConfigureChannel", {"asset_types": ["income", "heart_rate"]})
city.create()
city.submit(ALICE, "UpdateAsset", PULSE, {"status": "active", "description": "left"})
city.submit(ALICE, "AddReading", PULSE, {"b": 1.5, "a": [1, 2]}, "bpm")
city.submit(ALICE, "SetProfile", {"z": 1, "a": {"y": 2, "x": 3}})
for who in (DOCTOR, OFFICER, BOB):
    city.request(who, 3)
response, stub = city.simulate(ALICE, "ShareAsset", "heart_rate", PULSE, 2, [OFFICER, DOCTOR, OFFICER, BOB])
assert response.status == 200
print(response, list(stub.reads), list(stub.writes.items()), stub.event)
city.world.commit(stub)
print(sorted(city.state().items()), city.world.events)
city.create(name="alert", confidentiality="private")
reading = {"key": "0a" * 16, "salt": "0b" * 32, "value": {"b": 1.5, "a": [1, 2]}, "unit": "x"}
transient = salted(reading, {**reading, "key": "0c" * 16})
response, stub = city.simulate(ALICE, "AddPrivateReadings", f"{ALICE}/alert", transient=transient)
assert response.status == 200
print(response, list(stub.writes.items()), list(stub.private_writes.items()))
response, stub = city.simulate(ALICE, "DeleteAsset", PULSE)
print(response, list(stub.reads), stub.range_reads, list(stub.writes.items()))
print(city.simulate(ALICE, "NoSuchFunction")[0], city.simulate(ALICE, "Describe")[0])
"""


def told_with(hash_seed):
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [sys.executable, "-c", STORY], env=environment, cwd=REPOSITORY, check=True, capture_output=True, timeout=60
    ).stdout


def test_the_hash_seed_changes_nothing():
    first = told_with("1")
    assert len(first) > 5000
    assert told_with("2") == first

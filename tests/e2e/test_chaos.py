"""A short run of `make chaos`: every kind of strike once, and nothing acknowledged is lost, done twice or forked."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
KILLS = 8
SEED = 1157  # fills the orderer's disk, kills a peer, twice again during its recovery, and everybody at once
WRONG = (
    *("lost", "duplicated", "forks", "unexplained", "untrue", "unsettled"),
    *("faults", "differing_states", "unsound", "objections", "stuck"),
)
ACKNOWLEDGED_MIN = 100


def test_a_network_that_is_killed_stopped_and_starved_under_load_keeps_every_promise() -> None:
    command = [sys.executable, "-m", "tests.chaos", "--kills", str(KILLS), "--seed", str(SEED)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout.splitlines()[-1])
    assert [kind for kind in WRONG if result[kind]] == [], ran.stderr
    assert (result["kills"], result["seed"]) == (KILLS, SEED)
    assert result["acknowledged"] >= ACKNOWLEDGED_MIN
    assert result["codes"]["VALID"] >= ACKNOWLEDGED_MIN
    assert (result["stops"], result["restarts"]) == (1, 1)
    assert result["full_disks"] == 1, result.get("missing")

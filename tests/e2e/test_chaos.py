"""Short runs of `make chaos`: whatever is struck, nothing acknowledged is lost, done twice or forked."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KILLS = 8
SEED = 2059  # fills the orderer's disk, kills a peer, twice again during its recovery, and everybody at once
WRONG = (
    *("lost", "duplicated", "forks", "unexplained", "untrue", "unsettled"),
    *("faults", "differing_states", "differing_orderers", "contradicted"),
    *("unsound", "objections", "misplaced", "stuck"),
)
ACKNOWLEDGED_MIN = 100


def chaos(*arguments: str) -> dict[str, Any]:
    """What a run says at its end, which must not be that anything is wrong."""
    command = [sys.executable, "-m", "tests.chaos", *arguments]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert ran.returncode == 0, ran.stderr
    result: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    assert [kind for kind in WRONG if result[kind]] == [], ran.stderr
    assert result["acknowledged"] >= ACKNOWLEDGED_MIN
    assert result["codes"]["VALID"] >= ACKNOWLEDGED_MIN
    return result


def test_a_network_that_is_killed_stopped_and_starved_under_load_keeps_every_promise() -> None:
    result = chaos("--kills", str(KILLS), "--seed", str(SEED))
    assert (result["kills"], result["seed"]) == (KILLS, SEED)
    assert (result["stops"], result["restarts"]) == (1, 1)
    assert result["full_disks"] == 1, result.get("missing")


def test_four_orderers_over_a_broker_make_the_blocks_of_its_topic_though_orderer_and_broker_are_killed() -> None:
    """And though the configuration changes meanwhile, and records are repeated and mean nothing."""
    kinds = [argument for kind in ("meddle", "orderer", "broker") for argument in ("--only", kind)]
    result = chaos("--ordering", "kafka", "--brokers", "1", "--zookeepers", "1", "--kills", "2", "--seed", "1", *kinds)
    assert result["kills"] == 2
    assert result["meddled"] > 0
    assert result["configurations"] > 0
    assert result["topic"] > result["acknowledged"]

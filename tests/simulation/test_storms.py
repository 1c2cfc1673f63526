"""Some hundreds of storms, whatever they bring."""

import os
import subprocess
import sys

from tests.simulation.report import Report, many

STORMS = 200
NEVER_MET_MAX = 5  # boundaries and lies; `make sim` asks for all of them


def test_storms_lose_nothing_and_commit_nothing_wrong_and_fall_on_nearly_every_boundary() -> None:
    report = Report()
    for run in many(range(STORMS), os.cpu_count() or 1):
        report.add(run)
        assert not run.faults, (str(run.plan), run.faults)
    assert len(report.never_met()) <= NEVER_MET_MAX, report.never_met()
    assert report.committed > 10 * STORMS


def test_a_seed_means_the_same_run_in_every_process() -> None:
    assert len({_digest(7, hashes) for hashes in ("1", "2")}) == 1
    assert _digest(7, "1") != _digest(8, "1")


def _digest(seed: int, hashes: str) -> str:
    """What a process with other hashes of strings makes of a seed."""
    command = [sys.executable, "-m", "tests.simulation", "--seed", str(seed)]
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONHASHSEED": hashes}
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout.splitlines()[-1]

"""`make canary`: what only members may know is nowhere else, and after a purge nowhere at all."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_private_values_are_with_members_alone_in_no_encoding_elsewhere_and_nowhere_once_they_are_purged() -> None:
    command = [sys.executable, "-m", "tests.canary"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout.splitlines()[-1])
    assert (result["found_outside"], result["found_after_purge"], result["controls_missed"]) == (0, 0, 0)
    assert result["found_on_members"] == result["canaries"] >= 19
    assert result["controls"] == 5

"""The benchmark runs, ends well and says what it promises. How fast it is, is not for a test to say."""

import json
import subprocess
import sys
from pathlib import Path

PROMISED = {
    "workload",
    "tps",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "failures",
    "cpu_us_per_tx",
    "crypto_floor_tps",
    "ratio_to_floor",
}
ROOT = Path(__file__).parents[2]


def bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def test_a_short_run_prints_its_figures_as_json_on_the_last_line() -> None:
    ran = bench("--duration", "3", "--in-flight", "20")
    assert ran.returncode == 0, ran.stderr
    figures = json.loads(ran.stdout.splitlines()[-1])
    assert figures.keys() >= PROMISED
    assert figures["workload"] == "yardstick"
    assert figures["failures"] == {}
    assert figures["tps"] > 0
    assert figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"]
    assert all(cost > 0 for cost in figures["cpu_us_per_tx"].values())
    assert len(figures["cpu_us_per_tx"]) == 4  # orderer, two peers, client


def test_an_unknown_workload_is_refused_with_the_known_ones() -> None:
    ran = bench("--workload", "nothing")
    assert ran.returncode == 2
    assert "yardstick" in ran.stderr

"""The benchmark runs, ends well and says what it promises. How fast it is, is not for a test to say."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROMISED = {
    "workload",
    "tps",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "failures",
    "peers_agree",
    "cpu_us_per_tx",
    "crypto_floor_tps",
    "ratio_to_floor",
    "transactions_per_block",
    "items_per_message",
}
ROOT = Path(__file__).parents[2]


def bench(*arguments: str, module: str = "bench") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def figures_of(*arguments: str) -> dict[str, Any]:
    ran = bench("--duration", "1", "--warm-up", "0.5", "--in-flight", "20", *arguments)
    assert ran.returncode == 0, ran.stderr
    figures: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    assert figures["peers_agree"] is True
    return figures


def test_a_short_run_prints_its_figures_as_json_on_the_last_line() -> None:
    figures = figures_of()
    assert figures.keys() >= PROMISED
    assert (figures["workload"], figures["failures"]) == ("yardstick", {})
    assert figures["tps"] > 0
    assert figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"]
    assert all(cost > 0 for cost in figures["cpu_us_per_tx"].values())
    assert len(figures["cpu_us_per_tx"]) == 4  # orderer, two peers, client
    assert figures["transactions_per_block"] >= 1
    assert set(figures["items_per_message"]) == {"proposals", "endorsements", "envelopes", "acknowledgements"}


def test_a_private_value_is_measured_beside_a_plain_one() -> None:
    figures = figures_of("--workload", "private", "--duration", "0.3", "--warm-up", "0")
    for each in (figures, figures["yardstick"]):
        assert (each["failures"], each["runs"]) == ({}, 2)
        assert each["tps"] > 0
    assert figures["cpu_of_yardstick"] > 0


def test_a_profile_of_sharing_says_where_the_time_goes(tmp_path: Path) -> None:
    ran = bench("--workload", "share", "--duration", "5", "--in-flight", "20", "--profile", str(tmp_path))
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1])["failures"] == {}
    for process in ("client", "orderer0.ministry.city", "peer0.medical.city", "peer0.citizens.city"):
        assert f"\n{process}: " in f"\n{ran.stdout}"
        assert (tmp_path / f"{process}.svg").read_text().startswith("<svg")
    assert "endorse: simulate" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (("--rate", "nan"), "a rate above 0 and up to 10000"),
        (("--rate", "1e6"), "found: 1e+06"),
        (("--rate", "0"), "found: 0"),
        (("--duration", "nan"), "seconds above 0"),
        (("--warm-up", "-1"), "a warm-up of 0 s or more"),
        (("--in-flight", "0"), "--in-flight"),
        (("--workload", "overload", "--rate", "50"), "without --rate"),
        (("--workload", "overload", "--profile", "x"), "without --rate, --profile"),
        (("--profile", "x", "--runs", "2"), "a single run"),
        (("--profile", "x", "--duration", "3"), "5 s or more"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(arguments: tuple[str, ...], needed: str) -> None:
    ran = bench(*arguments)
    assert ran.returncode == 2
    assert needed in ran.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_is_told_to_stop_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "bench", "--in-flight", "20"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as running:
        until(lambda: any(tmp_path.glob("*/nodes/*/log")))
        running.send_signal(number)
    assert not list(tmp_path.iterdir())


def test_three_channels_grow_at_once_by_fabrics_own_calls() -> None:
    figures = figures_of("--workload", "channels3", "--transport", "unary")
    assert figures["failures"] == {}
    assert figures["tps"] > 0


def test_a_network_that_had_too_much_to_do_is_measured_before_meanwhile_and_after() -> None:
    figures = figures_of("--workload", "overload", "--duration", "0.5")
    assert [figures[phase]["in_flight"] for phase in ("before", "overload", "after", "new")] == [20, 100, 20, 20]
    assert figures["peers_agree"]
    assert min(figures["of_peak"], figures["recovered"], figures["recovered_of_new"]) > 0


def test_a_network_that_grows_restarts_and_catches_up_says_what_it_cost() -> None:
    ran = bench("--transactions", "50", "--keys", "3000", "--portion", "1", module="bench.endurance")
    assert ran.returncode == 0, ran.stderr
    figures = json.loads(ran.stdout.splitlines()[-1])
    assert (figures["failures"], figures["peers_agree"]) == ({}, True)
    assert figures["transactions"] >= 50
    assert figures["keys"] >= 3000
    assert figures["rows"][0]["keys"] == 0 < figures["rows"][-1]["keys"]
    assert min(figures["restart_s"], figures["catch_up_s"], figures["catch_up_of_live"]) > 0


def test_an_unknown_workload_is_refused_with_the_known_ones() -> None:
    ran = bench("--workload", "nothing")
    assert ran.returncode == 2
    assert "yardstick" in ran.stderr

"""Figures of a run: percentiles, processor time, and what cryptography alone allows."""

import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.floor import CryptoWork, crypto_floor_tps
from bench.meter import CpuMeter, Tally


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=200), st.integers(1, 100))
def test_a_percentile_is_the_least_latency_that_so_many_do_not_exceed(latencies_ms: list[int], percent: int) -> None:
    found = Tally(latencies_s=[each / 1000 for each in latencies_ms]).percentile_ms(percent)
    enough = len(latencies_ms) * percent / 100
    assert found in latencies_ms
    assert sum(each <= found for each in latencies_ms) >= enough
    assert sum(each < found for each in latencies_ms) < enough


def test_without_a_success_there_is_no_percentile() -> None:
    assert Tally().percentile_ms(50) is None


def test_processor_time_is_counted_from_the_meters_start_for_each_process() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as idle:
        meter = CpuMeter({"busy": os.getpid(), "idle": idle.pid})
        until = time.process_time() + 0.3
        while time.process_time() < until:
            pass
        spent = meter.spent_s()
        assert 0.25 < spent["busy"] < 3
        assert spent["idle"] < 0.25
        assert meter.resident_mb()["busy"] > 5
        cores = meter.cores_busy()
        assert 0 < cores["measured"] <= cores["measured"] + cores["others"] < 1.5 * (os.cpu_count() or 1)
        idle.communicate(b"\n")


@pytest.mark.parametrize(
    ("endorsers", "peers", "signatures", "verifications"), [(1, 1, 3, 4), (2, 2, 4, 9), (3, 4, 5, 20)]
)
def test_a_transactions_cryptography_is_counted_over_the_whole_network(
    endorsers: int, peers: int, signatures: int, verifications: int
) -> None:
    # proposals at the endorsers, the envelope at the orderer, creator and endorsements at every peer
    assert CryptoWork.of_transaction(endorsers, peers) == CryptoWork(signatures, verifications)


def test_the_floor_falls_with_the_work() -> None:
    light = crypto_floor_tps(CryptoWork.of_query(), 0.2)
    heavy = crypto_floor_tps(CryptoWork.of_transaction(3, 4), 0.2)
    assert 0 < heavy < light
    assert heavy < crypto_floor_tps(CryptoWork.of_transaction(3, 4), 0.2, with_tables=True)

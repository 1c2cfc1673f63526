"""Real brokers and ZooKeeper nodes: one that ends is told, and none outlives whom it is for."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from deploy.kafka.cluster import Cluster, MemberEnded
from deploy.ports import PortTaken

ROOT = Path(__file__).parents[2]
ENDING_SECONDS_MAX = 20.0
OWNER = """
import sys, time
from pathlib import Path
from deploy.kafka.cluster import start
print(*start(zookeepers=0, folder=Path(sys.argv[1])).pids().values(), flush=True)
time.sleep(60)
"""


def test_a_member_that_ended_is_told_with_its_last_words_and_starts_again(kafka_cluster: Cluster) -> None:
    kafka_cluster.kill(["broker0"])
    with pytest.raises(MemberEnded, match=r"broker0 ended; its log \S+/broker0/log ends with:\n"):
        kafka_cluster.ready()
    kafka_cluster.start()
    kafka_cluster.ready()
    assert set(kafka_cluster.pids()) == {"zookeeper0", "broker0"}


def test_another_cluster_does_not_start_in_its_place(kafka_cluster: Cluster, tmp_path: Path) -> None:
    other = Cluster(tmp_path, kafka_cluster.brokers, kafka_cluster.ensemble)
    with pytest.raises(PortTaken, match=r"port \d+ of zookeeper0 is taken by process"):
        other.start()
    assert other.pids() == {}


def test_brokers_without_zookeeper_serve_and_end_with_their_owner_however_that_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(tmp_path / "cluster")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        (broker,) = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]
        assert broker.is_running()
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + ENDING_SECONDS_MAX
    while broker.is_running() and broker.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.1)

"""`make clean` takes nothing away from under a network that runs."""

import shutil
import subprocess
from pathlib import Path

import psutil
import pytest

from services.client.network.processes import Processes
from tests.support.live import PROGRAMS, GeneratedNetwork

MAKEFILE = Path(__file__).parents[2] / "Makefile"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile, and an environment that is another's."""
    shutil.copy(MAKEFILE, tmp_path)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "privy").symlink_to(PROGRAMS / "privy")
    return tmp_path


def make_clean(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "clean"], cwd=checkout, capture_output=True, text=True, check=False, timeout=120)


def test_it_stops_every_network_first(checkout: Path) -> None:
    started = []
    for name in ("demo", "a second"):
        network = GeneratedNetwork("bench-1ch", checkout / "var" / name).network
        processes = Processes(network)
        processes.start([network.nodes[0].name])
        process = processes.process(network.nodes[0])
        assert process is not None
        started.append((processes, process))
    done = make_clean(checkout)
    assert done.returncode == 0, done.stderr
    for processes, process in started:
        assert process.status() == psutil.STATUS_ZOMBIE  # it has ended, and is ours to bury
        processes.stop()
    assert [path.name for path in checkout.iterdir()] == ["Makefile"]


def test_without_the_means_to_stop_a_network_it_refuses(checkout: Path) -> None:
    network = GeneratedNetwork("bench-1ch", checkout / "var" / "demo").network
    shutil.rmtree(checkout / ".venv")
    processes = Processes(network)
    processes.start([network.nodes[0].name])
    try:
        done = make_clean(checkout)
        assert done.returncode != 0
        assert "needed: .venv, to stop the network in var/demo" in done.stderr
        assert network.folder.exists()
    finally:
        processes.stop()
    assert make_clean(checkout).returncode == 0  # nothing runs any more
    assert not network.folder.exists()

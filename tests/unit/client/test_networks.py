"""Commands about a network whose nodes do not run, or not all: what is wrong, and what to do about it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from deploy.manifest import Network, NodeEntry
from services.client.network.processes import Processes
from tests.support.commandline import Run


@pytest.fixture
def unwritable() -> Iterator[Path]:
    """A folder that whoever is not root can enter, and not write to."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@contextmanager
def pretending_to_run(node: NodeEntry, network: Network) -> Iterator[subprocess.Popen[bytes]]:
    """As `pretending`, of a process that is stopped meanwhile."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stand_in:
        record = network.path(node.config).parent / "process.json"
        record.write_text(json.dumps({"pid": stand_in.pid, "started": psutil.Process(stand_in.pid).create_time()}))
        yield stand_in


@contextmanager
def pretending(node: NodeEntry, network: Network) -> Iterator[None]:
    """Some process of this machine is recorded as the node's."""
    with pretending_to_run(node, network) as stand_in:
        yield
        (network.path(node.config).parent / "process.json").unlink()
        stand_in.communicate(b"\n")


def findings(run: Run, *arguments: object) -> tuple[int, dict[str, dict[str, str]]]:
    status, out, _ = run("doctor", "--json", *arguments)
    return status, {finding["check"]: finding for finding in json.loads(out)}


def test_a_port_that_another_program_has_is_named_with_its_holder_and_nothing_starts(
    resting: Network, run: Run
) -> None:
    node = resting.nodes[-1]
    for address in (node.address, node.operations_address):
        host, _, port = address.rpartition(":")
        with socket.create_server((host, int(port))):
            status, _, err = run("network", "up", "--network", resting.folder)
            assert status == 1
            assert f"port {port} of {node.name} is taken by process {os.getpid()}, " in err
            assert Processes(resting).pids() == {}
            _, found = findings(run, "--network", resting.folder)
    assert not found[f"port of {node.name}"]["well"]
    assert f"by process {os.getpid()}" in found[f"port of {node.name}"]["found"]


def test_a_topology_other_than_the_folders_is_wrong_usage(resting: Network, run: Run) -> None:
    status, _, err = run("network", "up", "--topology", "interop", "--network", resting.folder)
    assert status == 2
    assert f"{resting.folder} holds a network of topology demo, not interop" in err
    assert f"privy network down --remove --network {resting.folder}" in err


def test_an_ordering_other_than_the_folders_is_wrong_usage(resting: Network, run: Run) -> None:
    status, _, err = run("network", "up", "--ordering", "kafka", "--network", resting.folder)
    assert status == 2
    assert f"{resting.folder} holds a network whose ordering is embedded" in err
    assert f"privy network down --remove --network {resting.folder}" in err


def test_the_status_of_a_network_that_does_not_serve_is_a_failure(resting: Network, run: Run) -> None:
    status, out, err = run("network", "status", "--network", resting.folder)
    assert status == 1
    assert resting.nodes[0].name in out
    assert f"privy network up --network {resting.folder}" in err


@pytest.mark.usefixtures("nobody")
def test_a_folder_that_cannot_be_written_is_named(unwritable: Path, run: Run) -> None:
    folder = unwritable / "var" / "demo"
    status, _, err = run("network", "up", "--network", folder)
    assert (status, err) == (1, f"error: permission denied: {unwritable / 'var'}\n")
    status, found = findings(run, "--network", folder)
    assert status == 1
    assert found["folder"]["found"] == f"{unwritable} is not writable"
    assert str(unwritable) in found["folder"]["remedy"]


@pytest.mark.parametrize("text", ['{"format": 1}', '{"format": 1, "topology": "demo", "nodes": 5}', "{", "[]"])
def test_half_a_manifest_is_no_network(text: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "network.json").write_text(text)
    status, _, err = run("network", "status", "--network", tmp_path)
    assert status == 1
    assert f"error: {tmp_path}/network.json is" in err
    status, found = findings(run, "--network", tmp_path)
    assert (status, found["network"]["well"]) == (1, False)


def test_a_doctor_says_that_there_is_no_network_or_that_none_runs(resting: Network, tmp_path: Path, run: Run) -> None:
    _, found = findings(run, "--network", tmp_path / "none")
    assert found["network"]["well"]
    assert "privy network up --network" in found["network"]["found"]
    _, found = findings(run, "--network", resting.folder)
    assert found["network"]["well"]
    assert "is not running" in found["network"]["found"]


def test_a_node_that_does_not_run_while_others_do_is_not_well(resting: Network, run: Run) -> None:
    runs, *absent = resting.nodes
    with pretending(runs, resting):
        status, found = findings(run, "--network", resting.folder)
    assert status == 1
    for node in absent:
        assert not found[node.name]["well"]
        assert found[node.name]["remedy"] == f"privy network up --network {resting.folder}"


def test_a_call_that_needs_a_node_which_does_not_run_names_it(resting: Network, run: Run) -> None:
    runs, *absent = resting.nodes
    with pretending(runs, resting):
        status, _, err = run("asset", "list", "--as", "alice", "--network", resting.folder)
    assert status == 1
    assert f"{', '.join(node.name for node in absent)} of the network in {resting.folder} are not running" in err


def test_the_state_of_a_running_peer_is_not_dumped(resting: Network, run: Run) -> None:
    peer = resting.nodes[-1]
    with pretending(peer, resting):
        status, out, err = run("peer", "dump-state", peer.name, "--network", resting.folder)
    assert (status, out) == (1, "")
    assert f"{peer.name} is running; stop it first: privy network down {peer.name} --network {resting.folder}" in err


def test_one_node_is_stopped_by_its_name_and_the_others_are_left_alone(resting: Network, run: Run) -> None:
    stopped, other, *_ = resting.nodes
    with pretending(other, resting), pretending_to_run(stopped, resting) as process:
        status, out, _ = run("network", "down", stopped.name, "--network", resting.folder)
        assert (status, out) == (0, f"✓ {stopped.name} has stopped\n")
        assert process.wait(10) == -signal.SIGTERM
        assert Processes(resting).pids().keys() == {other.name}


@pytest.mark.parametrize(
    "arguments", [("nobody",), ("peer0.medical.city", "nobody"), ("peer0.medical.city", "--remove")]
)
def test_nothing_is_stopped_when_a_name_is_unknown_or_a_part_is_to_be_removed(
    arguments: tuple[str, ...], resting: Network, run: Run
) -> None:
    node = resting.node("peer0.medical.city")
    with pretending(node, resting):
        status, _, err = run("network", "down", *arguments, "--network", resting.folder)
        assert Processes(resting).pids().keys() == {node.name}
    assert status == 2
    assert "found nobody" in err or "name no node" in err
    assert resting.folder.is_dir()

"""Each organisation says for itself which contracts count, with its own keys: nobody holds everybody's."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.manifest import Network
from services.client.network.processes import Processes
from tests.support.live import PROGRAMS, GeneratedNetwork, privy

MEMBERS = ("medical", "police", "citizens")


def own_copy(network: Network, organisation: str, folder: Path) -> Path:
    """The network's folder as an organisation has it: with no keys of any other."""
    shutil.copytree(network.folder, folder)
    for other in network.organisations:
        if other.name != organisation:
            shutil.rmtree(folder / other.folder / "users")
            shutil.rmtree(folder / other.folder / "ca")
    return folder


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[tuple[Processes, dict[str, subprocess.Popen[str]]]]:
    """A network that does not run yet, and what does each member's part in defining its contracts."""
    network = GeneratedNetwork("demo", tmp_path / "network").network
    processes = Processes(network, stop_with=os.getpid())
    parts = {}
    for member in MEMBERS:
        command = [PROGRAMS / "privy", "network", "define", "--json", "--organisation", member, "--wait", "60"]
        folder = own_copy(network, member, tmp_path / member)
        parts[member] = subprocess.Popen(
            [*command, "--network", folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    try:
        yield processes, parts
    finally:
        processes.stop()
        for part in parts.values():
            part.kill()
            part.communicate()


def test_a_contract_counts_once_every_member_has_done_its_part_whenever_nodes_start(
    parts: tuple[Processes, dict[str, subprocess.Popen[str]]],
) -> None:
    processes, running = parts
    processes.start()
    asyncio.run(processes.ready())
    for member, part in running.items():
        out, error = part.communicate(timeout=60)
        assert (part.returncode, json.loads(out).get("organisation")) == (0, member), out + error
    folder = processes.network.folder
    called = ["--as", "alice", "--network", folder, "--json"]
    assert privy("asset", "create", "heart_rate", "pulse", *called).returncode == 0
    again = privy("network", "define", "--organisation", "medical", "--network", folder)
    assert again.returncode == 0, again.stderr


def test_who_commits_names_those_who_have_not_approved(
    parts: tuple[Processes, dict[str, subprocess.Popen[str]]],
) -> None:
    processes, running = parts
    running["police"].kill()
    processes.start()
    asyncio.run(processes.ready())
    running["citizens"].communicate(timeout=60)
    folder = processes.network.folder
    refused = privy("network", "define", "--organisation", "medical", "--wait", "1", "--network", folder)
    assert refused.returncode == 1
    assert "privysharing is not approved on health by PoliceMSP yet" in refused.stderr

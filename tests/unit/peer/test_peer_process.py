"""The peer as it is started: what cannot be used ends it with a line that names it."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deploy.generate import generate
from deploy.topology import load_topology
from services.peer.config import load
from services.peer.node import Peer
from services.runtime.metrics import Registry
from tests.support.nodes import until

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def core_yaml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = generate(load_topology("demo"), tmp_path_factory.mktemp("net") / "demo")
    node = next(node for node in network.nodes if node.role == "peer")
    return network.path(node.config)


@pytest.fixture
def taken() -> Iterator[str]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield f"127.0.0.1:{holder.getsockname()[1]}"


def start(path: Path, **environment: str) -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "services.peer.main", "--config", str(path), "--stop-with", str(os.getpid())],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stderr.splitlines()[-1]


@pytest.mark.parametrize("key", ["peer.listenAddress", "Operations.ListenAddress"])
def test_a_port_in_use_is_named(core_yaml: Path, taken: str, key: str) -> None:
    code, said = start(core_yaml, **{f"CORE_{key}".replace(".", "_").upper(): taken})
    assert code == 2
    assert said.startswith(f"configuration: {key}: {taken} is not an address of this host with a free port")


def test_a_contract_that_is_not_installed_is_named(core_yaml: Path) -> None:
    document = yaml.safe_load(core_yaml.read_text())
    document["privysharing"]["contracts"]["meters"] = "nothing"
    path = core_yaml.with_name("changed.yaml")
    path.write_text(yaml.safe_dump(document))
    code, said = start(path)
    assert code == 2
    assert said.startswith("configuration: privysharing.contracts.meters: nothing is not an installed contract (")


async def test_a_peer_that_does_not_serve_yet_is_not_well(core_yaml: Path) -> None:
    peer = Peer(load(core_yaml, {}), Registry())
    stop = asyncio.Event()
    try:
        await peer.open()
        assert peer.illness() == "not serving yet"
        running = asyncio.create_task(peer.run(stop))
        await until(lambda: peer.illness() is None)
        stop.set()
        await running
    finally:
        await peer.close()

"""docs/grpc.md: its programs, made of proto/ alone by its own commands, do on a real network what it says."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from services.orderer import rpc as orderer
from services.peer import rpc as peer
from tests.support import foreign_client as foreign
from tests.support.foreign_client import Tls
from tests.support.live import LiveNetwork

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "grpc.md").read_text()
NEEDED = {"In Python": "find", "In JavaScript": "npm"}
INSTALL = {"find": "findutils", "npm": "nodejs npm"}


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def block(title: str, kind: str) -> str:
    """The one code block of a kind in a section."""
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```$", section(title), re.MULTILINE | re.DOTALL)
    return str(found)


def follow(title: str, kind: str, program: str, network: Path, folder: Path) -> str:
    """Do what a section says, in a folder that has what it starts from; gives what its program prints."""
    needed = NEEDED[title]
    assert shutil.which(needed), f"needed: {needed}; install it with: apt-get install {INSTALL[needed]}"
    (folder / program).write_text(block(title, kind))
    shutil.copytree(ROOT / "proto", folder / "proto")
    (folder / "var").mkdir()
    (folder / "var" / "demo").symlink_to(network)
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"PATH": path}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block(title, "sh")],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("title", "kind", "program", "language"),
    [("In Python", "python", "client.py", "Python"), ("In JavaScript", "js", "client.mjs", "JavaScript")],
)
def test_a_client_made_of_the_page_has_a_transaction_committed(
    demo: LiveNetwork, tmp_path: Path, title: str, kind: str, program: str, language: str
) -> None:
    printed = follow(title, kind, program, demo.network.folder, tmp_path)
    committed, profile = printed.splitlines()[-2:]
    assert re.fullmatch(r"committed in block \d+", committed)
    assert json.loads(profile)["fields"] == {"name": "Alice", "written in": language}


def test_a_client_made_of_the_page_says_why_it_is_refused(demo: LiveNetwork, tmp_path: Path) -> None:
    """Bob's key under Alice's certificate signs nothing that a peer would take."""
    forged = tmp_path / "forged"
    shutil.copytree(demo.network.folder / "profiles", forged / "profiles")
    shutil.copytree(demo.network.folder / "crypto", forged / "crypto")
    users = forged / "crypto" / "peerOrganizations" / "citizens.city" / "users"
    alice, bob = (users / f"{name}@citizens.city" / "msp" / "keystore" for name in ("alice", "bob"))
    shutil.rmtree(alice)
    shutil.copytree(bob, alice)
    (tmp_path / "run").mkdir()
    with pytest.raises(AssertionError, match="access denied"):
        follow("In Python", "python", "client.py", forged, tmp_path / "run")


def test_every_node_says_that_it_is_well_to_whoever_shows_a_certificate(demo: LiveNetwork) -> None:
    for node in demo.network.nodes:
        with demo.dial(node) as channel:
            stub: Any = HealthStub(channel)
            assert stub.Check(HealthCheckRequest(), timeout=10).status == HealthCheckResponse.SERVING
        with foreign.connected(node.address, Tls(demo.tls_roots)) as channel, pytest.raises(grpc.RpcError) as refused:
            HealthStub(channel).Check(HealthCheckRequest(), timeout=10)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_node_describes_its_services_where_it_is_configured_and_only_there(
    demo: LiveNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    telling, silent = demo.peers[-1], demo.orderer
    with monkeypatch.context() as patch:
        patch.setenv("CORE_PRIVYSHARING_REFLECTION", "true")
        with demo.stopped([telling.name]):
            pass
    with demo.dial(telling) as channel:
        services = set(ProtoReflectionDescriptorDatabase(channel).get_services())
    assert peer.ENDORSER in services
    assert services <= offered()
    with demo.stopped([telling.name]):
        pass
    for node in (telling, silent):
        with demo.dial(node) as channel, pytest.raises(grpc.RpcError) as refused:
            ProtoReflectionDescriptorDatabase(channel).get_services()
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_the_page_names_every_service_of_an_orderer() -> None:
    assert {orderer.SERVICE, orderer.BATCH_SERVICE, orderer.DIRECTORY_SERVICE} <= offered()


def offered() -> set[str]:
    """By full name; a row may leave out what its names begin with alike."""
    rows = [line.split("|")[1] for line in section("What is offered").splitlines() if line.startswith("| `")]
    found: set[str] = set()
    for row in rows:
        first, *others = re.findall(r"`([\w.]+)`", row)
        found |= {first, *(f"{first.rpartition('.')[0]}.{other}" for other in others)}
    return found

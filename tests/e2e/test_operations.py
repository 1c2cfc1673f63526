"""What operators see of a running network, and what nobody sees in its logs and files."""

import asyncio
import base64
import http.client
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import pytest

from deploy.manifest import NodeEntry
from tests.support import foreign_client as foreign
from tests.support.live import CHANNEL, CONTRACT, LiveNetwork

FABRICS_METRICS = Path(__file__).parents[1] / "interop" / "vectors" / "peer-metrics.txt"
# core/endorser/metrics.go: what the peer that the file is from had no reason to count
RARER_METRICS = {
    "endorser_duplicate_transaction_failures",
    "endorser_endorsement_failures",
    "endorser_proposal_acl_failures",
    "endorser_proposal_validation_failures",
}
IDLE_RESIDENT_MB_MAX = 80
READY_SECONDS_MAX = 15.0  # the promise is 5 s, on a machine that has nothing else to do


def ask(node: NodeEntry, path: str, method: str = "GET", body: object = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection(node.operations_address, timeout=10)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def metrics_of(node: NodeEntry) -> dict[str, str]:
    """Kind by name."""
    status, page = ask(node, "/metrics")
    assert status == 200
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE))


def test_the_network_was_ready_in_time(demo: LiveNetwork) -> None:
    """For its first transaction: nodes serve, the contract is defined."""
    print(f"ready after {demo.ready_s:.1f} s")  # noqa: T201 - a figure for whoever looks
    assert demo.ready_s < READY_SECONDS_MAX


def visit(demo: LiveNetwork, peer: NodeEntry) -> None:
    """Something of everything that is counted: calls and a stream."""
    alice = demo.signer("alice")
    with demo.dial(peer) as channel:
        for name, *args in (("cscc", "GetChannels"), (CONTRACT, "ListMyAssets")):
            foreign.ask(channel, foreign.signed_proposal(foreign.propose(alice, CHANNEL, name, *args), alice))
        assert list(foreign.filtered_blocks(channel, demo.seek(alice, foreign.NEWEST, foreign.NEWEST)))


def test_a_peers_metrics_are_fabrics(demo: LiveNetwork) -> None:
    """By name and kind, as far as there was anything to count.

    What a Fabric peer has besides is about its gossip, about chaincode in containers, and about connections, of which
    gRPC tells a Python server nothing.
    """
    fabrics = dict(line.split() for line in FABRICS_METRICS.read_text().splitlines())
    ours: dict[str, str] = {}
    for peer in demo.peers:
        visit(demo, peer)
        ours |= metrics_of(peer)
    common = ours.keys() & fabrics.keys()
    assert {name: ours[name] for name in common} == {name: fabrics[name] for name in common}
    others = ("gossip_", "chaincode_", "grpc_comm_", "endorser_proposal_simulation_failures")
    assert [name for name in fabrics.keys() - common if not name.startswith(others)] == []
    own = ("process_", "python_", "privysharing_")
    assert {name for name in ours.keys() - common if not name.startswith(own)} <= RARER_METRICS


def test_health_and_version_are_told_and_nothing_else(demo: LiveNetwork) -> None:
    for node in demo.network.nodes:
        status, health = ask(node, "/healthz")
        assert (status, json.loads(health)["status"]) == (200, "OK")
        assert json.loads(ask(node, "/version")[1])["Version"] == version("privysharing")
        assert ask(node, "/secrets")[0] == 404
        assert ask(node, "/healthz", "PUT")[0] == 405


def test_the_logging_specification_is_read_and_changed_while_a_node_runs(demo: LiveNetwork) -> None:
    for node in (demo.orderer, demo.peers[0]):
        before = json.loads(ask(node, "/logspec")[1])
        assert ask(node, "/logspec", "PUT", {"spec": "info:grpc=debug"})[0] == 204
        assert json.loads(ask(node, "/logspec")[1]) == {"spec": "info:grpc=debug"}
        status, error = ask(node, "/logspec", "PUT", {"spec": "loud"})
        assert status == 400
        assert "loud" in json.loads(error)["error"]
        assert json.loads(ask(node, "/logspec")[1]) == {"spec": "info:grpc=debug"}
        assert ask(node, "/logspec", "PUT", before)[0] == 204


def test_an_idle_peer_is_small(demo: LiveNetwork) -> None:
    """As it stands when it has just begun to serve."""
    names = [peer.name for peer in demo.peers]
    with demo.stopped(names):
        pass
    asyncio.run(demo.agreement())
    for peer in demo.peers:
        process = demo.processes.process(peer)
        assert process is not None
        resident = process.memory_info().rss / 1e6
        print(f"{peer.name}: {resident:.1f} MB")  # noqa: T201 - a figure for whoever looks
        assert resident <= IDLE_RESIDENT_MB_MAX


@contextmanager
def talkative(live: LiveNetwork) -> Iterator[None]:
    """Every node logs whatever it can."""
    before = {node.name: json.loads(ask(node, "/logspec")[1]) for node in live.network.nodes}
    for node in live.network.nodes:
        assert ask(node, "/logspec", "PUT", {"spec": "debug"})[0] == 204
    yield
    for node in live.network.nodes:
        assert ask(node, "/logspec", "PUT", before[node.name])[0] == 204


def test_no_private_key_and_no_transient_value_is_in_any_log_or_ledger(demo: LiveNetwork) -> None:
    """A canary goes the way of a secret, in transactions that work and in ones that do not; so do all keys."""
    canary, public = f"canary-{os.urandom(8).hex()}", f"public-{os.urandom(8).hex()}"
    alice = demo.signer("alice")
    with talkative(demo):
        for function, args in (
            ("SetProfile", [json.dumps({"note": public})]),
            ("ReadAsset", ["nobody@CitizensMSP/nothing"]),
            ("NoSuchFunction", [public]),
        ):
            proposal = foreign.propose(alice, CHANNEL, CONTRACT, function, *args, transient={"value": canary.encode()})
            answers = []
            for peer in demo.endorsers:
                with demo.dial(peer) as channel:
                    answers.append(foreign.ask(channel, foreign.signed_proposal(proposal, alice)))
            assert not any(canary.encode() in answer.SerializeToString() for answer in answers)
            if function == "SetProfile":
                payload = foreign.transaction(proposal, answers[0].payload, [each.endorsement for each in answers])
                with demo.dial(demo.orderer) as channel:
                    (ordered,) = foreign.broadcast(channel, foreign.envelope(payload, alice))
                assert ordered.status == foreign.common.SUCCESS
                with demo.dial(demo.peers[0]) as channel:
                    request = demo.seek(alice, foreign.OLDEST, foreign.at(foreign.NEVER))
                    codes = foreign.verdicts(channel, request, proposal.tx_id)
                assert codes == [foreign.transactions.VALID]
    asyncio.run(demo.agreement())
    written = [path for path in demo.network.path("nodes").rglob("*") if path.is_file()]
    contents = {path: path.read_bytes() for path in written}
    assert sum(public.encode() in content for content in contents.values()) >= len(demo.network.nodes)
    secrets = [canary.encode(), base64.b64encode(canary.encode()), canary.encode().hex().encode(), *private_keys(demo)]
    found = [path for path, content in contents.items() if any(secret in content for secret in secrets)]
    assert not found


def private_keys(live: LiveNetwork) -> list[bytes]:
    """A line of each private key's PEM, and its number as DER holds it."""
    files = [path for path in live.network.path("crypto").rglob("*") if path.name == "priv_sk" or path.suffix == ".key"]
    assert len(files) > 20
    pems = [path.read_bytes() for path in files]
    lines = [pem.splitlines()[1] for pem in pems]
    numbers = [base64.b64decode(b"".join(pem.splitlines()[1:-1]))[36:68] for pem in pems]
    assert all(len(secret) >= 32 for secret in lines + numbers)
    return lines + numbers


@pytest.mark.parametrize("name", ["priv_sk", "client.key", "server.key"])
def test_private_keys_are_for_their_owners_eyes(demo: LiveNetwork, name: str) -> None:
    files = list(demo.network.path("crypto").rglob(name))
    assert files
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}

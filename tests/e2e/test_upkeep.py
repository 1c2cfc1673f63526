"""What operators do with a node's data: check, make state anew, copy, put copies back; and a disk runs low."""

import asyncio
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from deploy.manifest import NodeEntry
from tests.e2e.test_operations import ask
from tests.support import foreign_client as foreign
from tests.support.live import CHANNEL, CONTRACT, LiveNetwork, privy

NOTICING_SECONDS_MAX = 20.0


def data_of(demo: LiveNetwork, node: NodeEntry) -> Path:
    return demo.network.path(node.data)


def health(node: NodeEntry) -> dict[str, str]:
    """What is not well, by component."""
    failed = json.loads(ask(node, "/healthz")[1]).get("failed_checks", [])
    return {check["component"]: check["reason"] for check in failed}


def eventually(said: Callable[[], bool]) -> None:
    deadline = time.monotonic() + NOTICING_SECONDS_MAX
    while True:
        try:
            if said():
                return
        except OSError:
            pass  # it is starting
        assert time.monotonic() < deadline
        time.sleep(0.1)


async def transact(demo: LiveNetwork, name: str) -> None:
    async with demo.people("alice") as [alice]:
        await alice.does("CreateAsset", "heart_rate", name)


def replace(data: Path, copy: Path) -> None:
    shutil.rmtree(data)
    shutil.copytree(copy, data)


def test_a_peers_data_are_checked_and_its_state_made_anew_while_it_is_stopped(demo: LiveNetwork) -> None:
    asyncio.run(transact(demo, "upkeep-rebuilt"))
    peer = demo.peers[0]
    where = ("--network", demo.network.folder)
    for command in ("verify", "rebuild"):
        refused = privy("peer", command, peer.name, *where)
        assert refused.returncode == 1
        assert f"{peer.name} is running; stop it first" in refused.stderr
        refused = privy("peer", command, data_of(demo, peer))
        assert refused.returncode == 1
        assert "is in use: stop the peer first" in refused.stderr
    with demo.stopped([peer.name]):
        before = demo.dump_state(peer)
        checked = privy("peer", "verify", peer.name, *where, "--json")
        assert checked.returncode == 0, checked.stderr
        found = {each["name"]: each for each in json.loads(checked.stdout)["found"]}
        assert found[CHANNEL]["transactions"] >= found[CHANNEL]["blocks"] > 1
        assert found.keys() == {CHANNEL, f"{CHANNEL}/private"}
        rebuilt = privy("peer", "rebuild", peer.name, *where)
        assert rebuilt.returncode == 0, rebuilt.stderr
        assert demo.dump_state(peer) == before
        assert privy("peer", "verify", peer.name, *where).returncode == 0
    asyncio.run(demo.agreement())


def test_an_old_copy_of_a_peers_folder_is_a_backup_and_another_peers_is_one_too(
    demo: LiveNetwork, tmp_path: Path
) -> None:
    """A ledger knows nothing of whose it is. What is missing comes from the orderer."""
    peer, other = demo.peers[0], demo.peers[1]
    with demo.stopped([peer.name, other.name]):
        shutil.copytree(data_of(demo, peer), tmp_path / "backup")
    asyncio.run(transact(demo, "upkeep-after-the-backup"))
    with demo.stopped([peer.name, other.name]):
        for restored in (peer, other):
            replace(data_of(demo, restored) / "ledgersData", tmp_path / "backup" / "ledgersData")
    asyncio.run(demo.agreement())
    assert privy("peer", "verify", tmp_path / "backup").returncode == 0


def test_peers_say_that_an_orderer_has_an_old_folder_and_go_on_with_the_right_one(
    demo: LiveNetwork, tmp_path: Path
) -> None:
    orderer = demo.orderer
    with demo.stopped([orderer.name]):
        shutil.copytree(data_of(demo, orderer), tmp_path / "old")
    asyncio.run(transact(demo, "upkeep-lost-by-the-orderer"))
    height = asyncio.run(demo.agreement())["height"]
    demo.processes.stop([orderer.name])
    shutil.copytree(data_of(demo, orderer), tmp_path / "newest")
    replace(data_of(demo, orderer), tmp_path / "old")
    demo.processes.start([orderer.name])
    for peer in demo.peers:
        eventually(lambda peer=peer: "it has lost data" in health(peer).get("channels", ""))
    demo.processes.stop([orderer.name])
    replace(data_of(demo, orderer), tmp_path / "newest")
    demo.processes.start([orderer.name])
    asyncio.run(demo.processes.ready())
    asyncio.run(transact(demo, "upkeep-after-the-right-folder"))
    assert asyncio.run(demo.agreement())["height"] > height


def test_nodes_short_of_disk_space_refuse_what_writes_say_so_and_answer_what_does_not(
    demo: LiveNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, peer, orderer = demo.signer("alice"), demo.endorsers[0], demo.orderer
    names = [peer.name, orderer.name]
    with monkeypatch.context() as poor:
        for prefix in ("CORE", "ORDERER"):
            poor.setenv(f"{prefix}_PRIVYSHARING_DISKWATERMARK", str(2**62))
        assert "CORE_PRIVYSHARING_DISKWATERMARK" in os.environ
        demo.processes.stop(names)
        demo.processes.start(names)
    for node in (peer, orderer):
        eventually(lambda node=node: "no new work is taken until there is room" in health(node)["disk"])
        assert "privysharing_disk_free_bytes" in ask(node, "/metrics")[1]

    def propose(*args: str) -> foreign.Proposal:
        return foreign.propose(alice, CHANNEL, CONTRACT, *args)

    with demo.dial(peer) as channel:
        listed = foreign.ask(channel, foreign.signed_proposal(propose("ListMyAssets"), alice))
        assert listed.response.status == 200
        with pytest.raises(grpc.RpcError) as refused:
            foreign.ask(channel, foreign.signed_proposal(propose("SetProfile", '{"a": "b"}'), alice))
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # type: ignore[attr-defined]
    proposal = propose("SetProfile", '{"a": "c"}')
    answers = []
    for endorser in demo.endorsers[1:3]:
        with demo.dial(endorser) as channel:
            answers.append(foreign.ask(channel, foreign.signed_proposal(proposal, alice)))
    payload = foreign.transaction(proposal, answers[0].payload, [each.endorsement for each in answers])
    with demo.dial(orderer) as channel:
        (answer,) = foreign.broadcast(channel, foreign.envelope(payload, alice))
    assert answer.status == foreign.common.SERVICE_UNAVAILABLE
    assert "try again later" in answer.info
    demo.processes.stop(names)
    demo.processes.start(names)
    asyncio.run(demo.processes.ready())
    asyncio.run(transact(demo, "upkeep-with-room"))
    asyncio.run(demo.agreement())

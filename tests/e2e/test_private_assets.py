"""Private assets on a network that runs: who reads them, what others have of them, and proof that they are gone."""

import asyncio
import json
from pathlib import Path

import pytest

from deploy.wallets import network_wallet
from privysharing.contract.critical import CRITICAL
from privysharing.contract.private_readings import TRANSIENT
from privysharing.sdk import Call
from privysharing.sdk.errors import ContractRefused, PrivateDataRefused, Refused
from services.client.network.blocks import fetch_block
from services.client.network.levels import read_asset
from tests.support.live import CHANNEL, CONTRACT, LiveNetwork, privy

OUTSIDER = "peer0.citizens.city"
MEMBERS = ("peer0.medical.city", "peer0.police.city")
SPLIT = "alice@CitizensMSP/split"


async def test_members_hold_the_value_and_everybody_else_a_hash(demo: LiveNetwork) -> None:
    async with demo.people("alice") as (alice,):
        contract, channel = alice.contract, alice.contract.channel
        await alice.does("CreateAsset", "blood_alcohol", "split", "private")
        transient = {TRANSIENT: contract.salted({"value": "canary 2.4", "unit": "per mille"})}
        add = Call(CONTRACT, "AddPrivateReadings", (SPLIT,), transient, (CRITICAL,))
        receipt = await channel.submit(add)
        peers = [await channel.commits(node) for node in channel.nodes.event_sources]
        await asyncio.gather(*(peer.verdict(receipt.tx_id, channel.timeouts.commit) for peer in peers))

        nodes = {node.name: node for node in channel.nodes.endorsers}
        read, hashes = Call(CONTRACT, "ReadAsset", (SPLIT,)), Call(CONTRACT, "ReadingHashes", (SPLIT,))
        for name in MEMBERS:
            answer = json.loads(await channel.evaluate(read, [nodes[name]]))
            assert [reading["value"] for reading in answer["readings"]] == ["canary 2.4"]
        with pytest.raises(Refused) as refused:
            await channel.evaluate(read, [nodes[OUTSIDER]])
        assert not isinstance(refused.value, ContractRefused)
        known = {
            json.loads(await channel.evaluate(hashes, [node]))["items"][0]["value_hash"] for node in nodes.values()
        }
        (value_hash,) = known
        with pytest.raises(PrivateDataRefused, match="is for peers of MedicalMSP, PoliceMSP"):
            await channel.submit(add, [nodes[OUTSIDER]])

    operator = network_wallet(demo.network).get("admin.citizens")
    for source in ("orderer", OUTSIDER, MEMBERS[0]):
        block = await fetch_block(demo.network, operator, CHANNEL, str(receipt.block_num), source)
        assert bytes.fromhex(value_hash) in block
        assert b"canary" not in block
        assert b"per mille" not in block


async def test_a_private_asset_is_for_its_owner_and_whom_he_shared_it_with(demo: LiveNetwork) -> None:
    asset = "alice@CitizensMSP/glass"
    async with demo.people("alice", "officer", "mallory", "mint") as (alice, officer, mallory, mint):
        await alice.does("CreateAsset", "blood_alcohol", "glass", "private")
        transient = {TRANSIENT: alice.contract.salted({"value": 0.4, "unit": "per mille"})}
        await alice.contract.submit("AddPrivateReadings", asset, transient=transient, collections=(CRITICAL,))
        for stranger in (mallory, officer):
            with pytest.raises(ContractRefused, match="access denied"):
                await stranger.contract.evaluate("ReadAsset", asset, collections=(CRITICAL,))
        issued = await mint.does("MintCoins", officer.party, 1, "glass-1")
        assert issued["amount"] == 1
        coins = [coin["id"] for coin in (await officer.asks("MyCoins"))["coins"]]
        await officer.does("FileRequest", asset, 1, "traffic", coins)
        await alice.does("ShareAsset", "blood_alcohol", asset, 1, [officer.party])
        answer = json.loads(await read_asset(officer.contract, asset, "", 10))
        assert [reading["value"] for reading in answer["readings"]] == [0.4]
        with pytest.raises(PrivateDataRefused, match="evaluate it"):  # in a block, everybody would read the answer
            await officer.contract.submit("ReadAsset", asset, "", "10", collections=(CRITICAL,))
        await alice.does("RevokeGrant", asset, officer.party)
        with pytest.raises(ContractRefused, match="access denied"):
            await officer.contract.evaluate("ReadAsset", asset, collections=(CRITICAL,))


def test_the_command_line_conceals_reads_back_purges_and_proves(demo: LiveNetwork, tmp_path: Path) -> None:
    def run(*arguments: str | Path, status: int = 0) -> str:
        done = privy("asset", *arguments, "--network", demo.network.folder)
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    (tmp_path / "value").write_text("2.4\n")
    run("create", "blood_alcohol", "flask", "--confidentiality", "private", "--as", "alice")
    run("add", "flask", f"@{tmp_path / 'value'}", "per mille", "--as", "alice")
    shown = json.loads(run("show", "flask", "--as", "alice", "--json"))
    assert [(reading["value"], reading["unit"]) for reading in shown["readings"]] == [(2.4, "per mille")]
    proof = tmp_path / "proof.json"
    assert "every byte is gone" in run("delete", "flask", "--proof", proof, "--as", "alice")
    proof.write_text(json.dumps({**json.loads(proof.read_text()), "statements": []}))
    assert "not confirmed by all members" in run("verify-purge", proof, status=1)
    run("confirm-purge", proof, "--as", "alice")
    rows = json.loads(run("verify-purge", proof, "--json"))
    assert [(each["peer"], each["keys"]) for each in rows] == [(name, 1) for name in MEMBERS]


def test_the_definition_says_who_holds_what_is_private(demo: LiveNetwork) -> None:
    done = privy("contract", "definition", "--json", "--as", "bob", "--network", demo.network.folder)
    (collection,) = json.loads(done.stdout)["collections"]
    assert (collection["name"], collection["members"]) == (CRITICAL, ["MedicalMSP", "PoliceMSP"])
    assert collection["endorsement"] == "OutOf(2, 'MedicalMSP.peer', 'PoliceMSP.peer')"

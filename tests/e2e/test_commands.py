"""`privy` on a network that runs: blocks as files, settings, coins, sharing, lost answers, a node that is missing."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from privysharing.sdk import Call, Pending
from services.client.network.unsettled import Unsettled
from tests.support.live import CHANNEL, CONTRACT, LiveNetwork, privy

Privy = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(demo: LiveNetwork) -> Privy:
    """Run `privy` on the network, as somebody: exit status, standard output, standard error."""

    def run(who: str, *arguments: str | Path) -> tuple[int, str, str]:
        done = privy(*arguments, "--as", who, "--network", demo.network.folder)
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


def fetched(run: Privy, folder: Path, which: str, source: str = "peer") -> Path:
    file = folder / f"{source}-{which}.block"
    status, out, err = run("admin.citizens", "block", "fetch", which, "--from", source, "-o", file)
    assert (status, err) == (0, "")
    assert str(file) in out
    return file


@pytest.mark.parametrize("source", ["peer", "orderer", "peer0.police.city"])
def test_a_chain_that_was_fetched_verifies_and_its_blocks_can_be_inspected(
    source: str, demo: LiveNetwork, run: Privy, tmp_path: Path
) -> None:
    newest = fetched(run, tmp_path, "newest", source)
    shown = privy("block", "inspect", newest)
    number = json.loads(shown.stdout)["header"]["number"]
    assert number >= 2
    chain = [fetched(run, tmp_path, str(each), source) for each in range(1, 3)]
    verified = privy("block", "verify", "--genesis", demo.genesis, *chain)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert len(verified.stdout.splitlines()) == len(chain)
    for which in ("oldest", "config"):
        shown = privy("block", "inspect", fetched(run, tmp_path, which, source))
        assert json.loads(shown.stdout)["header"]["number"] == 0


def test_whole_blocks_are_for_operators_and_nothing_is_written_when_refused(run: Privy, tmp_path: Path) -> None:
    file = tmp_path / "block"
    for who, which, source, status, said in (
        ("alice", "newest", "peer", 1, "gives whole blocks to operators only"),
        ("alice", "newest", "peer", 1, "admin.citizens"),
        ("admin.citizens", "1000000", "peer", 1, "has no block 1000000 yet"),
        ("admin.citizens", "newest", "peer9", 1, "no node 'peer9' on health"),
        ("admin.citizens", "latest", "peer", 2, "found 'latest'"),
        ("admin.citizens", "-1", "peer", 2, "-1"),
    ):
        found, out, err = run(who, "block", "fetch", which, "--from", source, "-o", file)
        assert (found, out) == (status, "")
        assert said in err
    assert not file.exists()


def test_settings_are_shown_to_everybody_and_changed_by_the_ministrys_administrator(run: Privy) -> None:
    status, out, _ = run("alice", "channel", "settings", "--json")
    assert status == 0
    days = json.loads(out)["request_days"]
    assert run("admin.ministry", "channel", "configure", "--request-days", str(days + 1))[0] == 0
    assert json.loads(run("alice", "channel", "settings", "--json")[1])["request_days"] == days + 1
    assert run("admin.ministry", "channel", "configure", "--request-days", str(days))[0] == 0
    status, _, err = run("admin.citizens", "channel", "configure", "--request-days", "1")
    assert (status, "access denied: not enough permissions" in err) == (1, True)
    status, _, err = run("admin.ministry", "channel", "configure")
    assert (status, "needed at least one of" in err) == (2, True)


def test_a_share_tells_what_each_stakeholder_got_and_administrators_see_that_it_was(run: Privy) -> None:
    assert run("alice", "asset", "create", "heart_rate", "shared")[0] == 0
    assert run("mint", "coin", "mint", "1", "--to", "doctor")[1] == "✓ 1 coin for doctor@MedicalMSP\n"
    status, out, _ = run("doctor", "request", "file", "alice/shared", "--days", "1", "--purpose", "treatment")
    assert (status, "1 coin set aside" in out) == (0, True)
    for mark, said in (("✓", "data shared"), ("-", "data already shared")):
        status, out, err = run("alice", "asset", "share", "shared", "--days", "1", "--with", "doctor")
        assert (status, err) == (0, "")  # two calls to the network, and gRPC has nothing to complain of
        assert out.startswith(f"{mark} doctor@MedicalMSP: {said}, until 20")
    status, out, _ = run("admin.medical", "channel", "transactions", "--json")
    assert status == 0
    assert ("shared", "alice@CitizensMSP/shared") in [(act["act"], act["asset"]) for act in json.loads(out)]
    status, _, err = run("doctor", "channel", "transactions")
    assert (status, "access denied: not enough permissions" in err) == (1, True)


def test_the_ministry_burns_what_it_holds_and_nobody_else_burns(run: Privy) -> None:
    assert run("mint", "coin", "mint", "3", "--to", "mint")[0] == 0
    assert run("mint", "coin", "burn", "2")[:2] == (0, "✓ 2 coins burned\n")
    assert json.loads(run("mint", "coin", "audit", "--json")[1])["balanced"]
    status, _, err = run("alice", "coin", "burn", "1")
    assert (status, "access denied: not enough permissions" in err) == (1, True)


def test_while_a_peer_does_not_run_status_and_doctor_say_so(demo: LiveNetwork) -> None:
    folder = demo.network.folder
    assert privy("network", "status", "--network", folder).returncode == 0
    absent = demo.peers[-1]
    with demo.stopped([absent.name]):
        status = privy("network", "status", "--network", folder)
        doctor = privy("doctor", "--json", "--network", folder)
    assert status.returncode == doctor.returncode == 1
    unwell = [finding for finding in json.loads(doctor.stdout) if not finding["well"]]
    assert [finding["check"] for finding in unwell] == [absent.name]
    assert unwell[0]["remedy"] == f"privy network up --network {folder}"


async def endorsed(demo: LiveNetwork, name: str) -> Pending:
    """A transaction of alice's that was endorsed, and of which nobody knows whether it was ordered."""
    async with demo.connect("alice") as connection:
        channel = connection.channel(CHANNEL)
        listener = await channel.commits()
        return Pending(await channel.endorse(Call(CONTRACT, "CreateAsset", ("heart_rate", name))), listener.reached)


def test_whoever_was_not_told_finds_out_and_does_nothing_twice(demo: LiveNetwork, run: Privy) -> None:
    pending = asyncio.run(endorsed(demo, "unanswered"))
    unsettled, tx_id = Unsettled(demo.network, CHANNEL), pending.endorsed.tx_id
    unsettled.keep(pending)
    assert run("bob", "transaction", "status", tx_id)[0] == 1
    status, out, err = run("alice", "transaction", "resubmit", tx_id, "--json")
    assert status == 0, err
    receipt = json.loads(out)
    assert (receipt["tx_id"], receipt["result"]["id"]) == (tx_id, "alice@CitizensMSP/unanswered")
    status, _, err = run("alice", "transaction", "resubmit", tx_id)
    assert (status, f"no transaction {tx_id} is kept" in err) == (1, True)
    unsettled.keep(pending)  # by a program that had ended before it learnt as much
    assert json.loads(run("alice", "transaction", "resubmit", tx_id, "--json")[1]) == receipt
    for since in (0, receipt["block"]):
        status, out, _ = run("bob", "transaction", "status", tx_id, "--since", str(since), "--json")
        assert (status, json.loads(out)) == (0, {"tx_id": tx_id, "verdict": "VALID", "block": receipt["block"]})


def test_a_transaction_that_no_block_holds_has_no_status(run: Privy) -> None:
    status, out, err = run("alice", "transaction", "status", "0" * 64)
    assert (status, out) == (1, "")
    assert "no block of health from 0 on holds transaction 000" in err

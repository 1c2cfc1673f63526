"""Whatever is tampered with is refused or flagged where Fabric does it, with Fabric's code, and changes no state."""

import asyncio
import base64
import json
import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from deploy.manifest import NodeEntry
from deploy.ports import CHOSEN_FROM, HOST, next_free
from privysharing.protocol.codes import TxCode
from tests.support import foreign_client as foreign
from tests.support.foreign_client import Proposal, Signer
from tests.support.live import CHANNEL, CONTRACT, PROGRAMS, GeneratedNetwork, LiveNetwork, privy

SEED = 20260
FLIPS = 60
STARTING_SECONDS_MAX = 20.0
HONEST, FORGED = "honest-marker", "forged-marker"


def profile(marker: str) -> tuple[str, str]:
    """A write of one key that reads nothing."""
    return "SetProfile", json.dumps({"marker": marker})


@dataclass(frozen=True)
class Endorsed:
    """A proposal of carol's that peers have endorsed, not yet signed as a transaction."""

    proposal: Proposal
    payload: bytes
    endorsements: tuple[Any, ...]

    def envelope(self, who: Signer) -> Any:
        return foreign.envelope(foreign.transaction(self.proposal, self.payload, self.endorsements), who)


class Carol:
    """A client that can do anything that one can do with bytes."""

    def __init__(self, live: LiveNetwork) -> None:
        self.live = live
        self.signer = live.signer("carol")

    def ask(self, peer: NodeEntry, signed: Any) -> Any:
        with self.live.dial(peer) as channel:
            return foreign.ask(channel, signed)

    def endorse(self, *args: str, peers: Sequence[NodeEntry] | None = None, **choices: Any) -> Endorsed:
        proposal = foreign.propose(self.signer, CHANNEL, CONTRACT, *args, **choices)
        signed = foreign.signed_proposal(proposal, self.signer)
        answers = [self.ask(peer, signed) for peer in (self.live.endorsers[:2] if peers is None else peers)]
        assert {answer.response.status for answer in answers} == {200}, answers
        assert len({answer.payload for answer in answers}) == 1
        return Endorsed(proposal, answers[0].payload, tuple(answer.endorsement for answer in answers))

    def order(self, *envelopes: Any) -> list[Any]:
        with self.live.dial(self.live.orderer) as channel:
            return foreign.broadcast(channel, *envelopes)

    def verdicts(self, tx_id: str, copies: int = 1) -> list[TxCode]:
        """What every peer has found, once each has."""
        found = []
        for peer in self.live.peers:
            with self.live.dial(peer) as channel:
                request = self.live.seek(self.signer, foreign.OLDEST, foreign.at(foreign.NEVER))
                found.append(foreign.verdicts(channel, request, tx_id, copies))
        assert all(codes == found[0] for codes in found), found
        return [TxCode(code) for code in found[0]]

    def commit(self, endorsed: Endorsed) -> TxCode:
        """Order a transaction, and see what the peers make of it."""
        (answer,) = self.order(endorsed.envelope(self.signer))
        assert answer.status == foreign.common.SUCCESS, answer
        (code,) = self.verdicts(endorsed.proposal.tx_id)
        return code

    def marker(self) -> str | None:
        """What is in her profile, as every endorsing peer has it."""
        signed = foreign.signed_proposal(foreign.propose(self.signer, CHANNEL, CONTRACT, "GetProfile"), self.signer)
        found = {self.ask(peer, signed).response.payload for peer in self.live.endorsers}
        assert len(found) == 1
        marker: str | None = json.loads(found.pop())["fields"].get("marker")
        return marker

    def height(self) -> int:
        with self.live.dial(self.live.peers[-1]) as channel:
            request = self.live.seek(self.signer, foreign.NEWEST, foreign.NEWEST)
            with closing(foreign.filtered_blocks(channel, request)) as answers:  # type: ignore[type-var]
                number: int = next(answers).filtered_block.number
                return number + 1


@pytest.fixture(scope="module")
def carol(demo: LiveNetwork) -> Iterator[Carol]:
    """She begins with an honest profile. In the end all peers are compared, key by key."""
    carol = Carol(demo)
    assert carol.commit(carol.endorse(*profile(HONEST))) is TxCode.VALID
    yield carol
    asyncio.run(demo.agreement())
    with demo.stopped([peer.name for peer in demo.peers]):
        first, *others = [demo.dump_state(peer) for peer in demo.peers]
    assert all(dump == first for dump in others)
    assert not [entry for entry in first if FORGED.encode() in value_of(entry)]
    assert [entry for entry in first if HONEST.encode() in value_of(entry)]


def value_of(entry: dict[str, Any]) -> bytes:
    return base64.b64decode(entry["value"])


def with_flipped_bit(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def some_bits(raw: bytes) -> list[int]:
    """Bits all over a message, its first and last bytes included."""
    chosen = random.Random(SEED).sample(range(8 * len(raw)), FLIPS)
    return sorted({*range(16), *range(8 * len(raw) - 8, 8 * len(raw)), *chosen})


# A peer's door.


def test_a_flipped_bit_anywhere_in_a_proposal_is_refused(carol: Carol) -> None:
    proposal = foreign.propose(carol.signer, CHANNEL, CONTRACT, *profile(FORGED))
    signed = foreign.signed_proposal(proposal, carol.signer).SerializeToString()
    height = carol.height()
    with carol.live.dial(carol.live.endorsers[0]) as channel:
        send: Any = channel.unary_unary("/protos.Endorser/ProcessProposal")
        for bit in some_bits(signed):
            assert refuses(send, with_flipped_bit(signed, bit)), bit
        whole = foreign.proposal_responses.ProposalResponse.FromString(send(signed, timeout=foreign.TIMEOUT_S))
        assert whole.response.status == 200
    assert carol.height() == height


def refuses(send: Callable[..., bytes], proposal: bytes) -> bool:
    """With a gRPC error; or, where the flipped bit was in the channel's name, because there is no such channel."""
    try:
        answer = foreign.proposal_responses.ProposalResponse.FromString(send(proposal, timeout=foreign.TIMEOUT_S))
    except grpc.RpcError as error:
        return error.code() is grpc.StatusCode.UNKNOWN
    return (
        answer.response.status == 500 and "not found" in answer.response.message and not answer.HasField("endorsement")
    )


def test_a_proposal_for_another_channel_or_with_a_high_s_is_refused(carol: Carol) -> None:
    peer = carol.live.endorsers[0]
    elsewhere = foreign.propose(carol.signer, "finance", CONTRACT, *profile(FORGED))
    answer = carol.ask(peer, foreign.signed_proposal(elsewhere, carol.signer))
    assert (answer.response.status, answer.response.message) == (500, "channel 'finance' not found")
    assert not answer.payload
    signed = foreign.signed_proposal(foreign.propose(carol.signer, CHANNEL, CONTRACT, "GetProfile"), carol.signer)
    assert carol.ask(peer, signed).response.status == 200
    signed.signature = foreign.with_high_s(signed.signature)
    with pytest.raises(grpc.RpcError) as refused:
        carol.ask(peer, signed)
    assert str(refused.value.details()).endswith(f"access denied: channel [{CHANNEL}] creator org [CitizensMSP]")


# The orderer's door.


def test_a_flipped_bit_anywhere_in_an_envelope_is_refused(carol: Carol) -> None:
    envelope = carol.endorse(*profile(FORGED)).envelope(carol.signer).SerializeToString()
    height = carol.height()
    allowed = {foreign.common.FORBIDDEN, foreign.common.BAD_REQUEST}
    with carol.live.dial(carol.live.orderer) as channel:
        broadcast: Any = channel.stream_stream("/orderer.AtomicBroadcast/Broadcast")
        for bit in some_bits(envelope):
            answers = broadcast(iter([with_flipped_bit(envelope, bit)]), timeout=foreign.TIMEOUT_S)
            (answer,) = map(foreign.ab.BroadcastResponse.FromString, answers)
            assert answer.status in allowed, (bit, answer)
    assert carol.height() == height
    assert carol.marker() == HONEST


def test_the_orderer_wants_the_creators_own_low_s_signature_and_a_channel_that_is_there(carol: Carol) -> None:
    endorsed = carol.endorse(*profile(HONEST))
    envelope = endorsed.envelope(carol.signer)
    high_s = foreign.common.Envelope(payload=envelope.payload, signature=foreign.with_high_s(envelope.signature))
    anothers = endorsed.envelope(carol.live.signer("mallory"))
    header = foreign.common.ChannelHeader.FromString(endorsed.proposal.channel_header)
    header.channel_id = "finance"
    astray = replace(endorsed, proposal=replace(endorsed.proposal, channel_header=header.SerializeToString()))
    for refused, status, info in (
        (high_s, foreign.common.FORBIDDEN, "permission denied"),
        (anothers, foreign.common.FORBIDDEN, "permission denied"),
        (astray.envelope(carol.signer), foreign.common.BAD_REQUEST, "channel does not exist"),
    ):
        (answer,) = carol.order(refused)
        assert answer.status == status
        assert info in answer.info
    assert carol.commit(endorsed) is TxCode.VALID


# What only the peers can see.


def forged_result(carol: Carol, endorsed: Endorsed) -> Endorsed:
    """The written value is another one than was endorsed, and of equal length."""
    assert HONEST.encode() in endorsed.payload
    forged = FORGED.encode()
    assert len(forged) == len(HONEST)
    return replace(endorsed, payload=endorsed.payload.replace(HONEST.encode(), forged))


def forged_arguments(carol: Carol, endorsed: Endorsed) -> Endorsed:
    """The transaction shows other arguments than the endorsers have seen."""
    shown = endorsed.proposal.public_payload.replace(HONEST.encode(), FORGED.encode())
    assert shown != endorsed.proposal.public_payload
    return replace(endorsed, proposal=replace(endorsed.proposal, public_payload=shown))


def flipped_endorsement(carol: Carol, endorsed: Endorsed) -> Endorsed:
    first, second = endorsed.endorsements
    signature = with_flipped_bit(second.signature, 8 * len(second.signature) - 1)
    return replace(endorsed, endorsements=(first, type(second)(endorser=second.endorser, signature=signature)))


def flipped_certificate(carol: Carol, endorsed: Endorsed) -> Endorsed:
    first, second = endorsed.endorsements
    certificate = with_flipped_bit(second.endorser, 8 * (len(second.endorser) // 2))
    return replace(endorsed, endorsements=(first, type(second)(endorser=certificate, signature=second.signature)))


def high_s_endorsement(carol: Carol, endorsed: Endorsed) -> Endorsed:
    first, second = endorsed.endorsements
    signature = foreign.with_high_s(second.signature)
    return replace(endorsed, endorsements=(first, type(second)(endorser=second.endorser, signature=signature)))


def signed_by(who: Signer, endorsed: Endorsed) -> Endorsed:
    """One peer's endorsement, and another that somebody makes who is no peer."""
    first = endorsed.endorsements[0]
    signature = who.sign(endorsed.payload + who.serialized)
    return replace(endorsed, endorsements=(first, type(first)(endorser=who.serialized, signature=signature)))


def clients_endorsement(carol: Carol, endorsed: Endorsed) -> Endorsed:
    return signed_by(carol.live.signer("officer"), endorsed)


def admins_endorsement(carol: Carol, endorsed: Endorsed) -> Endorsed:
    return signed_by(carol.live.signer("admin.police"), endorsed)


def orderers_endorsement(carol: Carol, endorsed: Endorsed) -> Endorsed:
    return signed_by(carol.live.signer(carol.live.orderer.name), endorsed)


def too_few_endorsements(carol: Carol, endorsed: Endorsed) -> Endorsed:
    return replace(endorsed, endorsements=endorsed.endorsements[:1])


def one_endorsement_twice(carol: Carol, endorsed: Endorsed) -> Endorsed:
    return replace(endorsed, endorsements=endorsed.endorsements[:1] * 2)


FORGERIES: dict[Callable[[Carol, Endorsed], Endorsed], TxCode] = {
    forged_result: TxCode.ENDORSEMENT_POLICY_FAILURE,
    forged_arguments: TxCode.INVALID_ENDORSER_TRANSACTION,
    flipped_endorsement: TxCode.ENDORSEMENT_POLICY_FAILURE,
    flipped_certificate: TxCode.ENDORSEMENT_POLICY_FAILURE,
    high_s_endorsement: TxCode.ENDORSEMENT_POLICY_FAILURE,
    clients_endorsement: TxCode.ENDORSEMENT_POLICY_FAILURE,
    admins_endorsement: TxCode.ENDORSEMENT_POLICY_FAILURE,
    orderers_endorsement: TxCode.ENDORSEMENT_POLICY_FAILURE,
    too_few_endorsements: TxCode.ENDORSEMENT_POLICY_FAILURE,
    one_endorsement_twice: TxCode.ENDORSEMENT_POLICY_FAILURE,
}


@pytest.mark.parametrize(("forge", "code"), FORGERIES.items(), ids=[forge.__name__ for forge in FORGERIES])
def test_a_forged_transaction_is_flagged_and_changes_nothing(
    carol: Carol, forge: Callable[[Carol, Endorsed], Endorsed], code: TxCode
) -> None:
    endorsed = carol.endorse(*profile(HONEST))
    assert carol.commit(forge(carol, endorsed)) is code
    assert carol.marker() == HONEST
    # The id is on the ledger, so the honest transaction comes too late; another one does not.
    assert carol.order(endorsed.envelope(carol.signer))[0].status == foreign.common.SUCCESS
    assert carol.verdicts(endorsed.proposal.tx_id, 2) == [code, TxCode.DUPLICATE_TXID]
    assert carol.commit(carol.endorse(*profile(HONEST))) is TxCode.VALID


def test_peers_of_another_network_endorse_nothing_here(carol: Carol, elsewhere: GeneratedNetwork) -> None:
    endorsed = carol.endorse(*profile(FORGED))
    theirs = [elsewhere.signer(peer.name) for peer in elsewhere.endorsers]
    endorsements = signed_by(theirs[0], endorsed).endorsements[1:] + signed_by(theirs[1], endorsed).endorsements[1:]
    assert carol.commit(replace(endorsed, endorsements=endorsements)) is TxCode.ENDORSEMENT_POLICY_FAILURE
    assert carol.marker() == HONEST


def test_an_id_that_does_not_come_from_nonce_and_creator_is_flagged(carol: Carol) -> None:
    """No honest peer endorses it, so two dishonest ones do."""
    honest = carol.endorse(*profile(HONEST))
    header = foreign.common.ChannelHeader.FromString(honest.proposal.channel_header)
    header.tx_id = f"{int(header.tx_id, 16) ^ 1:064x}"
    proposal = replace(honest.proposal, tx_id=header.tx_id, channel_header=header.SerializeToString())
    with pytest.raises(grpc.RpcError, match="incorrectly computed txid"):
        carol.ask(carol.live.endorsers[0], foreign.signed_proposal(proposal, carol.signer))
    assert carol.commit(replace(honest, proposal=proposal)) is TxCode.BAD_PROPOSAL_TXID
    assert carol.commit(honest) is TxCode.VALID


def test_a_replayed_envelope_is_a_duplicate(carol: Carol) -> None:
    """In the same block and in a later one."""
    envelope = (endorsed := carol.endorse(*profile(HONEST))).envelope(carol.signer)
    assert [answer.status for answer in carol.order(envelope, envelope)] == [foreign.common.SUCCESS] * 2
    tx_id = endorsed.proposal.tx_id
    assert carol.verdicts(tx_id, 2) == [TxCode.VALID, TxCode.DUPLICATE_TXID]
    assert carol.order(envelope)[0].status == foreign.common.SUCCESS
    assert carol.verdicts(tx_id, 3) == [TxCode.VALID, TxCode.DUPLICATE_TXID, TxCode.DUPLICATE_TXID]
    with pytest.raises(grpc.RpcError, match="duplicate transaction found"):
        carol.ask(carol.live.endorsers[0], foreign.signed_proposal(endorsed.proposal, carol.signer))


def test_a_stale_read_is_a_conflict(carol: Carol) -> None:
    asset = new_asset(carol)
    first = carol.endorse("UpdateAsset", asset, json.dumps({"description": HONEST}))
    second = carol.endorse("UpdateAsset", asset, json.dumps({"description": FORGED}))
    assert carol.commit(first) is TxCode.VALID
    assert carol.commit(second) is TxCode.MVCC_READ_CONFLICT


def test_a_phantom_is_a_conflict(carol: Carol) -> None:
    """A reading that comes between the endorsement and the commit of a deletion that did not see it."""
    asset = new_asset(carol)
    deletion = carol.endorse("DeleteAsset", asset)
    assert carol.commit(carol.endorse("AddReading", asset, "1", "bpm")) is TxCode.VALID
    assert carol.commit(deletion) is TxCode.PHANTOM_READ_CONFLICT
    assert carol.commit(carol.endorse("DeleteAsset", asset)) is TxCode.VALID


def new_asset(carol: Carol) -> str:
    name = f"pulse-{os.urandom(4).hex()}"
    assert carol.commit(carol.endorse("CreateAsset", "heart_rate", name)) is TxCode.VALID
    return f"{carol.live.party('carol')}/{name}"


# The genesis block of another network.


def test_an_auditor_with_another_networks_genesis_block_accepts_nothing(
    carol: Carol, elsewhere: GeneratedNetwork, tmp_path: Path
) -> None:
    files = []
    for number, block in enumerate(carol.live.blocks(carol.live.peers[-1])):
        files.append(tmp_path / f"{number:06}.block")
        files[-1].write_bytes(block)
    assert privy("block", "verify", "--genesis", carol.live.genesis, *files).returncode == 0
    for chain in (files, files[1:]):
        refused = privy("block", "verify", "--genesis", elsewhere.genesis, *chain)
        assert refused.returncode == 1
        assert refused.stderr.startswith("fault: ")
        assert len(refused.stdout.splitlines()) == 1


def test_a_flipped_bit_in_a_block_is_found(carol: Carol, tmp_path: Path) -> None:
    """Of what a signature or a hash covers: header, data, flags, commit hash."""
    stored = carol.live.blocks(carol.live.peers[-1])
    block = foreign.common.Block.FromString(stored[-1])
    draw = random.Random(SEED)

    def flipped(raw: bytes) -> bytes:
        return with_flipped_bit(raw, draw.randrange(8 * len(raw)))

    damaged = {}
    for change in ("previous_hash", "data_hash", "data", "flags", "commit hash"):
        copy = foreign.common.Block.FromString(stored[-1])
        if change == "data":
            copy.data.data[0] = flipped(block.data.data[0])
        elif change == "flags":
            copy.metadata.metadata[2] = flipped(block.metadata.metadata[2])
        elif change == "commit hash":
            entry = block.metadata.metadata[4]  # tag and length, then the hash
            copy.metadata.metadata[4] = entry[:2] + flipped(entry[2:])
        else:
            setattr(copy.header, change, flipped(getattr(block.header, change)))
        damaged[change] = copy.SerializeToString()
    files = [tmp_path / f"{number}.block" for number in range(len(stored))]
    for file, raw in zip(files, stored, strict=True):
        file.write_bytes(raw)
    for change, raw in damaged.items():
        files[-1].write_bytes(raw)
        found = privy("block", "verify", "--genesis", carol.live.genesis, *files)
        assert found.returncode == 1, change
        assert len(found.stdout.splitlines()) == len(stored)


def test_a_peer_with_another_networks_genesis_block_takes_no_block_of_ours(
    carol: Carol, elsewhere: GeneratedNetwork, tmp_path: Path
) -> None:
    """On its own ledger it does not start; with an empty one it stays at the block that it believes."""
    live = carol.live
    peer = live.node("peer1.citizens.city")
    with live.stopped([peer.name]):
        config = copied_config(live, peer, elsewhere.genesis, live.network.path(peer.data))
        started = subprocess.run(command(config), capture_output=True, text=True, check=False, timeout=60)
        assert started.returncode == 2
        assert "begins with another genesis block than the configured one" in started.stderr
        config.unlink()
    config = copied_config(live, peer, elsewhere.genesis, tmp_path / "data")
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command(config), "--stop-with", str(os.getpid())], stdout=output, stderr=output, cwd=tmp_path
        )
    try:
        deadline = time.monotonic() + STARTING_SECONDS_MAX
        while b"orderer sent a bad block" not in log.read_bytes():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
    finally:
        process.terminate()
        process.wait(15)
        config.unlink()
    dumped = privy("peer", "dump-state", tmp_path / "data")
    assert dumped.returncode == 0
    assert CONTRACT not in dumped.stdout


def command(config: Path) -> list[str]:
    return [str(PROGRAMS / "privy-peer"), "--config", str(config)]


def copied_config(live: LiveNetwork, peer: NodeEntry, genesis: Path, data: Path) -> Path:
    """The configuration of a peer, with another genesis block, and ports of its own."""
    original = live.network.path(peer.config)
    config = yaml.safe_load(original.read_text())
    ports = iter(random.sample(CHOSEN_FROM, 100))
    address = f"{HOST}:{next_free(ports)}"
    config["peer"] |= {"listenAddress": address, "address": address, "fileSystemPath": str(data)}
    config["operations"]["listenAddress"] = f"{HOST}:{next_free(ports)}"
    config["privysharing"]["channels"][0]["genesis"] = str(genesis)
    copy = original.parent / "astray.yaml"
    copy.write_text(yaml.safe_dump(config))
    return copy

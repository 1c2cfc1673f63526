"""From a call to a committed transaction, over mutual TLS, on small peers and orderers that a test scripts."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from deploy.certificates import Authority
from privysharing.protocol.codec.envelopes import parse_envelope, parse_payload
from privysharing.protocol.codec.transactions import parse_endorser_transaction, parse_proposal, parse_signed_proposal
from privysharing.protocol.codes import TxCode
from privysharing.protocol.transactions import ProposalResponse, Response
from privysharing.sdk import Call, Timeouts
from privysharing.sdk.errors import CommitRefused, PrivateDataRefused, Refused, Unavailable
from tests.support.scripted import CALL, PATIENCE, Orderer, Peer, World, channel_of


async def test_a_submitted_call_is_endorsed_ordered_and_seen_committed() -> None:
    world = World()
    peers = [Peer(world, "peer0"), Peer(world, "peer1"), Peer(world, "peer2")]
    async with channel_of(*peers, Orderer(world, "orderer"), needed=2) as channel:
        receipt = await channel.submit(CALL)
    assert (receipt.block_num, receipt.payload, receipt.peer) == (1, b"done", "peer0")
    assert [len(peer.proposals) for peer in peers] == [1, 1, 0]
    proposal = parse_proposal(parse_signed_proposal(peers[0].proposals[0]).proposal)
    assert proposal.input.args == (b"put", b"key", b"value")
    assert proposal.transient == {"secret": b"for endorsers alone"}
    (envelope,) = world.envelopes
    payload = parse_payload(parse_envelope(envelope).payload)
    assert payload.header.channel.tx_id == receipt.tx_id == proposal.header.channel.tx_id
    assert len(parse_endorser_transaction(payload.data).endorsements) == 2
    assert b"for endorsers alone" not in envelope


async def test_many_calls_share_the_connections_and_get_their_own_receipts() -> None:
    world = World()
    async with channel_of(Peer(world, "peer0"), Orderer(world, "orderer")) as channel:
        receipts = await asyncio.gather(*(channel.submit(CALL) for _ in range(50)))
    assert len({receipt.tx_id for receipt in receipts}) == 50
    assert {receipt.block_num for receipt in receipts} == set(range(1, 51))


async def test_a_transaction_that_the_peers_find_invalid_is_refused_with_their_verdict() -> None:
    world = World(code=TxCode.MVCC_READ_CONFLICT)
    async with channel_of(Peer(world, "peer0"), Orderer(world, "orderer")) as channel:
        with pytest.raises(CommitRefused, match="MVCC_READ_CONFLICT in block 1") as caught:
            await channel.submit(CALL)
    assert caught.value.retryable
    assert caught.value.peer == "peer0"
    assert not CommitRefused(caught.value.tx_id, TxCode.ENDORSEMENT_POLICY_FAILURE, 1).retryable


async def test_an_endorser_that_hangs_holds_up_the_first_call_alone() -> None:
    world = World()
    hung, peer, orderer = Peer(world, "peer0", hangs=True), Peer(world, "peer1"), Orderer(world, "orderer")
    async with channel_of(hung, peer, orderer, needed=1) as channel:
        channel.timeouts = replace(PATIENCE, evaluate=0.5, endorse=0.5)
        assert await channel.evaluate(CALL) == b"done"
        assert await channel.evaluate(CALL) == b"done"
        assert (await channel.submit(CALL)).payload == b"done"
        assert (len(hung.proposals), len(peer.proposals)) == (1, 3)
        with pytest.raises(Unavailable, match="peer0"):
            await channel.evaluate(CALL, [channel.nodes.endorsers[0]])  # who has no other is asked all the same


async def test_another_peer_endorses_and_tells_of_commits_where_the_first_is_gone() -> None:
    world = World()
    peers = [Peer(world, "gone"), Peer(world, "peer1")]
    async with channel_of(*peers, Orderer(world, "orderer"), needed=1) as channel:
        assert (await channel.submit(CALL)).payload == b"done"
        assert await channel.evaluate(CALL) == b"done"


async def test_a_peer_that_hangs_holds_up_the_first_call_alone() -> None:
    world = World()
    async with channel_of(
        Peer(world, "peer0", silent=True), Peer(world, "peer1"), Orderer(world, "orderer")
    ) as channel:
        channel.timeouts = Timeouts(evaluate=0.5)
        await channel.submit(CALL)
        start = asyncio.get_running_loop().time()
        await channel.submit(CALL)
        assert asyncio.get_running_loop().time() - start < 0.5


LACKING = ProposalResponse(Response(500, "private data matching public hash version is not available"))
SECRET = Call("kv", "get", ("key",), {"secret": b"for members alone"}, ("theirs",))


async def test_private_data_is_asked_of_members_until_one_has_it() -> None:
    world = World()
    own, lacking = Peer(world, "own"), Peer(world, "lacking", instead=LACKING, msp_id="TheirsMSP")
    has, last = Peer(world, "has", msp_id="TheirsMSP"), Peer(world, "last", msp_id="TheirsMSP")
    async with channel_of(own, lacking, has, last) as channel:
        assert await channel.evaluate(SECRET) == b"done"
    assert [len(peer.proposals) for peer in (own, lacking, has, last)] == [0, 1, 1, 0]
    async with channel_of(own, lacking) as channel:
        with pytest.raises(Refused, match="is not available"):
            await channel.evaluate(SECRET)


async def test_a_members_contract_that_says_no_is_not_gone_round() -> None:
    world = World()
    no = Response(403, '{"code": "ACCESS_DENIED", "message": "no"}')
    denying = Peer(world, "denying", instead=ProposalResponse(no), msp_id="TheirsMSP")
    async with channel_of(denying, Peer(world, "other", msp_id="TheirsMSP")) as channel:
        with pytest.raises(Refused, match="no"):
            await channel.evaluate(SECRET)


async def test_private_data_without_a_member_to_take_it_goes_nowhere() -> None:
    world = World()
    own, theirs = Peer(world, "own"), Peer(world, "theirs", msp_id="TheirsMSP")
    async with channel_of(own, Orderer(world, "orderer")) as channel:
        for ask in (channel.evaluate, channel.submit):
            with pytest.raises(
                PrivateDataRefused, match="of theirs in kv on health is for peers of TheirsMSP; found own"
            ):
                await ask(SECRET)
    async with channel_of(theirs, Orderer(world, "orderer")) as channel:
        with pytest.raises(PrivateDataRefused, match="names no collection"):
            await channel.submit(CALL)
    assert own.proposals == theirs.proposals == []


async def test_a_question_goes_to_one_peer_and_its_refusal_stands() -> None:
    world = World()
    peers = [Peer(world, "peer0", instead=ProposalResponse(Response(404, "no such key"))), Peer(world, "peer1")]
    async with channel_of(*peers) as channel:
        with pytest.raises(Refused, match=r"peer0 refused \(404\): no such key"):
            await channel.evaluate(CALL)
        assert await channel.evaluate(CALL, [channel.nodes.endorsers[1]]) == b"done"
    assert [len(peer.proposals) for peer in peers] == [1, 1]


async def test_a_question_that_no_peer_can_be_asked_is_unavailable() -> None:
    async with channel_of(Peer(World(), "gone")) as channel:
        with pytest.raises(Unavailable, match="no endorsing peer of health answered: gone: "):
            await channel.evaluate(CALL)
        with pytest.raises(Unavailable, match="no peer delivers the events of health: gone: "):
            await channel.submit(CALL)


async def test_a_peer_whose_certificate_comes_from_elsewhere_is_not_talked_to() -> None:
    peer = Peer(World(), "peer0")
    elsewhere = Authority.root("ca", "org", datetime.now(UTC)).credential.certificate_pem
    async with channel_of(peer, ca=elsewhere) as channel:
        with pytest.raises(Unavailable):
            await channel.evaluate(CALL)
    assert peer.proposals == []

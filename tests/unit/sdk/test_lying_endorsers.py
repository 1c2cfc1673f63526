"""A client compares endorsements, finds out who lies, and commits the truth without them."""

from dataclasses import replace

import pytest

from privysharing.protocol.build import endorse
from privysharing.protocol.codec.envelopes import parse_envelope, parse_payload
from privysharing.protocol.codec.transactions import parse_endorser_transaction
from privysharing.protocol.codes import TxCode
from privysharing.protocol.transactions import ProposalResponse, Response
from privysharing.sdk.errors import CommitRefused, CommitUnknown, EndorsementMismatch, Unavailable
from tests.support.liars import LyingEndorser
from tests.support.scripted import CALL, PATIENCE, Orderer, Peer, World, channel_of, codes, signer

FOUND_BY_THE_SIGNATURE = ("signs other bytes", "flipped signature")
FOUND_BY_COMPARING = ("forged result", "guessed versions", "forged response", "of a wrong version")


async def test_peers_that_compute_different_results_make_no_transaction() -> None:
    world = World()
    peers = [Peer(world, "peer0", b"this"), Peer(world, "peer1", b"that")]
    async with channel_of(*peers, Orderer(world, "orderer")) as channel:
        with pytest.raises(EndorsementMismatch, match=r"\(peer0 \| peer1\)") as caught:
            await channel.submit(CALL)
    assert caught.value.retryable
    assert world.envelopes == []


@pytest.mark.parametrize("lie", LyingEndorser.LIES)
async def test_one_lying_endorser_is_named_and_the_truth_is_committed_without_it(
    lie: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(signatures=2)
    peers = [Peer(world, "liar", lie=lie), Peer(world, "peer1"), Peer(world, "peer2")]
    async with channel_of(*peers, Orderer(world, "orderer"), needed=2) as channel:
        for _ in range(2):  # one that replays has nothing to replay at first
            receipt = await channel.submit(CALL)
            assert receipt.payload == b"done"
    spoilt = [TxCode.ENDORSEMENT_POLICY_FAILURE] if lie in FOUND_BY_THE_SIGNATURE else []
    assert codes(world) == [*spoilt, TxCode.VALID, TxCode.VALID]
    data = parse_payload(parse_envelope(world.envelopes[-1]).payload).data
    endorsers = {endorsement.endorser for endorsement in parse_endorser_transaction(data).endorsements}
    assert endorsers == {signer("peer1", "peer").serialized, signer("peer2", "peer").serialized}
    assert any("liar" in str(vars(record)) for record in caplog.records if record.levelname == "WARNING")
    # Who is found out alone is asked last next time; who differs may be right, and the others wrong.
    assert len(peers[0].proposals) == 1 + (lie in (*FOUND_BY_COMPARING, "replayed"))


async def test_a_liar_that_was_found_out_is_verified_from_then_on(caplog: pytest.LogCaptureFixture) -> None:
    world = World(signatures=2)
    liar = Peer(world, "liar", lie="flipped signature")
    async with channel_of(liar, Peer(world, "peer1"), Peer(world, "peer2"), Orderer(world, "orderer")) as channel:
        mistaken = channel.nodes.endorsers[:2]
        with pytest.raises(Unavailable, match="liar: gave an endorsement that it did not sign"):  # in the second try
            await channel.submit(CALL, mistaken)
        with pytest.raises(Unavailable, match="liar: gave an endorsement that it did not sign"):
            await channel.endorse(CALL, mistaken)
        assert codes(world) == [TxCode.ENDORSEMENT_POLICY_FAILURE]
        liar.lie = ""
        assert (await channel.submit(CALL, mistaken)).payload == b"done"
    assert {vars(record)["peer"] for record in caplog.records if record.levelname == "WARNING"} == {"liar"}


async def test_whoever_drives_the_steps_asks_who_has_spoilt_a_transaction() -> None:
    world = World(signatures=2)
    peers = [Peer(world, "liar", lie="signs other bytes"), Peer(world, "peer1"), Peer(world, "peer2")]
    async with channel_of(*peers, Orderer(world, "orderer"), needed=2) as channel:
        with pytest.raises(Unavailable, match="liar: gave an endorsement that it did not sign"):
            await channel.endorse(CALL, channel.nodes.endorsers[:1], believing=False)
    async with channel_of(*peers, Orderer(world, "orderer"), needed=2) as channel:
        spoilt = await channel.endorse(CALL)
        assert channel.blame(spoilt) == ("liar",)
        honest = await channel.endorse(CALL)
        assert channel.blame(honest) == ()
        assert [node.name for node, _ in honest.answers] == ["peer1", "peer2"]


@pytest.mark.parametrize("code", [TxCode.ENDORSEMENT_POLICY_FAILURE, TxCode.MVCC_READ_CONFLICT])
async def test_a_call_that_nobody_spoilt_is_not_run_again(code: TxCode) -> None:
    world = World(code=code)
    peers = [Peer(world, "peer0"), Peer(world, "peer1")]
    async with channel_of(*peers, Orderer(world, "orderer")) as channel:
        with pytest.raises(CommitRefused, match=code.name) as caught:
            await channel.submit(CALL)
    assert caught.value.liars == ()
    assert len(world.envelopes) == 1


async def test_a_call_is_run_again_once_and_never_twice() -> None:
    world = World(code=TxCode.ENDORSEMENT_POLICY_FAILURE)
    peers = [Peer(world, "liar", lie="flipped signature"), Peer(world, "peer1"), Peer(world, "peer2")]
    async with channel_of(*peers, Orderer(world, "orderer"), needed=2) as channel:
        with pytest.raises(CommitRefused) as caught:
            await channel.submit(CALL)
    assert (caught.value.block_num, caught.value.liars) == (2, ())
    assert len(world.envelopes) == 2


async def test_what_was_spoilt_while_nobody_knew_names_the_liars_and_may_be_called_again() -> None:
    world = World(signatures=2, loses=True)
    peers = [Peer(world, "liar", lie="flipped signature"), Peer(world, "peer1"), Peer(world, "peer2")]
    async with channel_of(*peers, Orderer(world, "orderer"), needed=2) as channel:
        channel.timeouts = replace(PATIENCE, commit=0.05)
        with pytest.raises(CommitUnknown) as unknown:
            await channel.submit(CALL)
        world.loses, channel.timeouts = False, PATIENCE
        assert unknown.value.pending is not None
        with pytest.raises(CommitRefused) as caught:
            await channel.resubmit(unknown.value.pending)
        assert (caught.value.liars, caught.value.retryable) == (("liar",), True)
        assert (await channel.submit(CALL)).block_num == 2


async def test_a_valid_transaction_is_not_made_again_on_the_word_of_the_liar_who_endorsed_it_badly() -> None:
    world = World(signatures=2)
    liar = Peer(world, "liar", lie="flipped signature", tells=TxCode.ENDORSEMENT_POLICY_FAILURE)
    async with channel_of(liar, Peer(world, "peer1"), Peer(world, "peer2"), Orderer(world, "orderer")) as channel:
        receipt = await channel.submit(CALL)
    assert (receipt.block_num, receipt.peer) == (1, "peer1")
    assert codes(world) == [TxCode.VALID]


async def test_a_verdict_that_a_liar_alone_tells_is_unknown() -> None:
    world = World(signatures=1)
    liar = Peer(world, "liar", lie="flipped signature", tells=TxCode.ENDORSEMENT_POLICY_FAILURE)
    peers = [liar, Peer(world, "peer1", silent=True)]
    async with channel_of(*peers, Orderer(world, "orderer")) as channel:
        channel.timeouts = replace(PATIENCE, evaluate=0.5)
        with pytest.raises(CommitUnknown, match="on the word of a liar alone: no peer delivers the events") as caught:
            await channel.submit(CALL)
    assert caught.value.pending is not None
    assert codes(world) == [TxCode.VALID]


async def test_an_endorsed_payload_that_is_nonsense_makes_no_transaction() -> None:
    world = World()
    nonsense = ProposalResponse(Response(200), b"\xff\xff", endorse(b"\xff\xff", signer("peer0", "peer")))
    async with channel_of(Peer(world, "peer0", instead=nonsense), Orderer(world, "orderer")) as channel:
        with pytest.raises(Unavailable, match="peer0: gave what is no endorsement"):
            await channel.submit(CALL)
    assert world.envelopes == []

"""What a client does when orderers refuse, lose or only pretend to take a transaction, or nobody tells its verdict."""

from dataclasses import replace

import pytest

from privysharing.protocol.codes import Status, TxCode
from privysharing.sdk import Pending
from privysharing.sdk.errors import CommitRefused, CommitUnknown, OrderingRefused, Unavailable
from tests.support.scripted import CALL, PATIENCE, Orderer, Peer, World, channel_of, codes


async def lost(world: World) -> Pending:
    """A transaction that was acknowledged, and came into no block while its client waited."""
    world.loses = True
    async with channel_of(Peer(world, "peer0"), Orderer(world, "orderer")) as channel:
        channel.timeouts = replace(PATIENCE, commit=0.05)
        with pytest.raises(CommitUnknown, match="may still be committed") as caught:
            await channel.submit(CALL)
    world.loses = False
    pending = caught.value.pending
    assert pending is not None
    assert [pending.endorsed.envelope] == world.envelopes
    assert (pending.endorsed.tx_id, pending.since) == (caught.value.tx_id, len(world.blocks) - 1)
    return pending


async def test_a_lost_transaction_is_ordered_again_and_committed() -> None:
    world = World()
    pending = await lost(world)
    async with channel_of(Peer(world, "peer0"), Orderer(world, "orderer")) as channel:
        receipt = await channel.resubmit(pending)
    assert (receipt.tx_id, receipt.block_num, receipt.payload) == (pending.endorsed.tx_id, 1, b"done")
    assert codes(world) == [TxCode.VALID]


async def test_what_an_orderer_only_claims_to_have_ordered_is_given_to_another_one() -> None:
    world = World()
    orderers = [Orderer(world, "orderer0", lies=True), Orderer(world, "orderer1")]
    async with channel_of(Peer(world, "peer0"), *orderers) as channel:
        channel.timeouts = replace(PATIENCE, commit=0.3)
        with pytest.raises(CommitUnknown) as caught:
            await channel.submit(CALL)
        assert caught.value.pending is not None
        assert caught.value.pending.orderer == "orderer0"
        assert (await channel.resubmit(caught.value.pending)).block_num == 1


async def test_a_copy_that_is_a_duplicate_does_not_hide_that_the_first_is_valid() -> None:
    world = World()
    pending = await lost(world)
    await world.order(pending.endorsed.envelope)  # late, and while no client of ours listened
    peers = [Peer(world, "gone"), Peer(world, "silent", silent=True), Peer(world, "peer0")]
    async with channel_of(*peers, Orderer(world, "orderer")) as channel:
        channel.timeouts = replace(PATIENCE, evaluate=0.5)
        assert (await channel.resubmit(pending)).block_num == 1
    assert codes(world) in ([TxCode.VALID], [TxCode.VALID, TxCode.DUPLICATE_TXID])


async def test_a_copy_does_not_revive_what_the_peers_found_invalid() -> None:
    world = World()
    pending = await lost(world)
    world.code = TxCode.MVCC_READ_CONFLICT
    await world.order(pending.endorsed.envelope)
    world.code = TxCode.VALID
    async with channel_of(Peer(world, "peer0"), Orderer(world, "orderer")) as channel:
        with pytest.raises(CommitRefused, match="MVCC_READ_CONFLICT in block 1"):
            await channel.resubmit(pending)


async def test_a_copy_that_is_not_taken_says_nothing_about_the_first() -> None:
    world = World()
    pending = await lost(world)
    async with channel_of(Peer(world, "peer0"), Orderer(world, "orderer", Status.FORBIDDEN)) as channel:
        channel.timeouts = replace(PATIENCE, commit=0.05)
        with pytest.raises(CommitUnknown, match=r"its copy was not taken: .*FORBIDDEN") as caught:
            await channel.resubmit(pending)
        assert caught.value.pending == pending
        await world.order(pending.endorsed.envelope)
        assert (await channel.resubmit(pending)).block_num == 1


async def test_nothing_is_ordered_again_where_no_peer_would_tell_the_verdict() -> None:
    world = World()
    pending = await lost(world)
    async with channel_of(Peer(world, "gone"), Orderer(world, "orderer")) as channel:
        with pytest.raises(Unavailable, match="no peer delivers the events of health: gone: "):
            await channel.resubmit(pending)
    assert world.envelopes == [pending.endorsed.envelope]


async def test_a_refusal_is_the_word_of_one_orderer_and_the_others_are_asked() -> None:
    world = World()
    orderers = [Orderer(world, "orderer0", Status.FORBIDDEN), Orderer(world, "orderer1")]
    async with channel_of(Peer(world, "peer0"), *orderers) as channel:
        assert (await channel.submit(CALL)).block_num == 1


async def test_what_every_orderer_refuses_is_not_ordered() -> None:
    world = World()
    orderers = [Orderer(world, "orderer0", Status.FORBIDDEN), Orderer(world, "orderer1", Status.BAD_REQUEST)]
    async with channel_of(Peer(world, "peer0"), *orderers) as channel:
        with pytest.raises(OrderingRefused, match="FORBIDDEN: no") as caught:
            await channel.submit(CALL)
    assert not caught.value.retryable
    assert world.envelopes == []


@pytest.mark.parametrize("name", ["gone", "busy"])
async def test_another_orderer_takes_what_the_first_cannot(name: str) -> None:
    world = World()
    orderers = [Orderer(world, name, Status.SERVICE_UNAVAILABLE), Orderer(world, "orderer1")]
    async with channel_of(Peer(world, "peer0"), *orderers) as channel:
        assert (await channel.submit(CALL)).block_num == 1


async def test_without_an_orderer_that_can_be_reached_nothing_is_ordered() -> None:
    world = World()
    async with channel_of(Peer(world, "peer0"), Orderer(world, "gone")) as channel:
        with pytest.raises(Unavailable, match="no orderer of health acknowledged the transaction: gone: ") as caught:
            await channel.submit(CALL)
    assert caught.value.retryable


async def ordered_perhaps(*orderers: Orderer) -> Pending:
    """A transaction that the first of the orderers may have ordered and none acknowledged."""
    world = orderers[0].world
    async with channel_of(Peer(world, "peer0"), *orderers) as channel:
        channel.timeouts = replace(PATIENCE, broadcast=0.3)
        with pytest.raises(CommitUnknown, match="no orderer of health acknowledged the transaction") as caught:
            await channel.submit(CALL)
    assert not caught.value.retryable
    assert caught.value.pending is not None
    return caught.value.pending


async def test_an_envelope_without_an_answer_may_be_ordered_and_the_same_again_finds_its_verdict() -> None:
    world = World()
    pending = await ordered_perhaps(Orderer(world, "mute", mute=True))
    assert codes(world) == [TxCode.VALID]
    async with channel_of(Peer(world, "peer0"), Orderer(world, "orderer")) as channel:
        assert (await channel.resubmit(pending)).block_num == 1
    assert codes(world)[0] is TxCode.VALID


@pytest.mark.parametrize("second", [Status.FORBIDDEN, Status.SERVICE_UNAVAILABLE])
async def test_no_answer_of_another_orderer_undoes_what_one_may_have_ordered(second: Status) -> None:
    world = World()
    await ordered_perhaps(Orderer(world, "mute", mute=True), Orderer(world, "orderer1", second))


async def test_an_orderer_whose_disk_has_failed_may_have_stored_the_envelope() -> None:
    world = World()
    await ordered_perhaps(Orderer(world, "orderer", Status.SERVICE_UNAVAILABLE), Orderer(world, "gone"))

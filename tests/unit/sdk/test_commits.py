"""Who waits for a verdict gets the right one, whatever happens to the stream of blocks."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from privysharing.protocol.codes import HeaderType, TxCode
from privysharing.protocol.deliver import NEWEST, FilteredBlock, FilteredTransaction, SeekInfo, SeekKind
from privysharing.protocol.envelopes import TxId
from privysharing.rpc.errors import NodeError, NodeUnavailable
from privysharing.sdk import commits
from privysharing.sdk.commits import CommitListener, Verdict, find
from privysharing.sdk.errors import CommitUnknown
from tests.support.nodes import until

SOON = 10.0


def block(number: int, **codes: TxCode) -> FilteredBlock:
    """A block of transactions by id."""
    transactions = (
        FilteredTransaction(TxId(tx_id), HeaderType.ENDORSER_TRANSACTION, code) for tx_id, code in codes.items()
    )
    return FilteredBlock("health", number, tuple(transactions))


class Peer:
    """A peer whose chain a test lengthens; `cut` breaks its streams."""

    def __init__(self, *chain: FilteredBlock) -> None:
        self.chain = list(chain)
        self.seeks: list[SeekInfo] = []
        self.up = True
        self._changed = asyncio.Condition()

    async def commit(self, *blocks: FilteredBlock) -> None:
        self.chain += blocks
        async with self._changed:
            self._changed.notify_all()

    async def cut(self) -> None:
        self.up = False
        async with self._changed:
            self._changed.notify_all()

    async def blocks(self, seek: SeekInfo) -> AsyncGenerator[FilteredBlock]:
        self.seeks.append(seek)
        assert seek.start is not None
        newest = max(0, len(self.chain) - 1)
        number = newest if seek.start.kind is SeekKind.NEWEST else seek.start.number
        while seek.stop != NEWEST or number <= newest:
            async with self._changed:
                if not self.up:
                    raise NodeUnavailable("peer", "cut off")
                while number >= len(self.chain):
                    await self._changed.wait()
                    if not self.up:
                        raise NodeUnavailable("peer", "cut off")
            yield self.chain[number]
            number += 1


async def test_a_verdict_comes_with_its_block() -> None:
    peer = Peer(block(0))
    listener = CommitListener(peer.blocks)
    await listener.start(SOON)
    waiting = asyncio.gather(*(listener.verdict(TxId(each), SOON) for each in ("a", "b", "a")))
    await asyncio.sleep(0)
    await peer.commit(block(1, a=TxCode.VALID), block(2, b=TxCode.MVCC_READ_CONFLICT))
    valid, conflict = Verdict(TxCode.VALID, 1), Verdict(TxCode.MVCC_READ_CONFLICT, 2)
    assert await waiting == [valid, conflict, valid]
    assert await listener.verdict(TxId("b"), 0.1) == conflict  # who asks late is answered at once
    await listener.close()


async def test_what_the_blocks_hold_already_is_found_by_its_first_copy_and_nothing_is_waited_for() -> None:
    peer = Peer(
        block(0),
        block(1, a=TxCode.BAD_PROPOSAL_TXID),  # a stranger's
        block(2, a=TxCode.VALID, b=TxCode.MVCC_READ_CONFLICT),
        block(3, a=TxCode.DUPLICATE_TXID),
    )
    async with asyncio.timeout(SOON):
        assert await find(peer.blocks, TxId("a"), 0) == Verdict(TxCode.VALID, 2)
        assert await find(peer.blocks, TxId("b"), 2) == Verdict(TxCode.MVCC_READ_CONFLICT, 2)
        assert await find(peer.blocks, TxId("b"), 3) is None
        assert await find(peer.blocks, TxId("c"), 0) is None


async def test_a_verdict_that_does_not_come_in_time_is_unknown_and_may_be_asked_for_again() -> None:
    peer = Peer(block(0))
    listener = CommitListener(peer.blocks)
    await listener.start(SOON)
    with pytest.raises(CommitUnknown, match=r"none came within 0\.05 s; it may still be committed") as caught:
        await listener.verdict(TxId("a"), 0.05)
    assert caught.value.tx_id == "a"
    await peer.commit(block(1, a=TxCode.VALID))
    assert (await listener.verdict(TxId("a"), SOON)).code is TxCode.VALID
    await listener.close()


async def test_a_broken_stream_is_taken_up_where_it_broke_and_misses_nothing() -> None:
    peer = Peer(block(0), block(1))
    listener = CommitListener(peer.blocks)
    await listener.start(SOON)
    waiting = asyncio.create_task(listener.verdict(TxId("a"), SOON))
    await peer.commit(block(2, z=TxCode.VALID))
    await listener.verdict(TxId("z"), SOON)
    await peer.cut()
    await until(lambda: len(peer.seeks) > 1)
    await peer.commit(block(3, a=TxCode.VALID), block(4))
    peer.up = True
    assert await waiting == Verdict(TxCode.VALID, 3)
    first, *later = peer.seeks
    assert first.start is not None
    assert first.start.kind is SeekKind.NEWEST
    assert {seek.start.number for seek in later if seek.start} == {2}
    await listener.close()


async def test_a_listener_whose_peer_has_gone_says_so_until_it_is_back() -> None:
    peer = Peer(block(0))
    listener = CommitListener(peer.blocks)
    await listener.start(SOON)
    await peer.cut()
    await until(lambda: len(peer.seeks) > 1)
    assert not listener.follows
    with pytest.raises(NodeUnavailable, match="peer: cut off"):
        await listener.start(SOON)
    peer.up = True
    await until(lambda: listener.follows)  # though no new block has come
    await listener.start(SOON)
    await listener.close()


async def test_a_peer_that_sends_nothing_is_not_listened_to() -> None:
    listener = CommitListener(Peer().blocks)
    with pytest.raises(TimeoutError, match=r"no block within 0\.05 s"):
        await listener.start(0.05)
    await listener.close()


async def test_a_second_copy_of_a_transaction_does_not_replace_the_verdict_on_the_first() -> None:
    peer = Peer(block(0))
    listener = CommitListener(peer.blocks)
    await listener.start(SOON)
    await peer.commit(block(1, a=TxCode.VALID), block(2, a=TxCode.DUPLICATE_TXID), block(3, z=TxCode.VALID))
    await listener.verdict(TxId("z"), SOON)
    assert await listener.verdict(TxId("a"), SOON) == Verdict(TxCode.VALID, 1)
    await listener.close()


async def test_a_copy_of_what_came_before_this_client_is_a_duplicate() -> None:
    peer = Peer(block(0, a=TxCode.VALID), block(1))
    listener = CommitListener(peer.blocks)
    await listener.start(SOON)
    await peer.commit(block(2, a=TxCode.DUPLICATE_TXID))
    assert (await listener.verdict(TxId("a"), SOON)).code is TxCode.DUPLICATE_TXID
    await listener.close()


async def test_a_later_copy_may_be_valid_where_the_first_was_not() -> None:
    peer = Peer(block(0))
    listener = CommitListener(peer.blocks)
    await listener.start(SOON)
    await peer.commit(block(1, a=TxCode.ENDORSEMENT_POLICY_FAILURE), block(2, a=TxCode.VALID, z=TxCode.VALID))
    await listener.verdict(TxId("z"), SOON)
    assert await listener.verdict(TxId("a"), SOON) == Verdict(TxCode.VALID, 2)
    await listener.close()


async def test_a_spoilt_copy_that_an_orderer_puts_before_the_good_one_is_not_its_verdict() -> None:
    codes = (TxCode.BAD_CREATOR_SIGNATURE, TxCode.VALID, TxCode.DUPLICATE_TXID)
    copies = tuple(FilteredTransaction(TxId("mine"), HeaderType.ENDORSER_TRANSACTION, code) for code in codes)
    peer = Peer(block(0), FilteredBlock("health", 1, copies))
    listener = CommitListener(peer.blocks)
    await listener.start(SOON)
    assert await listener.verdict(TxId("mine"), SOON) == Verdict(TxCode.VALID, 1)
    assert await find(peer.blocks, TxId("mine"), 0) == Verdict(TxCode.VALID, 1)
    await listener.close()


async def test_an_id_that_somebody_else_has_claimed_is_no_verdict_on_its_owners_transaction() -> None:
    peer = Peer(block(0))
    listener = CommitListener(peer.blocks)
    await listener.start(SOON)
    waiting = asyncio.create_task(listener.verdict(TxId("a"), SOON))
    await asyncio.sleep(0)
    await peer.commit(block(1, a=TxCode.BAD_PROPOSAL_TXID), block(2, a=TxCode.VALID))
    assert await waiting == Verdict(TxCode.VALID, 2)
    await listener.close()


async def test_only_so_many_verdicts_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "_REMEMBERED_MAX", 2)
    peer = Peer(block(0))
    listener = CommitListener(peer.blocks)
    await listener.start(SOON)
    await peer.commit(block(1, a=TxCode.VALID, b=TxCode.VALID, c=TxCode.VALID))
    await listener.verdict(TxId("c"), SOON)
    assert (await listener.verdict(TxId("b"), SOON)).code is TxCode.VALID
    with pytest.raises(CommitUnknown):
        await listener.verdict(TxId("a"), 0.02)
    await listener.close()


async def test_who_waits_when_the_client_closes_is_told() -> None:
    peer = Peer(block(0))
    listener = CommitListener(peer.blocks)
    await listener.start(SOON)
    waiting = asyncio.create_task(listener.verdict(TxId("a"), SOON))
    await asyncio.sleep(0)
    await listener.close()
    with pytest.raises(CommitUnknown, match="stopped listening"):
        await waiting


async def test_a_defect_fails_whoever_waits_at_once_and_whoever_comes_later() -> None:
    defect = asyncio.Event()

    async def blocks(_seek: SeekInfo) -> AsyncGenerator[FilteredBlock]:
        yield block(1, a=TxCode.VALID)
        await defect.wait()
        raise ValueError("a defect")

    listener = CommitListener(blocks)
    await listener.start(SOON)
    assert (listener.follows, listener.reached) == (True, 1)
    waiting = asyncio.create_task(listener.verdict(TxId("b"), 3600))
    await asyncio.sleep(0)
    defect.set()
    with pytest.raises(CommitUnknown, match="the listener has failed: ValueError"):
        await waiting
    assert not listener.follows
    with pytest.raises(CommitUnknown, match="the listener has failed: ValueError"):
        await listener.verdict(TxId("c"), 3600)
    assert (await listener.verdict(TxId("a"), SOON)).code is TxCode.VALID  # what is known stays known
    with pytest.raises(ValueError, match="a defect"):
        await listener.start(SOON)
    await listener.close()


async def test_who_is_cancelled_leaves_the_others_waiting() -> None:
    peer = Peer(block(0))
    listener = CommitListener(peer.blocks)
    await listener.start(SOON)
    tasks = [asyncio.create_task(listener.verdict(TxId("a"), SOON)) for _ in range(2)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await peer.commit(block(1, a=TxCode.VALID))
    assert (await tasks[1]).code is TxCode.VALID
    assert tasks[0].cancelled()
    await listener.close()


async def test_a_listener_that_was_never_started_closes() -> None:
    await CommitListener(Peer().blocks).close()


async def test_a_peer_that_ends_the_stream_in_order_is_asked_again() -> None:
    calls = 0

    async def blocks(_seek: SeekInfo) -> AsyncGenerator[FilteredBlock]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise NodeError("peer", "odd")
        yield block(calls, **{f"tx{calls}": TxCode.VALID})

    listener = CommitListener(blocks)
    with pytest.raises(NodeError, match="peer: odd"):
        await listener.start(SOON)
    assert (await listener.verdict(TxId("tx3"), SOON)).block_num == 3
    await listener.close()


async def test_a_peer_that_gives_the_same_block_and_no_other_is_asked_more_and_more_rarely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commits, "_RECONNECT_S", (0.0, 0.0, 9.0))
    calls = 0

    async def blocks(_seek: SeekInfo) -> AsyncGenerator[FilteredBlock]:
        nonlocal calls
        calls += 1
        yield block(7)

    listener = CommitListener(blocks)
    await listener.start(SOON)
    await until(lambda: calls == 3)
    await asyncio.sleep(0.1)
    assert calls == 3
    await listener.close()


async def test_whoever_waits_can_be_interrupted_at_the_very_moment_of_the_verdict() -> None:
    """As Ctrl-C does it, which may come at any moment."""
    peer = Peer(block(0))
    listener = CommitListener(peer.blocks)
    await listener.start(SOON)
    waiting = asyncio.create_task(listener.verdict(TxId("a"), SOON))
    await asyncio.sleep(0)
    listener._take(block(1, a=TxCode.VALID))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await listener.verdict(TxId("a"), SOON) == Verdict(TxCode.VALID, 1)
    await listener.close()

"""Whole blocks with private data: of each collection, for who belonged to it as of the block."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest

from privysharing.protocol.codec.deliver import parse_deliver_response
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.deliver import BlockAndPrivateData, SeekInfo, SeekPosition
from services.peer.events.delivery import BLOCKS, WITH_PRIVATE_DATA, BareBlocks, Deliveries, FilteredBlocks, Form
from services.peer.metrics import DeliverMetrics
from tests.support.fellows import NOW_NS, OURS, PEER1, SHARED, Peer, Secret, collection, town
from tests.support.judging import ADMIN1, ADMIN2, CHANNEL, CLIENT1, ORDERER, PEER2
from tests.support.ordering import seek_envelope


class Served:
    """A channel as the Deliver service sees it."""

    def __init__(self, peer: Peer) -> None:
        self.ledger, self.config, self.notifier, self.private = peer.ledger, peer.config, peer.notifier, peer.store
        self.filtered = FilteredBlocks(peer.ledger)
        self.bare = BareBlocks(peer.ledger)
        self._metrics = DeliverMetrics.register(peer.registry)

    async def block(self, number: int, reader: SigningIdentity, form: Form = WITH_PRIVATE_DATA) -> BlockAndPrivateData:
        deliveries = Deliveries({CHANNEL: self}.get, self._metrics, window_ns=10**9, clock_ns=lambda: NOW_NS)
        seek = SeekInfo(SeekPosition.at(number), SeekPosition.at(number))
        envelope = seek_envelope(seek, reader, channel_id=CHANNEL, timestamp_ns=NOW_NS)

        async def requests() -> AsyncIterator[bytes]:
            yield envelope

        answers: AsyncGenerator[bytes] = deliveries.serve(requests(), form, None)
        async with aclosing(answers):
            found = parse_deliver_response(await anext(answers))
        if found.block_and_private_data is None:
            raise PermissionError(found.status.name if found.status else "a block alone")
        return found.block_and_private_data


@pytest.mark.parametrize(
    ("reader", "readable"),
    [
        (PEER1, {"ours", "shared"}),
        (ADMIN1, {"ours", "shared"}),
        (CLIENT1, {"ours", "shared"}),
        (PEER2, {"shared"}),
        (ADMIN2, {"shared"}),
    ],
    ids=["a member's peer", "its admin", "its client", "another's peer", "its admin, too"],
)
async def test_a_reader_sees_the_sets_of_his_collections(reader: SigningIdentity, readable: set[str]) -> None:
    one = Peer(PEER1)
    async with town(one) as network:
        ours, shared = Secret(OURS, "k", b"v"), Secret(SHARED, "l", b"w")
        one.keep(ours)
        one.keep(shared)
        await network.commit(ours.envelope, shared.envelope)
        found = await Served(one).block(2, reader)
        expected = {
            number: {("cc", secret.of.name): secret.set.rwset}
            for number, secret in enumerate((ours, shared))
            if secret.of.name in readable
        }
        assert found.private == expected
        assert found.block == one.ledger.block_bytes(2)


async def test_who_may_not_read_blocks_gets_none_with_private_data_either() -> None:
    one = Peer(PEER1)
    async with town(one):
        with pytest.raises(PermissionError, match="FORBIDDEN"):
            await Served(one).block(1, ORDERER)


async def test_a_block_without_private_data_is_delivered_all_the_same() -> None:
    one = Peer(PEER1)
    async with town(one):
        found = await Served(one).block(1, PEER1)
        assert (found.private, found.block) == ({}, one.ledger.block_bytes(1))


async def test_membership_is_that_of_the_blocks_time() -> None:
    """Org2 becomes a member with block 3, and Org1 is none any more from block 5 on."""
    first = collection("moving", "OR('Org1MSP.member')")
    both = collection("moving", "OR('Org1MSP.member', 'Org2MSP.member')")
    last = collection("moving", "OR('Org2MSP.member')")
    one = Peer(PEER1)
    async with town(one, collections=[first]) as network:
        secrets = {number: Secret(first, f"k{number}", b"v") for number in (2, 3, 4, 5)}
        for number, secret in secrets.items():
            one.keep(secret)
            redefined = {3: both, 5: last}.get(number)
            envelopes = [secret.envelope]
            if redefined is not None:  # in the same block: what comes before the block counts
                envelopes.append(network.orderer.define("cc", "OR('Org1MSP.peer', 'Org2MSP.peer')", redefined))
            await network.commit(*envelopes)
        served = Served(one)
        readers = {
            number: [bool((await served.block(number, who)).private) for who in (PEER1, PEER2)] for number in secrets
        }
        assert readers == {2: [True, False], 3: [True, False], 4: [True, True], 5: [True, True]}


async def test_whole_blocks_hold_no_private_data() -> None:
    one = Peer(PEER1)
    async with town(one) as network:
        secret = Secret(OURS, "k", b"canary")
        one.keep(secret)
        await network.commit(secret.envelope)
        with pytest.raises(PermissionError, match="a block alone"):
            await Served(one).block(2, PEER1, BLOCKS)
        raw = one.ledger.block_bytes(2)
        assert raw is not None
        assert b"canary" not in raw

"""A member says that a value is gone once it is, and not before; a client collects the word of every member."""

import asyncio
from collections.abc import Callable

import grpc
import pytest

from privysharing.protocol.crypto import sha256
from privysharing.protocol.private_data import Answer, Ask, PurgedAnswer, PurgedAsk, PurgeStatement
from privysharing.protocol.private_exchange import S
from privysharing.protocol.purge_statements import sign_statement, verify_statement
from privysharing.rpc.private_data import PrivateDataClient
from privysharing.sdk.profile import Node
from privysharing.sdk.purging import PurgeStatements, Witness, collect_statements
from tests.support.fellows import (
    OURS,
    PEER1,
    PEER1B,
    Peer,
    Purge,
    Secret,
    Town,
    calling,
    town,
)
from tests.support.judging import CHANNEL, CLIENT2, CONFIG, ORG1_CA, ORG2_CA


async def collected(*peers: Peer, keys: tuple[str, ...] = ("k",), timeout_s: float = 0.0) -> PurgeStatements:
    """What a client of the other organisation is told."""
    told: list[tuple[int, int]] = []
    async with calling(peers[0], CLIENT2) as first, calling(peers[-1], CLIENT2) as last:
        witnesses = [
            Witness(Node(f"peer{number}", "Org1MSP", "", b"", signing_cas=ORG1_CA.pem), client, CHANNEL)
            for number, client in enumerate((first, last)[: len(peers)])
        ]
        found = await collect_statements(
            witnesses,
            "cc",
            "ours",
            [sha256(key.encode()) for key in keys],
            timeout_s=timeout_s,
            progress=lambda *state: told.append(state),
        )
    assert told[-1] == (len(found.stated), len(peers) * len(keys))
    return found


async def purged(network: Town, *keys: str) -> None:
    """These keys are written, and purged with the next block."""
    for key in keys:
        secret = Secret(OURS, key, b"v")
        for peer in network.peers:
            peer.keep(secret)
        await network.commit(secret.envelope)
    await network.commit(*(Purge(OURS, key).envelope for key in keys))


async def test_a_statement_is_given_when_every_byte_is_gone_and_not_before() -> None:
    one = Peer(PEER1)
    async with town(one) as network:
        await purged(network, "k")
        found = await collected(one)
        assert not found.stated
        assert found.lacking == {"peer0": "the value is not gone yet"}
        assert one.store.erase()
        found = await collected(one)
        assert found.complete
        (stated,) = found.stated
        peer, statement = verify_statement(stated.signed, CONFIG)
        assert peer.serialized == PEER1.serialized
        assert statement == stated.statement
        assert (statement.key_hash, statement.block_num, statement.tx_num) == (sha256(b"k"), 3, 0)


async def test_a_client_waits_for_the_word_of_every_member() -> None:
    one, two = Peer(PEER1), Peer(PEER1B)
    async with town(one, two) as network:
        await purged(network, "k", "l")
        assert one.store.erase()
        collecting = asyncio.create_task(collected(one, two, keys=("k", "l"), timeout_s=20))
        await asyncio.sleep(0.1)
        assert not collecting.done()
        assert two.store.erase()
        found = await collecting
        assert found.complete
        assert sorted((stated.peer, stated.statement.key_hash) for stated in found.stated) == sorted(
            (peer, sha256(key)) for peer in ("peer0", "peer1") for key in (b"k", b"l")
        )


async def test_who_does_not_answer_is_named() -> None:
    one, two = Peer(PEER1), Peer(PEER1B)
    async with town(one, two) as network:
        await purged(network, "k")
        assert one.store.erase()
        await two.stop()
        found = await collected(one, two)
        assert [stated.peer for stated in found.stated] == ["peer0"]
        assert set(found.lacking) == {"peer1"}


async def test_a_key_that_was_never_purged_is_stated_by_nobody() -> None:
    one = Peer(PEER1)
    async with town(one) as network:
        await purged(network, "k")
        assert one.store.erase()
        found = await collected(one, keys=("k", "other"))
        assert len(found.stated) == 1
        assert not found.complete


async def test_the_word_of_another_organisations_peer_does_not_count() -> None:
    one = Peer(PEER1)
    async with town(one) as network:
        await purged(network, "k")
        assert one.store.erase()
        for node in (
            Node("peer", "Org2MSP", "", b"", signing_cas=ORG2_CA.pem),
            Node("peer", "Org1MSP", "", b"", signing_cas=ORG2_CA.pem),
            Node("peer", "Org2MSP", "", b""),
        ):
            async with calling(one, CLIENT2) as client:
                witness = Witness(node, client, CHANNEL)
                await witness.ask(PurgedAsk("cc", "ours", (sha256(b"k"),)))
            assert not witness.stated
            assert "does not count" in witness.problem


class Talkative(PrivateDataClient):
    """A peer that also states what nobody asked."""

    async def ask(self, channel_id: str, ask: Ask, find: Callable[[bytes], S], *, timeout_s: float) -> Answer:
        del ask, find, timeout_s
        return PurgedAnswer(
            tuple(
                sign_statement(PurgeStatement(channel_id, "cc", collection, key_hash, 3, 0, PEER1.serialized, 1), PEER1)
                for collection, key_hash in (("ours", sha256(b"k")), ("ours", sha256(b"l")), ("both", sha256(b"k")))
            )
        )


@pytest.mark.parametrize("asked", [sha256(b"k"), sha256(b"l"), sha256(b"other")])
async def test_what_nobody_asked_does_not_get_into_a_proof(asked: bytes) -> None:
    async with grpc.aio.insecure_channel("localhost:1") as channel:
        witness = Witness(Node("peer", "Org1MSP", "", b""), Talkative("peer", channel, CLIENT2), CHANNEL)
        await witness.ask(PurgedAsk("cc", "ours", (asked,)))
    assert set(witness.stated) <= {asked}
    assert witness.problem == "it stated what nobody asked"

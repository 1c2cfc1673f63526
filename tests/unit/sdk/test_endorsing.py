"""Which endorsements are enough, and what is told when there are too few: all cases, against a small reference."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from itertools import product

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privysharing.protocol.dissemination import TooFewPeers
from privysharing.protocol.transactions import Endorsement, ProposalResponse, Response
from privysharing.rpc.errors import NodeError, NodeRefused, NodeUnavailable
from privysharing.sdk.endorsing import collect
from privysharing.sdk.errors import (
    ContractRefused,
    EndorsementMismatch,
    Refused,
    SdkError,
    TooFewPeersReached,
    Unavailable,
)
from privysharing.sdk.profile import Node

# What a peer does: endorses result A or B, refuses by status, turns the call down, cannot be reached, talks nonsense.
KINDS = "ABRTUN"


def node(number: int) -> Node:
    return Node(f"peer{number}", "Org", f"localhost:{number}", b"")


def answer(payload: str, endorser: str) -> ProposalResponse:
    return ProposalResponse(Response(200), payload.encode(), Endorsement(endorser.encode(), b"signature"))


class Peers:
    """Peers that behave as `kinds` say, after the delays given."""

    def __init__(self, kinds: Sequence[str], delays: Sequence[int] = ()) -> None:
        self.nodes = [node(number) for number in range(len(kinds))]
        self.asked: list[str] = []
        self._kinds = {peer.name: kind for peer, kind in zip(self.nodes, kinds, strict=True)}
        self._delays = {peer.name: delay for peer, delay in zip(self.nodes, delays, strict=bool(delays))}

    async def ask(self, peer: Node) -> ProposalResponse:
        self.asked.append(peer.name)
        for _ in range(self._delays.get(peer.name, 0)):
            await asyncio.sleep(0)
        kind = self._kinds[peer.name]
        if kind == "R":
            return ProposalResponse(Response(500, f"no from {peer.name}"))
        if kind == "T":
            raise NodeRefused(peer.name, grpc.StatusCode.UNKNOWN, f"no from {peer.name}")
        if kind == "U":
            raise NodeUnavailable(peer.name, "gone")
        if kind == "S":
            return ProposalResponse(Response(500, f"error in simulation: {TooFewPeers('cc', 'critical', 2, 1)}"))
        if kind == "N":
            return ProposalResponse(Response(200), b"A")
        return answer(kind, peer.name)


def expected(kinds: Sequence[str], needed: int) -> str | type[SdkError]:
    """The reference, for peers that answer in the order of asking: ask one more as long as the leader lacks one.

    The result that is endorsed, or the error.
    """
    votes: Counter[str] = Counter()
    refusals = asked = 0
    while True:
        missing = needed - max(votes.values(), default=0)
        if not missing:
            return max(votes, key=lambda kind: votes[kind])
        if refusals >= needed:
            return Refused
        batch = kinds[asked : asked + missing]
        if not batch:
            break
        asked += len(batch)
        refusals += sum(kind in "RT" for kind in batch)
        votes.update(kind for kind in batch if kind in "AB")
    if refusals:
        return Refused
    return EndorsementMismatch if len(votes) > 1 else Unavailable


async def outcome(peers: Peers, needed: int) -> str | type[SdkError]:
    try:
        answers = [each for _, each in await collect(peers.ask, peers.nodes, needed)]
    except SdkError as error:
        return type(error)
    payloads = {each.payload for each in answers}
    assert len(payloads) == 1
    assert len({each.endorsement for each in answers}) == len(answers) == needed
    return payloads.pop().decode()


@pytest.mark.parametrize("needed", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
async def test_whatever_peers_do_the_result_is_the_one_of_the_reference(count: int, needed: int) -> None:
    for kinds in product(KINDS, repeat=count):
        peers = Peers(kinds)
        assert await outcome(peers, needed) == expected(kinds, needed), kinds


@settings(max_examples=300)
@given(
    peers=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5)), min_size=1, max_size=6),
    needed=st.integers(1, 4),
)
def test_in_whatever_order_peers_answer_laws_hold(peers: list[tuple[str, int]], needed: int) -> None:
    kinds, delays = [kind for kind, _ in peers], [delay for _, delay in peers]
    asked = Peers(kinds, delays)
    found = asyncio.run(outcome(asked, needed))
    count = Counter(kinds)
    assert asked.asked == [each.name for each in asked.nodes[: len(asked.asked)]]  # in order of preference, each once
    if isinstance(found, str):
        assert count[found] >= needed
    elif found is Refused:
        assert count["R"] + count["T"] > 0
    else:  # everybody was asked, and nobody refused
        assert len(asked.asked) == len(kinds)
        assert not count["R"] + count["T"]
        assert max(count["A"], count["B"]) < needed
        assert (found is EndorsementMismatch) == (count["A"] > 0 and count["B"] > 0)


async def test_no_more_peers_are_asked_than_needed() -> None:
    peers = Peers("AAAA")
    assert await outcome(peers, 2) == "A"
    assert peers.asked == ["peer0", "peer1"]


async def test_one_refusal_does_not_outvote_those_that_endorse() -> None:
    assert await outcome(Peers("RAA"), 2) == "A"
    assert await outcome(Peers("RAR"), 2) is Refused


async def test_the_refusal_told_is_that_of_the_peer_asked_first() -> None:
    for _ in range(20):
        with pytest.raises(Refused, match="no from peer0"):
            await collect(Peers("RR").ask, [node(0), node(1)], 2)


async def test_a_peer_that_reached_too_few_others_with_private_data_leaves_it_to_the_next_one() -> None:
    assert await outcome(Peers("SA"), 1) == "A"
    assert await outcome(Peers("SSR"), 1) is Refused  # who says no has the word
    with pytest.raises(TooFewPeersReached) as caught:
        await collect(Peers("SS").ask, [node(0), node(1)], 1)
    short = caught.value
    assert short.retryable
    assert (short.node, short.status) == ("peer0", 500)
    assert (short.chaincode, short.collection, short.required, short.reached) == ("cc", "critical", 2, 1)
    assert str(short) == (
        "peer0 refused (500): error in simulation: failed to distribute private collection: private data of collection "
        "critical of chaincode cc must reach at least 2 other peers of its members before it is endorsed, and reached "
        "1; see that they run, and try again"
    )


async def test_who_is_unreachable_is_told_by_name() -> None:
    with pytest.raises(Unavailable, match="needed 2 endorsements, found 1: peer1: gone; peer2: gone") as caught:
        await collect(Peers("AUU").ask, [node(0), node(1), node(2)], 2)
    assert caught.value.retryable


async def test_nobody_to_ask_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="no further peer is known"):
        await collect(Peers("").ask, [], 1)


@pytest.mark.parametrize("status", [0, 199, 400, 403, 500])
async def test_a_status_that_no_transaction_may_hold_is_a_refusal(status: int) -> None:
    async def ask(_peer: Node) -> ProposalResponse:
        return ProposalResponse(Response(status, "well"), b"A", Endorsement(b"peer", b"signature"))

    with pytest.raises(Refused, match=f"peer0 refused \\({status}\\): well"):
        await collect(ask, [node(0)], 1)


@pytest.mark.parametrize("status", [200, 201, 399])
async def test_a_status_that_a_transaction_may_hold_endorses(status: int) -> None:
    async def ask(_peer: Node) -> ProposalResponse:
        return ProposalResponse(Response(status), b"A", Endorsement(b"peer", b"signature"))

    assert len(await collect(ask, [node(0)], 1)) == 1


async def test_the_contracts_own_words_come_through() -> None:
    async def ask(_peer: Node) -> ProposalResponse:
        words = '{"code": "ACCESS_DENIED", "message": "no", "needed": "a grant", "found": "none", "retry": true}'
        return ProposalResponse(Response(403, words))

    with pytest.raises(ContractRefused) as caught:
        await collect(ask, [node(0)], 1)
    refusal = caught.value
    assert (refusal.code, refusal.status, refusal.retryable) == ("ACCESS_DENIED", 403, True)
    assert str(refusal) == "no; needed: a grant; found: none"


@pytest.mark.parametrize("words", ["plain text", "[1]", '{"code": 5}', "[" * 100_000, '"code"', ""])
async def test_words_of_another_contract_are_shown_as_they_are(words: str) -> None:
    async def ask(_peer: Node) -> ProposalResponse:
        return ProposalResponse(Response(500, words))

    with pytest.raises(Refused) as caught:
        await collect(ask, [node(0)], 1)
    assert type(caught.value) is Refused
    assert caught.value.message == words


async def test_who_stops_waiting_stops_asking() -> None:
    stopped = asyncio.Event()

    async def ask(_peer: Node) -> ProposalResponse:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise NodeError("peer", "never")

    task = asyncio.create_task(collect(ask, [node(0)], 1))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(5):
        await stopped.wait()

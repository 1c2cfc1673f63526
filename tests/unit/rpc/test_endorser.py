"""What a peer answers to a proposal, and every way in which it does not."""

import asyncio

import grpc
import pytest

from privysharing.protocol.transactions import ProposalResponse, Response
from privysharing.rpc.channels import open_channel
from privysharing.rpc.endorser import EndorserClient
from privysharing.rpc.errors import NodeError, NodeRefused, NodeUnavailable
from tests.support.nodes import calling, endorser, endorsing, serving

Context = grpc.aio.ServicerContext[bytes, bytes]


@pytest.mark.parametrize("status", [200, 404, 500])
async def test_an_answer_comes_back_whatever_its_status(status: int) -> None:
    answer = ProposalResponse(Response(status, "so it is", b"payload"), b"signed")
    async with calling(endorsing(lambda: answer)) as channel:
        assert await EndorserClient("peer", channel).process_proposal(b"proposal", 5) == answer


async def test_the_proposal_travels_as_the_bytes_that_were_signed() -> None:
    received: list[bytes] = []

    async def process(request: bytes, _context: Context) -> bytes:
        received.append(request)
        return b""

    async with calling(endorser(process)) as channel:
        await EndorserClient("peer", channel).process_proposal(b"\xff\x00 not even a message", 5)
    assert received == [b"\xff\x00 not even a message"]


async def test_an_answer_that_is_no_proposal_response_is_an_error_of_that_node() -> None:
    async def process(_request: bytes, _context: Context) -> bytes:
        return b"\xff\xff"

    async with calling(endorser(process)) as channel:
        with pytest.raises(NodeError, match=r"peer: not a protos\.ProposalResponse"):
            await EndorserClient("peer", channel).process_proposal(b"", 5)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, NodeUnavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, NodeUnavailable),
        (grpc.StatusCode.CANCELLED, NodeUnavailable),  # by the peer: the caller's own task goes on
        (grpc.StatusCode.RESOURCE_EXHAUSTED, NodeUnavailable),
        (grpc.StatusCode.UNKNOWN, NodeRefused),
        (grpc.StatusCode.PERMISSION_DENIED, NodeRefused),
        (grpc.StatusCode.UNIMPLEMENTED, NodeRefused),
    ],
)
async def test_a_call_turned_down_says_whether_another_peer_may_do_better(
    code: grpc.StatusCode, kind: type[NodeError]
) -> None:
    async def process(_request: bytes, context: Context) -> bytes:
        await context.abort(code, "no")

    async with calling(endorser(process)) as channel:
        with pytest.raises(NodeError) as caught:
            await EndorserClient("peer", channel).process_proposal(b"", 5)
    assert type(caught.value) is kind
    assert str(caught.value) == "peer: no"


async def test_a_message_that_is_too_large_is_refused_by_every_peer() -> None:
    async def process(_request: bytes, context: Context) -> bytes:
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Received message larger than max (5 vs. 4)")

    async with calling(endorser(process)) as channel:
        with pytest.raises(NodeRefused):
            await EndorserClient("peer", channel).process_proposal(b"", 5)


async def test_a_peer_that_does_not_answer_in_time_is_unavailable() -> None:
    async def process(_request: bytes, _context: Context) -> bytes:
        await asyncio.sleep(60)
        return b""

    async with calling(endorser(process)) as channel:
        with pytest.raises(NodeUnavailable):
            await EndorserClient("peer", channel).process_proposal(b"", 0.2)


async def test_a_peer_that_is_not_there_is_unavailable() -> None:
    async with serving(endorsing(lambda: ProposalResponse(Response(200)))) as port:
        pass
    channel = open_channel(f"127.0.0.1:{port}", None)
    with pytest.raises(NodeUnavailable):
        await EndorserClient("peer", channel).process_proposal(b"", 5)
    await channel.close()

"""Endorsements over one stream are those that Fabric's own call brings, each for itself."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import grpc
import pytest

from privysharing.chaincode.stub import Stub
from privysharing.protocol.batches import CallFailed
from privysharing.protocol.codec.transactions import (
    encode_signed_proposal,
    parse_proposal_response,
    parse_signed_proposal,
)
from privysharing.protocol.transactions import ProposalResponse, Response
from privysharing.rpc.batch import ENDORSE, BatchEndorserClient
from privysharing.rpc.endorser import EndorserClient
from privysharing.rpc.errors import NodeRefused, NodeUnavailable
from services.peer.endorsement.workers import EndorsementWorkers, Job, WorkersConfig, overloaded
from services.peer.rpc import BatchEndorserRpc, EndorserRpc
from services.runtime.batching import TOO_LATE, BatchLimits
from services.runtime.callers import NOBODY
from services.runtime.watch import ServedCall
from tests.support.batches import Sender, connected, item
from tests.support.endorsing import CHAINCODE, KeyValues, Network, proposal, signed
from tests.support.nodes import PROCESS_PROPOSAL, until

GATE = threading.Event()
RUNNING = threading.Semaphore(0)


class Waits(KeyValues):
    """Waits at a gate when asked to."""

    def invoke(self, stub: Stub) -> Response:
        if stub.args[0] == b"wait":
            RUNNING.release()
            GATE.wait(10)
            return Response(200)
        return super().invoke(stub)


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    made = Network({CHAINCODE: Waits})
    made.define()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def gate() -> Iterator[None]:
    GATE.clear()
    while RUNNING.acquire(blocking=False):
        """Of a test before."""
    yield
    GATE.set()


@asynccontextmanager
async def peer(
    network: Network, settings: WorkersConfig | None = None, limits: BatchLimits | None = None
) -> AsyncIterator[grpc.aio.Channel]:
    """The first peer's services on loopback."""
    one = network.peers[0]
    workers = EndorsementWorkers(one.endorser.admit, one.watchdog, settings)
    try:
        async with connected(EndorserRpc(workers).handler(), BatchEndorserRpc(workers, limits).handler()) as channel:
            yield channel
    finally:
        GATE.set()
        await asyncio.to_thread(workers.close, 10)


def call(network: Network, *args: str) -> bytes:
    return signed(proposal(network.client, CHAINCODE, *args), network.client)


def forged(network: Network) -> bytes:
    real = parse_signed_proposal(call(network, "put", "a", "1"))
    other = parse_signed_proposal(call(network, "put", "a", "2"))
    return encode_signed_proposal(replace(real, signature=other.signature))


def stranger(network: Network) -> bytes:
    who = network.stranger.signer("user", "client")
    return signed(proposal(who, CHAINCODE, "put", "a", "1"), who)


def no_writer(network: Network) -> bytes:
    who = network.org1.signer("peer9", "peer")
    return signed(proposal(who, CHAINCODE, "put", "a", "1"), who)


CALLS: dict[str, Callable[[Network], bytes]] = {
    "good": lambda network: call(network, "put", "a", "1"),
    "refused by the contract": lambda network: call(network, "status", "404"),
    "a fault of the contract": lambda network: call(network, "nonsense"),
    "no such channel": lambda network: signed(
        proposal(network.client, CHAINCODE, "put", "a", "1", channel_id="nowhere"), network.client
    ),
    "no such chaincode": lambda network: signed(proposal(network.client, "nobody", "put"), network.client),
    "too old": lambda network: signed(proposal(network.client, CHAINCODE, "put", timestamp_ns=1), network.client),
    "forged": forged,
    "a stranger": stranger,
    "no writer": no_writer,
    "empty": lambda _: b"",
    "garbage": lambda _: b"\xff",
}


def comparable(raw: bytes) -> ProposalResponse:
    """An answer without the endorsement's signature, which is another one each time."""
    answer = parse_proposal_response(raw)
    if answer.endorsement is None:
        return answer
    assert answer.endorsement.signature
    return replace(answer, endorsement=replace(answer.endorsement, signature=b""))


async def alone(channel: grpc.aio.Channel, raw: bytes) -> ProposalResponse | CallFailed:
    """The answer of Fabric's own call."""
    process: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(PROCESS_PROPOSAL)
    try:
        return comparable(await process(raw))
    except grpc.aio.AioRpcError as error:
        return CallFailed(error.code().value[0], error.details() or "")


async def test_every_answer_is_that_of_the_unary_call_and_one_refused_costs_no_other(network: Network) -> None:
    raws = [make(network) for make in CALLS.values()]
    async with peer(network) as channel:
        sender = Sender(channel, ENDORSE)
        await sender.send(*(item(number, raw) for number, raw in enumerate(raws)))
        answers = await sender.answers(len(raws))
        for number, (name, raw) in enumerate(zip(CALLS, raws, strict=True)):
            outcome, expected = answers[number], await alone(channel, raw)
            assert (comparable(outcome) if isinstance(outcome, bytes) else outcome) == expected, name
    kinds = {name: type(answers[number]) for number, name in enumerate(CALLS)}
    assert kinds["good"] is bytes
    assert kinds["forged"] is kinds["a stranger"] is kinds["no writer"] is kinds["garbage"] is CallFailed


async def test_the_client_sees_no_difference(network: Network) -> None:
    async with peer(network) as channel:
        classic = EndorserClient("peer", channel)
        client = BatchEndorserClient(channel, classic)
        raw = call(network, "put", "a", "1")
        found = [await each.process_proposal(raw, 10) for each in (client, classic)]
        assert found[0].payload == found[1].payload
        refusals = []
        for each in (client, classic):
            with pytest.raises(NodeRefused) as refused:
                await each.process_proposal(forged(network), 10)
            refusals.append((refused.value.code, refused.value.reason.split("[")[0]))
        assert refusals[0] == refusals[1]
        await client.close()


async def test_unary_calls_of_one_moment_join_the_line_together_and_each_has_its_own_answer(network: Network) -> None:
    joined: list[int] = []

    class Counting(EndorsementWorkers):
        def submit(self, *jobs: Job) -> None:
            joined.append(len(jobs))
            super().submit(*jobs)

    one = network.peers[0]
    workers = Counting(one.endorser.admit, one.watchdog)
    rpc, served = EndorserRpc(workers), cast("ServedCall", SimpleNamespace(caller=NOBODY))
    try:
        for count in (5, 1):
            raws = [call(network, "status", str(400 + number)) for number in range(count)]
            answers = await asyncio.gather(*(rpc.process_proposal(raw, served) for raw in raws))
            found = [parse_proposal_response(answer).response.status for answer in answers]
            assert found == [400 + number for number in range(count)]
    finally:
        await asyncio.to_thread(workers.close, 10)
    assert joined == [5, 1]


async def test_a_slow_contract_delays_no_other_answer(network: Network) -> None:
    async with peer(network) as channel:
        sender = Sender(channel, ENDORSE)
        await sender.send(item(1, call(network, "wait")), item(2, call(network, "put", "a", "1")))
        assert set(await sender.answers(1)) == {2}
        GATE.set()
        assert set(await sender.answers(1)) == {1}


async def test_what_the_line_has_no_room_for_is_refused_beside_what_it_takes(network: Network) -> None:
    async with peer(network, WorkersConfig(threads=1, threads_max=1, waiting_max=2)) as channel:
        sender = Sender(channel, ENDORSE)
        await sender.send(item(1, call(network, "wait")))
        await asyncio.to_thread(RUNNING.acquire)
        await sender.send(*(item(number, call(network, "put", "a", "1")) for number in range(2, 6)))
        full = CallFailed(grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], overloaded(2).message)
        assert await sender.answers(2) == {4: full, 5: full}
        client = BatchEndorserClient(channel, EndorserClient("peer", channel))
        with pytest.raises(NodeUnavailable, match="too many requests"):
            await client.process_proposal(call(network, "put", "a", "1"), 10)
        GATE.set()
        assert set(await sender.answers(3)) == {1, 2, 3}
        await client.process_proposal(call(network, "put", "a", "1"), 10)
        await client.close()


async def test_nobody_works_for_who_has_gone_or_whose_time_is_over(network: Network) -> None:
    received = network.peers[0].metric("endorser_proposals_received")
    async with peer(network, WorkersConfig(threads=1, threads_max=1)) as channel:
        gone, stays = Sender(channel, ENDORSE), Sender(channel, ENDORSE)
        await stays.send(item(1, call(network, "wait")))
        await asyncio.to_thread(RUNNING.acquire)
        await gone.send(*(item(number, call(network, "put", "a", "1")) for number in range(50)))
        await gone.response()
        await stays.send(item(2, call(network, "put", "a", "1"), 50))
        assert await stays.answers(1) == {2: TOO_LATE}
        gone.stream.cancel()
        before = len(asyncio.all_tasks())
        await until(lambda: len(asyncio.all_tasks()) < before)  # the server has seen it
        GATE.set()
        await stays.send(item(3, call(network, "put", "a", "1")))
        assert set(await stays.answers(2)) == {1, 3}
    assert int(network.peers[0].metric("endorser_proposals_received")) == int(received) + 2


async def test_hanging_up_answers_what_is_being_endorsed(network: Network) -> None:
    one = network.peers[0]
    workers = EndorsementWorkers(one.endorser.admit, one.watchdog)
    service = BatchEndorserRpc(workers)
    async with connected(service.handler()) as channel:
        sender = Sender(channel, ENDORSE)
        await sender.send(item(1, call(network, "wait")))
        await asyncio.to_thread(RUNNING.acquire)
        service.hang_up()
        GATE.set()
        assert set(await sender.answers(1)) == {1}
        await sender.end()
    await asyncio.to_thread(workers.close, 10)

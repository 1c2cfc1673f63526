"""Spoilt messages at the doors of running nodes: refused, without a word about what is inside, and nothing else."""

import os
import random
import threading
from collections.abc import Callable, Iterator

import grpc
import pytest

from deploy.manifest import NodeEntry
from privysharing.protocol.codec.batches import parse_batch_response
from tests.fuzz.mutate import Mutator
from tests.fuzz.oracle import INTERNALS
from tests.support import foreign_client as foreign
from tests.support import http2
from tests.support.foreign_client import Signer
from tests.support.hostile import (
    BATCH_BROADCAST,
    BATCH_ENDORSE,
    BROADCAST,
    DELIVER_BLOCKS,
    DELIVER_FILTERED,
    DELIVER_ORDERED,
    PROPOSE,
    batch,
)
from tests.support.live import CHANNEL, CONTRACT, LiveNetwork

ROUNDS = int(os.environ.get("SPOILT_ROUNDS", "2"))  # of 64 messages at each door, from each person
SEED = int(os.environ.get("SPOILT_SEED", "1"))
BATCH = 64
PEOPLE = ("mallory", "admin.citizens", "mint")  # a client, an operator, and a client whose organisation has no peer
STREAM_S = 0.3
RIGHT = {"OK", "CANCELLED", "DEADLINE_EXCEEDED"}  # of a stream that somebody may keep open
REFUSED = {"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "UNKNOWN", "UNAUTHENTICATED", "PERMISSION_DENIED"}

# A contract of this name has keys below it in the state, which a valid answer shows.
INSIDE = [word for word in INTERNALS if word != b"/privysharing/"]

Spoil = Callable[[bytes], bytes]


class Doors:
    """One person at the doors of one node, with messages that are spoilt before they are signed, or after."""

    def __init__(self, live: LiveNetwork, node: NodeEntry, person: str, channel: grpc.Channel, seed: str) -> None:
        self._live = live
        self._node = node
        self._person = person
        self._who: Signer = live.signer(person)
        self._channel = channel
        self._chance = random.Random(seed)
        self._spoil = Mutator(self._chance).spoil
        self.outcomes: dict[str, int] = {}

    def visit(self) -> None:
        """Knock at each door."""
        if self._node.role == "orderer":
            envelopes = [self._envelope() for _ in range(BATCH)]
            self._batch(BATCH_BROADCAST, envelopes)
            for raw in envelopes[:8]:
                self._stream(BROADCAST, raw)
            deliver = [DELIVER_ORDERED]
        else:
            proposals = [self._proposal() for _ in range(BATCH)]
            self._batch(BATCH_ENDORSE, proposals)
            for raw in proposals[:8]:
                self._tell(self._channel.unary_unary(PROPOSE), raw)
            deliver = [DELIVER_BLOCKS, DELIVER_FILTERED]
        for method in deliver:
            for _ in range(4):
                self._stream(method, self._seek())

    def _proposal(self) -> bytes:
        proposal = foreign.propose(self._who, CHANNEL, CONTRACT, "SetProfile", '{"spoilt": true}')
        before, after = self._hands()
        raw = before(proposal.raw)
        signed = foreign.proposals.SignedProposal(proposal_bytes=raw, signature=self._who.sign(raw))
        return after(bytes(signed.SerializeToString()))

    def _envelope(self) -> bytes:
        proposal = foreign.propose(self._who, CHANNEL, CONTRACT, "SetProfile", '{"spoilt": true}')
        before, after = self._hands()
        payload = before(foreign.transaction(proposal, b"", []))
        return after(bytes(foreign.envelope(payload, self._who).SerializeToString()))

    def _seek(self) -> bytes:
        whole = self._live.seek(self._who, foreign.OLDEST, foreign.NEWEST, connected_as=self._person)
        before, after = self._hands()
        return after(bytes(foreign.envelope(before(whole.payload), self._who).SerializeToString()))

    def _hands(self) -> tuple[Spoil, Spoil]:
        def leave(raw: bytes) -> bytes:
            return raw

        return (self._spoil, leave) if self._chance.random() < 0.7 else (leave, self._spoil)

    def _batch(self, method: str, payloads: list[bytes]) -> None:
        """Well-framed, so that each payload is looked at; and once more with the frame spoilt."""
        answered = 0
        gone = threading.Event()
        call: grpc.StreamStreamMultiCallable[bytes, bytes] = self._channel.stream_stream(method)
        stream = call(self._until(gone, batch(payloads)), timeout=20)
        try:
            for raw in stream:
                self._check(raw)
                answered += len(parse_batch_response(raw).answers)
                if answered == len(payloads):
                    break
        finally:
            gone.set()
            stream.cancel()
        assert answered == len(payloads)
        self._stream(method, self._spoil(batch(payloads)))

    def _until(self, gone: threading.Event, raw: bytes) -> Iterator[bytes]:
        yield raw
        gone.wait(30)

    def _stream(self, method: str, raw: bytes) -> None:
        call: grpc.StreamStreamMultiCallable[bytes, bytes] = self._channel.stream_stream(method)
        stream = call(iter([raw]), timeout=STREAM_S)
        try:
            for answer in stream:
                self._check(answer)
            self._count("OK")
        except grpc.RpcError as error:
            self._refused(error)

    def _tell(self, call: "grpc.UnaryUnaryMultiCallable[bytes, bytes]", raw: bytes) -> None:
        try:
            self._check(call(raw, timeout=20))
            self._count("OK")
        except grpc.RpcError as error:
            self._refused(error)

    def _refused(self, error: grpc.RpcError) -> None:
        code, details = error.code().name, error.details() or ""
        assert code in RIGHT | REFUSED, (code, details)
        self._check(details.encode())
        self._count(code)

    def _check(self, told: bytes) -> None:
        assert not [word for word in INSIDE if word in told], told

    def _count(self, outcome: str) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1


@pytest.mark.parametrize("person", PEOPLE)
def test_spoilt_messages_are_refused_and_leave_a_node_as_it_was(besieged: LiveNetwork, person: str) -> None:
    for node in (besieged.orderer, besieged.endorsers[0]):
        before = besieged.processes.log(node).stat().st_size
        with besieged.dial(node, person) as channel:
            doors = Doors(besieged, node, person, channel, f"{SEED}/{node.name}/{person}")
            for _ in range(ROUNDS):
                doors.visit()
        assert doors.outcomes
        assert besieged.processes.process(node) is not None
        with besieged.processes.log(node).open("rb") as log:
            log.seek(before)
            assert b"Traceback" not in log.read()


def test_spoilt_http_leaves_the_operations_port_as_it_was(besieged: LiveNetwork) -> None:
    chance = random.Random(SEED)
    mutator = Mutator(chance)
    requests = (
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        b'PUT /logspec HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\n{"spec":"info"}',
        b"GET /healthz?x=%00 HTTP/1.0\r\n\r\n",
        b"POST /version HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    )
    for node in (besieged.orderer, besieged.endorsers[0]):
        for _ in range(ROUNDS * BATCH // 2):
            raw = chance.choice(requests)
            for _ in range(chance.randrange(1, 4)):
                raw = mutator.spoil_bytes(raw)
            with http2.tcp(node.operations_address) as connection:
                connection.sendall(raw)
                connection.settimeout(0.02)
                try:
                    told = connection.recv(100_000)
                except OSError:
                    continue
            assert not [word for word in INSIDE if word in told], (raw, told)
    assert len(besieged.processes.pids()) == len(besieged.network.nodes)

"""What servers say of themselves: health, and reflection."""

import random
from collections.abc import AsyncIterator

from privysharing.protocol.codec.decode import decode
from privysharing.wire.grpc.health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from privysharing.wire.grpc.reflection.v1.reflection_pb2 import (
    ExtensionRequest,
    ServerReflectionRequest,
    ServerReflectionResponse,
)
from services.runtime.rpc.health import BadRequest, Health, UnknownService
from services.runtime.rpc.reflection import Reflection
from tests.fuzz.mutate import Mutator
from tests.fuzz.oracle import check_told, require
from tests.fuzz.targets.loops import Loop

SERVICE = "protos.Endorser"
ANSWER_BYTES_MAX = 256 * 1024  # all files together have fewer


class Telling:
    """Questions to a node that is not well. The first byte chooses the service."""

    name = "telling"

    def __init__(self) -> None:
        self._loop = Loop()
        self.close = self._loop.close
        self._health = Health([SERVICE], lambda: "not to be told: Traceback (most recent call last)")
        self._reflection = Reflection([SERVICE])

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        kind = chance.randrange(2)
        raw = (_health(chance) if kind == 0 else _reflection(chance)).SerializeToString()
        return bytes((kind,)) + (mutator.spoil(raw) if chance.random() < 0.7 else raw)

    def feed(self, raw: bytes) -> str:
        ask = self._check if raw[:1] == b"\x00" else self._info
        try:
            return self._loop.run(ask(raw[1:]))
        except (BadRequest, UnknownService) as refused:
            check_told(str(refused))
            return "refused"

    async def _check(self, raw: bytes) -> str:
        answer = await self._health.check(raw, None)
        require(decode(HealthCheckResponse, answer).status == HealthCheckResponse.NOT_SERVING, "an ill node is well")
        return "told"

    async def _info(self, raw: bytes) -> str:
        answers = [answer async for answer in self._reflection.info(_once(raw), None)]
        require(
            len(answers) == 1 and len(answers[0]) < ANSWER_BYTES_MAX, "one question has one answer, and a short one"
        )
        answer = decode(ServerReflectionResponse, answers[0])
        require(answer.original_request == decode(ServerReflectionRequest, raw), "the answer is to another question")
        if answer.HasField("error_response"):
            check_told(answer.error_response.error_message)
        return answer.WhichOneof("message_response") or "nothing"


async def _once(raw: bytes) -> AsyncIterator[bytes]:
    yield raw


def _health(chance: random.Random) -> HealthCheckRequest:
    return HealthCheckRequest(service=chance.choice(("", SERVICE, "protos.Nothing")))


def _reflection(chance: random.Random) -> ServerReflectionRequest:
    name = chance.choice(("common.Envelope", "protos.Endorser.ProcessProposal", "orderer.AtomicBroadcast", "nothing"))
    match chance.randrange(5):
        case 0:
            return ServerReflectionRequest(list_services=name)
        case 1:
            return ServerReflectionRequest(
                file_by_filename=chance.choice(("peer/peer.proto", "common/common.proto", name))
            )
        case 2:
            extension = ExtensionRequest(containing_type=name, extension_number=chance.randrange(9))
            return ServerReflectionRequest(file_containing_extension=extension)
        case 3:
            return ServerReflectionRequest(all_extension_numbers_of_type=name)
        case _:
            return ServerReflectionRequest(file_containing_symbol=name)

"""protos.Endorser and protos.Deliver over gRPC. Messages pass as bytes: what is in them is for other rooms."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc

from privysharing.protocol.codec.transactions import encode_proposal_response
from services.peer.endorsement.endorser import Outcome, ProposalRefused
from services.peer.endorsement.workers import EndorsementWorkers
from services.peer.events.delivery import BLOCKS, FILTERED, Deliveries, Form
from services.runtime.grpcserver import client_certificate_hash

ENDORSER = "protos.Endorser"
DELIVER = "protos.Deliver"


class EndorserRpc:
    """The servicer of protos.Endorser."""

    def __init__(self, workers: EndorsementWorkers) -> None:
        self._workers = workers

    def handler(self) -> grpc.GenericRpcHandler:
        """What a server is given."""
        return grpc.method_handlers_generic_handler(
            ENDORSER, {"ProcessProposal": grpc.unary_unary_rpc_method_handler(self.process_proposal)}
        )

    async def process_proposal(self, signed_proposal: bytes, context: Any) -> bytes:
        """Endorser.ProcessProposal. What is refused at the door is a gRPC error, as in Fabric."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Outcome] = loop.create_future()

        def set_answer(outcome: Outcome) -> None:
            if not answered.done():  # the caller may have hung up
                answered.set_result(outcome)

        def done(outcome: Outcome) -> None:
            loop.call_soon_threadsafe(set_answer, outcome)

        self._workers.submit(signed_proposal, done)
        outcome = await answered
        if isinstance(outcome, ProposalRefused):
            await context.abort(_status(outcome), outcome.message)
            raise AssertionError("abort raises")
        return encode_proposal_response(outcome)


def _status(refused: ProposalRefused) -> grpc.StatusCode:
    if refused.overloaded:
        return grpc.StatusCode.RESOURCE_EXHAUSTED
    return grpc.StatusCode.INTERNAL if refused.internal else grpc.StatusCode.UNKNOWN


class DeliverRpc:
    """The servicer of protos.Deliver. `binds_to_certificate`: seek requests must name the caller's TLS certificate."""

    def __init__(self, deliveries: Deliveries, *, binds_to_certificate: bool) -> None:
        self._deliveries = deliveries
        self._binds_to_certificate = binds_to_certificate

    def handler(self) -> grpc.GenericRpcHandler:
        """What a server is given."""
        return grpc.method_handlers_generic_handler(
            DELIVER,
            {
                "Deliver": grpc.stream_stream_rpc_method_handler(self.deliver),
                "DeliverFiltered": grpc.stream_stream_rpc_method_handler(self.deliver_filtered),
            },
        )

    async def deliver(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Deliver.Deliver: whole blocks."""
        async with aclosing(self._serve(requests, BLOCKS, context)) as answers:
            async for answer in answers:
                yield answer

    async def deliver_filtered(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Deliver.DeliverFiltered: verdicts and names of events."""
        async with aclosing(self._serve(requests, FILTERED, context)) as answers:
            async for answer in answers:
                yield answer

    def _serve(self, requests: AsyncIterator[bytes], form: Form, context: Any) -> Any:
        certificate_hash = client_certificate_hash(context) if self._binds_to_certificate else None
        return self._deliveries.serve(requests, form, certificate_hash)

"""The peer's services over gRPC. Messages pass as bytes: what is in them is for other rooms."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Final

import grpc

from privysharing.protocol.batches import CallFailed
from privysharing.protocol.codec.batches import encode_batch_answer
from privysharing.protocol.codec.transactions import encode_proposal_response
from privysharing.protocol.private_exchange import Reason, RequestRefused
from services.peer.endorsement.stages import Outcome, ProposalRefused
from services.peer.endorsement.workers import Job, Workers
from services.peer.events.delivery import BLOCKS, FILTERED, WITH_PRIVATE_DATA, Deliveries, Form
from services.peer.private_data.service import PrivateDataService
from services.runtime.batching import BatchCalls, BatchLimits, Call, answer_all, failed
from services.runtime.disk import StorageError
from services.runtime.handover import Handover
from services.runtime.watch import ServedCall

ENDORSER = "protos.Endorser"
BATCH_ENDORSER = "privysharing.v1.BatchEndorser"
DELIVER = "protos.Deliver"
PRIVATE_DATA = "privysharing.v1.PrivateData"

_REFUSALS: Final = {
    Reason.MALFORMED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.UNKNOWN_CHANNEL: grpc.StatusCode.NOT_FOUND,
    Reason.OTHER_CONNECTION: grpc.StatusCode.UNAUTHENTICATED,
    Reason.OTHER_RESPONDER: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.UNTIMELY: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.REPLAYED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.FORGED: grpc.StatusCode.UNAUTHENTICATED,
    Reason.NOT_A_MEMBER: grpc.StatusCode.PERMISSION_DENIED,
    Reason.TOO_LARGE: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.QUOTA: grpc.StatusCode.RESOURCE_EXHAUSTED,
}


class EndorserRpc:
    """The servicer of protos.Endorser. Made on the event loop that serves.

    Proposals that the loop meets in one turn join the line together: they wake a thread once, and share a hand.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._loop = asyncio.get_running_loop()
        self._asked: list[Job] = []  # in this turn
        self._answered: Handover[tuple[asyncio.Future[Outcome], Outcome]] = Handover(_set_all)

    def handler(self) -> grpc.GenericRpcHandler:
        """What a server is given."""
        return grpc.method_handlers_generic_handler(
            ENDORSER, {"ProcessProposal": grpc.unary_unary_rpc_method_handler(self.process_proposal)}
        )

    async def process_proposal(self, signed_proposal: bytes, call: ServedCall) -> bytes:
        """Endorser.ProcessProposal. What is refused at the door is a gRPC error, as in Fabric."""
        answer: asyncio.Future[Outcome] = self._loop.create_future()
        if not self._asked:
            self._loop.call_soon(self._submit)
        self._asked.append(
            Job(
                signed_proposal,
                lambda outcome, more: self._answered.post((answer, outcome), more=more),
                lambda: not answer.done(),
                call.caller,
            )
        )
        outcome = await answer
        if isinstance(outcome, ProposalRefused):
            await call.abort(_status(outcome), outcome.message)
        return encode_proposal_response(outcome)

    def _submit(self) -> None:
        asked, self._asked = self._asked, []
        self._workers.submit(*asked)


class BatchEndorserRpc:
    """The servicer of privysharing.v1.BatchEndorser: the same calls, many on a stream. Made on the event loop."""

    def __init__(self, workers: Workers, limits: BatchLimits | None = None) -> None:
        self._workers = workers
        self._calls = BatchCalls(self._begin, limits or BatchLimits())
        self._answered: Handover[tuple[Call, bytes]] = Handover(answer_all)

    def handler(self) -> grpc.GenericRpcHandler:
        """What a server is given."""
        return grpc.method_handlers_generic_handler(
            BATCH_ENDORSER, {"Endorse": grpc.stream_stream_rpc_method_handler(self.endorse)}
        )

    def endorse(self, requests: AsyncIterator[bytes], call: ServedCall) -> AsyncGenerator[bytes]:
        """BatchEndorser.Endorse."""
        return self._calls.serve(requests, call.caller)

    def hang_up(self) -> None:
        """Take no more proposals; what is being endorsed is answered."""
        self._calls.hang_up()

    def _begin(self, calls: Sequence[Call]) -> None:
        self._workers.submit(*map(self._job, calls))

    def _job(self, call: Call) -> Job:
        def done(outcome: Outcome, more: bool) -> None:
            self._answered.post((call, encode_batch_answer(call.id, _reply(outcome))), more=more)

        return Job(call.payload, done, lambda: call.wanted, call.caller)


def _set_all(answered: Sequence[tuple["asyncio.Future[Outcome]", Outcome]]) -> None:
    for answer, outcome in answered:
        if not answer.done():  # the caller may have hung up
            answer.set_result(outcome)


def _reply(outcome: Outcome) -> bytes | CallFailed:
    if isinstance(outcome, ProposalRefused):
        return failed(_status(outcome), outcome.message)
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
                "DeliverWithPrivateData": grpc.stream_stream_rpc_method_handler(self.deliver_with_private_data),
            },
        )

    def deliver(self, requests: AsyncIterator[bytes], call: ServedCall) -> AsyncGenerator[bytes]:
        """Deliver.Deliver: whole blocks."""
        return self._serve(requests, BLOCKS, call)

    def deliver_filtered(self, requests: AsyncIterator[bytes], call: ServedCall) -> AsyncGenerator[bytes]:
        """Deliver.DeliverFiltered: verdicts and names of events."""
        return self._serve(requests, FILTERED, call)

    def deliver_with_private_data(self, requests: AsyncIterator[bytes], call: ServedCall) -> AsyncGenerator[bytes]:
        """Deliver.DeliverWithPrivateData: whole blocks, and of their private sets those that the reader may see."""
        return self._serve(requests, WITH_PRIVATE_DATA, call)

    def _serve(self, requests: AsyncIterator[bytes], form: Form, call: ServedCall) -> AsyncGenerator[bytes]:
        certificate_hash = call.caller.certificate if self._binds_to_certificate else None
        return self._deliveries.serve(requests, form, certificate_hash, call.caller)


class PrivateDataRefused(Exception):
    """A request for private data that was refused."""

    def __init__(self, refused: RequestRefused) -> None:
        super().__init__(f"{refused.reason.value}: {refused}")
        self.status = _REFUSALS[refused.reason]


class PrivateDataRpc:
    """The servicer of privysharing.v1.PrivateData. `binds_to_certificate`: see `DeliverRpc`."""

    def __init__(
        self,
        service: PrivateDataService,
        *,
        binds_to_certificate: bool,
        on_fault: Callable[[StorageError], None],
    ) -> None:
        """`on_fault` is told of storage that failed: what the peer holds is not to be relied on."""
        self._service = service
        self._binds_to_certificate = binds_to_certificate
        self._on_fault = on_fault

    def handler(self) -> grpc.GenericRpcHandler:
        """What a server is given."""
        return grpc.method_handlers_generic_handler(
            PRIVATE_DATA, {"Exchange": grpc.unary_unary_rpc_method_handler(self.exchange)}
        )

    async def exchange(self, signed_request: bytes, call: ServedCall) -> bytes:
        """PrivateData.Exchange."""
        certificate_hash = call.caller.certificate if self._binds_to_certificate else None
        try:
            return await self._service.answer(signed_request, certificate_hash)
        except RequestRefused as refused:
            raise PrivateDataRefused(refused) from None
        except StorageError as fault:
            self._on_fault(fault)
            raise

"""privysharing.v1.BatchRequest and BatchResponse."""

from collections.abc import Sequence

from privysharing.protocol.batches import BatchAnswer, BatchItem, BatchResponse, CallFailed
from privysharing.protocol.codec.decode import decode
from privysharing.protocol.errors import MalformedMessage
from privysharing.wire.google.rpc.status_pb2 import Status
from privysharing.wire.privysharing.v1 import batch_pb2


def parse_batch_request(raw: bytes) -> list[BatchItem]:
    """Read the items of a request."""
    return [BatchItem(each.id, each.deadline_ms, each.payload) for each in decode(batch_pb2.BatchRequest, raw).items]


def encode_batch_request(items: Sequence[BatchItem]) -> bytes:
    """A request of these items."""
    message = batch_pb2.BatchRequest()
    for item in items:
        message.items.add(id=item.id, deadline_ms=item.deadline_ms, payload=item.payload)
    return message.SerializeToString()


def parse_batch_response(raw: bytes) -> BatchResponse:
    """Read a response. An answer without an outcome is malformed."""
    message = decode(batch_pb2.BatchResponse, raw)
    answers = [BatchAnswer(each.id, _outcome(each)) for each in message.answers]
    return BatchResponse(answers, message.window if message.HasField("window") else None)


def encode_batch_response(response: BatchResponse) -> bytes:
    """A response."""
    answers = b"".join(encode_batch_answer(answer.id, answer.outcome) for answer in response.answers)
    return batch_pb2.BatchResponse(window=response.window).SerializeToString() + answers


def encode_batch_answer(number: int, outcome: bytes | CallFailed) -> bytes:
    """A response of one answer. Several of them, one behind the other, are a response of all their answers."""
    message = batch_pb2.BatchResponse()
    if isinstance(outcome, bytes):
        message.answers.add(id=number, result=outcome)
    else:
        message.answers.add(id=number, status=Status(code=outcome.code, message=outcome.message))
    return message.SerializeToString()


def _outcome(answer: batch_pb2.BatchAnswer) -> bytes | CallFailed:
    kind = answer.WhichOneof("outcome")
    if kind == "result":
        return answer.result
    if kind == "status":
        return CallFailed(answer.status.code, answer.status.message)
    raise MalformedMessage("an answer of a batch has no outcome")

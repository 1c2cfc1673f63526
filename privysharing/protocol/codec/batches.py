"""privysharing.v1.BatchRequest and BatchResponse."""

from collections.abc import Iterable

from privysharing.protocol.batches import BatchAnswer, BatchItem, BatchResponse, CallFailed
from privysharing.protocol.codec.decode import decode
from privysharing.protocol.codec.varint import encode_varint, message_field, number_field
from privysharing.protocol.errors import MalformedMessage
from privysharing.wire.google.rpc.status_pb2 import Status
from privysharing.wire.privysharing.v1 import batch_pb2


def parse_batch_request(raw: bytes) -> list[BatchItem]:
    """Read the items of a request."""
    return [BatchItem(each.id, each.deadline_ms, each.payload) for each in decode(batch_pb2.BatchRequest, raw).items]


def encode_batch_request(items: Iterable[BatchItem]) -> bytes:
    """A request of these items."""
    return b"".join([encode_batch_item(*item) for item in items])


def encode_batch_item(number: int, deadline_ms: int, payload: bytes) -> bytes:
    """A request of one item. Several of them, one behind the other, are a request of all their items."""
    before = number_field(b"\x08", number) + number_field(b"\x10", deadline_ms)
    if payload:
        before += b"\x1a" + encode_varint(len(payload))
    return b"\x0a" + encode_varint(len(before) + len(payload)) + before + payload


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
    if isinstance(outcome, bytes):
        told = message_field(b"\x12", outcome)
    else:
        told = message_field(b"\x1a", Status(code=outcome.code, message=outcome.message).SerializeToString())
    return message_field(b"\x12", number_field(b"\x08", number) + told)


def _outcome(answer: batch_pb2.BatchAnswer) -> bytes | CallFailed:
    if result := answer.result:
        return result
    kind = answer.WhichOneof("outcome")
    if kind == "result":
        return b""
    if kind == "status":
        return CallFailed(answer.status.code, answer.status.message)
    raise MalformedMessage("an answer of a batch has no outcome")

"""Messages of privysharing.v1.PrivateData."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.codec.envelopes import timestamp, timestamp_ns
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.private_data import (
    PARTS_MAX,
    WANTED_MAX,
    Answer,
    Ask,
    FoundSet,
    Hello,
    HelloAnswer,
    MissingAnswer,
    MissingAsk,
    MissingCount,
    MissingSet,
    PrivateSet,
    Pull,
    PullAnswer,
    PurgedAnswer,
    PurgedAsk,
    PurgeStatement,
    Push,
    PushAnswer,
    PushedTransaction,
    Request,
    Response,
    SignedPurgeStatement,
    WantedSet,
)
from privysharing.wire.privysharing.v1 import private_data_pb2

P = TypeVar("P")


class TooManyParts(MalformedMessage):
    """A message of more parts than anybody has to look at."""


def parse_signed_request(raw: bytes) -> tuple[bytes, bytes]:
    """Request bytes, and the signature."""
    message = decode(private_data_pb2.SignedRequest, raw)
    return message.request, message.signature


def encode_signed_request(request: bytes, signature: bytes) -> bytes:
    """SignedRequest."""
    return private_data_pb2.SignedRequest(request=request, signature=signature).SerializeToString()


def parse_signed_response(raw: bytes) -> tuple[bytes, bytes]:
    """Response bytes, and the signature."""
    message = decode(private_data_pb2.SignedResponse, raw)
    return message.response, message.signature


def encode_signed_response(response: bytes, signature: bytes) -> bytes:
    """SignedResponse."""
    return private_data_pb2.SignedResponse(response=response, signature=signature).SerializeToString()


def parse_request(raw: bytes) -> Request:
    """Read a request."""
    message = decode(private_data_pb2.Request, raw)
    kind = message.WhichOneof("ask")
    if kind is None:
        raise MalformedMessage("a request for private data asks for nothing")
    return Request(
        message.channel_id,
        message.requester,
        message.tls_cert_hash,
        message.responder,
        message.nonce,
        timestamp_ns(message.timestamp) if message.HasField("timestamp") else None,
        _ASKS[kind](message),
    )


def encode_request(request: Request) -> bytes:
    """Request."""
    message = private_data_pb2.Request(
        channel_id=request.channel_id,
        requester=request.requester,
        tls_cert_hash=request.tls_cert_hash,
        responder=request.responder,
        nonce=request.nonce,
        timestamp=None if request.timestamp_ns is None else timestamp(request.timestamp_ns),
    )
    match request.ask:
        case Hello():
            message.hello.SetInParent()
        case Push(transactions):
            message.push.SetInParent()
            for each in transactions:
                pushed = message.push.transactions.add(tx_id=each.tx_id, height=each.height)
                for one in each.sets:
                    pushed.sets.add(namespace=one.namespace, collection=one.collection, rwset=one.rwset)
        case Pull(namespace, collection, wanted):
            message.pull.namespace, message.pull.collection = namespace, collection
            for want in wanted:
                message.pull.wanted.add(
                    tx_id=want.tx_id, block_num=want.block_num, tx_num=want.tx_num, rwset_hash=want.rwset_hash
                )
        case PurgedAsk(namespace, collection, key_hashes):
            message.purged.namespace, message.purged.collection = namespace, collection
            message.purged.key_hashes.extend(key_hashes)
        case MissingAsk(limit):
            message.missing.limit = limit
            message.missing.SetInParent()
    return message.SerializeToString()


def parse_response(raw: bytes) -> Response:
    """Read a response."""
    message = decode(private_data_pb2.Response, raw)
    kind = message.WhichOneof("answer")
    if kind is None:
        raise MalformedMessage("a response about private data answers nothing")
    return Response(message.request_hash, message.responder, _ANSWERS[kind](message))


def encode_response(response: Response) -> bytes:
    """Response."""
    message = private_data_pb2.Response(request_hash=response.request_hash, responder=response.responder)
    match response.answer:
        case HelloAnswer():
            message.hello.SetInParent()
        case PushAnswer(refusals):
            message.push.refusals.extend(refusals)
            message.push.SetInParent()
        case PullAnswer(found):
            message.pull.SetInParent()
            for each in found:
                message.pull.found.add(wanted=each.wanted, rwset=each.rwset, trimmed=each.trimmed)
        case PurgedAnswer(statements):
            message.purged.SetInParent()
            for signed in statements:
                message.purged.statements.add(statement=signed.statement, signature=signed.signature)
        case MissingAnswer(counts, sets):
            message.missing.SetInParent()
            for count in counts:
                message.missing.counts.add(namespace=count.namespace, collection=count.collection, count=count.count)
            for lacked in sets:
                message.missing.sets.add(
                    namespace=lacked.namespace,
                    collection=lacked.collection,
                    block_num=lacked.block_num,
                    tx_num=lacked.tx_num,
                    tx_id=lacked.tx_id,
                )
    return message.SerializeToString()


def parse_purge_statement(raw: bytes) -> PurgeStatement:
    """Read a statement. One without a time is malformed."""
    message = decode(private_data_pb2.PurgeStatement, raw)
    if not message.HasField("time"):
        raise MalformedMessage("a purge statement says no time")
    return PurgeStatement(
        message.channel_id,
        message.namespace,
        message.collection,
        message.key_hash,
        message.block_num,
        message.tx_num,
        message.peer,
        timestamp_ns(message.time),
    )


def encode_purge_statement(statement: PurgeStatement) -> bytes:
    """PurgeStatement."""
    return private_data_pb2.PurgeStatement(
        channel_id=statement.channel_id,
        namespace=statement.namespace,
        collection=statement.collection,
        key_hash=statement.key_hash,
        block_num=statement.block_num,
        tx_num=statement.tx_num,
        peer=statement.peer,
        time=timestamp(statement.time_ns),
    ).SerializeToString()


def _push(message: private_data_pb2.Request) -> Push:
    return Push(
        tuple(
            PushedTransaction(
                TxId(each.tx_id),
                each.height,
                tuple(PrivateSet(one.namespace, one.collection, one.rwset) for one in _few(each.sets, WANTED_MAX)),
            )
            for each in _few(message.push.transactions, WANTED_MAX)
        )
    )


def _pull(message: private_data_pb2.Request) -> Pull:
    wanted = (
        WantedSet(TxId(each.tx_id), each.block_num, each.tx_num, each.rwset_hash)
        for each in _few(message.pull.wanted, WANTED_MAX)
    )
    return Pull(message.pull.namespace, message.pull.collection, tuple(wanted))


def _purged(message: private_data_pb2.Request) -> PurgedAsk:
    return PurgedAsk(
        message.purged.namespace, message.purged.collection, tuple(_few(message.purged.key_hashes, WANTED_MAX))
    )


def _pull_answer(message: private_data_pb2.Response) -> PullAnswer:
    return PullAnswer(tuple(FoundSet(each.wanted, each.rwset, each.trimmed) for each in _few(message.pull.found)))


def _purged_answer(message: private_data_pb2.Response) -> PurgedAnswer:
    return PurgedAnswer(
        tuple(SignedPurgeStatement(each.statement, each.signature) for each in _few(message.purged.statements))
    )


def _missing_answer(message: private_data_pb2.Response) -> MissingAnswer:
    counts = (MissingCount(each.namespace, each.collection, each.count) for each in _few(message.missing.counts))
    sets = (
        MissingSet(each.namespace, each.collection, each.block_num, each.tx_num, TxId(each.tx_id))
        for each in _few(message.missing.sets)
    )
    return MissingAnswer(tuple(counts), tuple(sets))


def _few(parts: Sequence[P], most: int = PARTS_MAX) -> Sequence[P]:
    """To be made something of: that takes ten times what decoding them does."""
    if len(parts) > most:
        raise TooManyParts(f"a message of {len(parts)} parts, at most {most} are looked at")
    return parts


_ASKS: Final[dict[str, Callable[[private_data_pb2.Request], Ask]]] = {
    "hello": lambda _: Hello(),
    "push": _push,
    "pull": _pull,
    "purged": _purged,
    "missing": lambda message: MissingAsk(message.missing.limit),
}
_ANSWERS: Final[dict[str, Callable[[private_data_pb2.Response], Answer]]] = {
    "hello": lambda _: HelloAnswer(),
    "push": lambda message: PushAnswer(tuple(_few(message.push.refusals))),
    "pull": _pull_answer,
    "purged": _purged_answer,
    "missing": _missing_answer,
}

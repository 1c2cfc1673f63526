"""The payload of an endorser transaction, read in one go where each of its levels is in canonical form.

Fabric nests messages as bytes, and nearly every client writes them canonically. Read as one message, such a payload
costs a third of what reading it level by level does. Anything else may mean one thing to a reader of levels and another
to one of the whole (a field that stands there twice is replaced there and merged here), and is left to the former.
"""

from collections.abc import Sequence

from google.protobuf.message import DecodeError

from privysharing.protocol.codec.envelopes import channel_header
from privysharing.protocol.envelopes import ChannelHeader
from privysharing.protocol.transactions import (
    ChaincodeAction,
    ChaincodeId,
    Endorsement,
    EndorserTransaction,
    Response,
)
from privysharing.protocol.values import value
from privysharing.wire.peer import proposal_response_pb2
from privysharing.wire.privysharing.v1 import whole_pb2

ENDORSEMENTS_MAX = 32  # an endorsement can be two bytes long: more of them are read where repetitions cost nothing


@value
class WholePayload:
    """What `codec.envelopes` and `codec.transactions` would find, the signature header unread."""

    channel: ChannelHeader
    channel_bytes: bytes
    signature_bytes: bytes
    transaction: EndorserTransaction
    action: ChaincodeAction


def parse_whole_payload(raw: bytes) -> WholePayload | None:
    """Read a payload down to the action that was endorsed; None for one that is not canonical or has another shape."""
    try:
        message = whole_pb2.WholePayload.FromString(raw)
    except DecodeError:
        return None
    actions = message.data.actions
    if len(actions) != 1 or message.SerializeToString() != raw:
        return None
    header, payload, endorsed = message.header, actions[0].payload, actions[0].payload.action
    response = endorsed.proposal_response_payload
    endorsements = _endorsements(endorsed.endorsements)
    if endorsements is None:
        return None
    extension = response.extension
    return WholePayload(
        channel_header(header.channel_header),
        header.channel_header.SerializeToString(),
        header.signature_header,
        EndorserTransaction(
            actions[0].header,
            payload.chaincode_proposal_payload,
            response.SerializeToString(),
            response.proposal_hash,
            extension.SerializeToString(),
            endorsements,
        ),
        _action(extension),
    )


def _endorsements(messages: Sequence[proposal_response_pb2.Endorsement]) -> tuple[Endorsement, ...] | None:
    """All of them, none twice."""
    if len(messages) > ENDORSEMENTS_MAX:
        return None
    found = tuple([Endorsement(message.endorser, message.signature) for message in messages])
    return found if len({each.signature for each in found}) == len(found) else None


def _action(message: whole_pb2.WholeChaincodeAction) -> ChaincodeAction:
    chaincode, response = message.chaincode_id, message.response
    return ChaincodeAction(
        message.results,
        message.events,
        Response(response.status, response.message, response.payload) if message.HasField("response") else None,
        ChaincodeId(chaincode.name, chaincode.version, chaincode.path) if message.HasField("chaincode_id") else None,
    )

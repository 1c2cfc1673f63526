from privysharing.wire.common import common_pb2 as _common_pb2
from privysharing.wire.peer import chaincode_pb2 as _chaincode_pb2
from privysharing.wire.peer import proposal_response_pb2 as _proposal_response_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WholePayload(_message.Message):
    __slots__ = ("header", "data")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    header: WholeHeader
    data: WholeTransaction
    def __init__(self, header: _Optional[_Union[WholeHeader, _Mapping]] = ..., data: _Optional[_Union[WholeTransaction, _Mapping]] = ...) -> None: ...

class WholeHeader(_message.Message):
    __slots__ = ("channel_header", "signature_header")
    CHANNEL_HEADER_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_HEADER_FIELD_NUMBER: _ClassVar[int]
    channel_header: _common_pb2.ChannelHeader
    signature_header: bytes
    def __init__(self, channel_header: _Optional[_Union[_common_pb2.ChannelHeader, _Mapping]] = ..., signature_header: _Optional[bytes] = ...) -> None: ...

class WholeTransaction(_message.Message):
    __slots__ = ("actions",)
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    actions: _containers.RepeatedCompositeFieldContainer[WholeAction]
    def __init__(self, actions: _Optional[_Iterable[_Union[WholeAction, _Mapping]]] = ...) -> None: ...

class WholeAction(_message.Message):
    __slots__ = ("header", "payload")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    header: bytes
    payload: WholeActionPayload
    def __init__(self, header: _Optional[bytes] = ..., payload: _Optional[_Union[WholeActionPayload, _Mapping]] = ...) -> None: ...

class WholeActionPayload(_message.Message):
    __slots__ = ("chaincode_proposal_payload", "action")
    CHAINCODE_PROPOSAL_PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    chaincode_proposal_payload: bytes
    action: WholeEndorsedAction
    def __init__(self, chaincode_proposal_payload: _Optional[bytes] = ..., action: _Optional[_Union[WholeEndorsedAction, _Mapping]] = ...) -> None: ...

class WholeEndorsedAction(_message.Message):
    __slots__ = ("proposal_response_payload", "endorsements")
    PROPOSAL_RESPONSE_PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ENDORSEMENTS_FIELD_NUMBER: _ClassVar[int]
    proposal_response_payload: WholeResponsePayload
    endorsements: _containers.RepeatedCompositeFieldContainer[_proposal_response_pb2.Endorsement]
    def __init__(self, proposal_response_payload: _Optional[_Union[WholeResponsePayload, _Mapping]] = ..., endorsements: _Optional[_Iterable[_Union[_proposal_response_pb2.Endorsement, _Mapping]]] = ...) -> None: ...

class WholeResponsePayload(_message.Message):
    __slots__ = ("proposal_hash", "extension")
    PROPOSAL_HASH_FIELD_NUMBER: _ClassVar[int]
    EXTENSION_FIELD_NUMBER: _ClassVar[int]
    proposal_hash: bytes
    extension: WholeChaincodeAction
    def __init__(self, proposal_hash: _Optional[bytes] = ..., extension: _Optional[_Union[WholeChaincodeAction, _Mapping]] = ...) -> None: ...

class WholeChaincodeAction(_message.Message):
    __slots__ = ("results", "events", "response", "chaincode_id")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    CHAINCODE_ID_FIELD_NUMBER: _ClassVar[int]
    results: bytes
    events: bytes
    response: _proposal_response_pb2.Response
    chaincode_id: _chaincode_pb2.ChaincodeID
    def __init__(self, results: _Optional[bytes] = ..., events: _Optional[bytes] = ..., response: _Optional[_Union[_proposal_response_pb2.Response, _Mapping]] = ..., chaincode_id: _Optional[_Union[_chaincode_pb2.ChaincodeID, _Mapping]] = ...) -> None: ...

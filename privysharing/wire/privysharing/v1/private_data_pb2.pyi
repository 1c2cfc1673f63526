from privysharing.wire.google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SignedRequest(_message.Message):
    __slots__ = ("request", "signature")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    request: bytes
    signature: bytes
    def __init__(self, request: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ("channel_id", "requester", "tls_cert_hash", "responder", "nonce", "timestamp", "hello", "push", "pull", "purged", "missing")
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTER_FIELD_NUMBER: _ClassVar[int]
    TLS_CERT_HASH_FIELD_NUMBER: _ClassVar[int]
    RESPONDER_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    PUSH_FIELD_NUMBER: _ClassVar[int]
    PULL_FIELD_NUMBER: _ClassVar[int]
    PURGED_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    channel_id: str
    requester: bytes
    tls_cert_hash: bytes
    responder: bytes
    nonce: bytes
    timestamp: _timestamp_pb2.Timestamp
    hello: Hello
    push: Push
    pull: Pull
    purged: PurgedAsk
    missing: MissingAsk
    def __init__(self, channel_id: _Optional[str] = ..., requester: _Optional[bytes] = ..., tls_cert_hash: _Optional[bytes] = ..., responder: _Optional[bytes] = ..., nonce: _Optional[bytes] = ..., timestamp: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., hello: _Optional[_Union[Hello, _Mapping]] = ..., push: _Optional[_Union[Push, _Mapping]] = ..., pull: _Optional[_Union[Pull, _Mapping]] = ..., purged: _Optional[_Union[PurgedAsk, _Mapping]] = ..., missing: _Optional[_Union[MissingAsk, _Mapping]] = ...) -> None: ...

class SignedResponse(_message.Message):
    __slots__ = ("response", "signature")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    response: bytes
    signature: bytes
    def __init__(self, response: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Response(_message.Message):
    __slots__ = ("request_hash", "responder", "hello", "push", "pull", "purged", "missing")
    REQUEST_HASH_FIELD_NUMBER: _ClassVar[int]
    RESPONDER_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    PUSH_FIELD_NUMBER: _ClassVar[int]
    PULL_FIELD_NUMBER: _ClassVar[int]
    PURGED_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    request_hash: bytes
    responder: bytes
    hello: HelloAnswer
    push: PushAnswer
    pull: PullAnswer
    purged: PurgedAnswer
    missing: MissingAnswer
    def __init__(self, request_hash: _Optional[bytes] = ..., responder: _Optional[bytes] = ..., hello: _Optional[_Union[HelloAnswer, _Mapping]] = ..., push: _Optional[_Union[PushAnswer, _Mapping]] = ..., pull: _Optional[_Union[PullAnswer, _Mapping]] = ..., purged: _Optional[_Union[PurgedAnswer, _Mapping]] = ..., missing: _Optional[_Union[MissingAnswer, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HelloAnswer(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PrivateSet(_message.Message):
    __slots__ = ("namespace", "collection", "rwset")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    RWSET_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    collection: str
    rwset: bytes
    def __init__(self, namespace: _Optional[str] = ..., collection: _Optional[str] = ..., rwset: _Optional[bytes] = ...) -> None: ...

class Push(_message.Message):
    __slots__ = ("transactions",)
    TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    transactions: _containers.RepeatedCompositeFieldContainer[PushedTransaction]
    def __init__(self, transactions: _Optional[_Iterable[_Union[PushedTransaction, _Mapping]]] = ...) -> None: ...

class PushedTransaction(_message.Message):
    __slots__ = ("tx_id", "height", "sets")
    TX_ID_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    tx_id: str
    height: int
    sets: _containers.RepeatedCompositeFieldContainer[PrivateSet]
    def __init__(self, tx_id: _Optional[str] = ..., height: _Optional[int] = ..., sets: _Optional[_Iterable[_Union[PrivateSet, _Mapping]]] = ...) -> None: ...

class PushAnswer(_message.Message):
    __slots__ = ("refusals",)
    REFUSALS_FIELD_NUMBER: _ClassVar[int]
    refusals: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, refusals: _Optional[_Iterable[str]] = ...) -> None: ...

class Pull(_message.Message):
    __slots__ = ("namespace", "collection", "wanted")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    WANTED_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    collection: str
    wanted: _containers.RepeatedCompositeFieldContainer[WantedSet]
    def __init__(self, namespace: _Optional[str] = ..., collection: _Optional[str] = ..., wanted: _Optional[_Iterable[_Union[WantedSet, _Mapping]]] = ...) -> None: ...

class WantedSet(_message.Message):
    __slots__ = ("tx_id", "block_num", "tx_num", "rwset_hash")
    TX_ID_FIELD_NUMBER: _ClassVar[int]
    BLOCK_NUM_FIELD_NUMBER: _ClassVar[int]
    TX_NUM_FIELD_NUMBER: _ClassVar[int]
    RWSET_HASH_FIELD_NUMBER: _ClassVar[int]
    tx_id: str
    block_num: int
    tx_num: int
    rwset_hash: bytes
    def __init__(self, tx_id: _Optional[str] = ..., block_num: _Optional[int] = ..., tx_num: _Optional[int] = ..., rwset_hash: _Optional[bytes] = ...) -> None: ...

class PullAnswer(_message.Message):
    __slots__ = ("found",)
    FOUND_FIELD_NUMBER: _ClassVar[int]
    found: _containers.RepeatedCompositeFieldContainer[FoundSet]
    def __init__(self, found: _Optional[_Iterable[_Union[FoundSet, _Mapping]]] = ...) -> None: ...

class FoundSet(_message.Message):
    __slots__ = ("wanted", "rwset", "trimmed")
    WANTED_FIELD_NUMBER: _ClassVar[int]
    RWSET_FIELD_NUMBER: _ClassVar[int]
    TRIMMED_FIELD_NUMBER: _ClassVar[int]
    wanted: int
    rwset: bytes
    trimmed: bool
    def __init__(self, wanted: _Optional[int] = ..., rwset: _Optional[bytes] = ..., trimmed: bool = ...) -> None: ...

class PurgedAsk(_message.Message):
    __slots__ = ("namespace", "collection", "key_hashes")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    KEY_HASHES_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    collection: str
    key_hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, namespace: _Optional[str] = ..., collection: _Optional[str] = ..., key_hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class PurgedAnswer(_message.Message):
    __slots__ = ("statements",)
    STATEMENTS_FIELD_NUMBER: _ClassVar[int]
    statements: _containers.RepeatedCompositeFieldContainer[SignedPurgeStatement]
    def __init__(self, statements: _Optional[_Iterable[_Union[SignedPurgeStatement, _Mapping]]] = ...) -> None: ...

class SignedPurgeStatement(_message.Message):
    __slots__ = ("statement", "signature")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    statement: bytes
    signature: bytes
    def __init__(self, statement: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class PurgeStatement(_message.Message):
    __slots__ = ("channel_id", "namespace", "collection", "key_hash", "block_num", "tx_num", "peer", "time")
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    KEY_HASH_FIELD_NUMBER: _ClassVar[int]
    BLOCK_NUM_FIELD_NUMBER: _ClassVar[int]
    TX_NUM_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    channel_id: str
    namespace: str
    collection: str
    key_hash: bytes
    block_num: int
    tx_num: int
    peer: bytes
    time: _timestamp_pb2.Timestamp
    def __init__(self, channel_id: _Optional[str] = ..., namespace: _Optional[str] = ..., collection: _Optional[str] = ..., key_hash: _Optional[bytes] = ..., block_num: _Optional[int] = ..., tx_num: _Optional[int] = ..., peer: _Optional[bytes] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class MissingAsk(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class MissingAnswer(_message.Message):
    __slots__ = ("counts", "sets")
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedCompositeFieldContainer[MissingCount]
    sets: _containers.RepeatedCompositeFieldContainer[MissingSet]
    def __init__(self, counts: _Optional[_Iterable[_Union[MissingCount, _Mapping]]] = ..., sets: _Optional[_Iterable[_Union[MissingSet, _Mapping]]] = ...) -> None: ...

class MissingCount(_message.Message):
    __slots__ = ("namespace", "collection", "count")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    collection: str
    count: int
    def __init__(self, namespace: _Optional[str] = ..., collection: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class MissingSet(_message.Message):
    __slots__ = ("namespace", "collection", "block_num", "tx_num", "tx_id")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    BLOCK_NUM_FIELD_NUMBER: _ClassVar[int]
    TX_NUM_FIELD_NUMBER: _ClassVar[int]
    TX_ID_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    collection: str
    block_num: int
    tx_num: int
    tx_id: str
    def __init__(self, namespace: _Optional[str] = ..., collection: _Optional[str] = ..., block_num: _Optional[int] = ..., tx_num: _Optional[int] = ..., tx_id: _Optional[str] = ...) -> None: ...

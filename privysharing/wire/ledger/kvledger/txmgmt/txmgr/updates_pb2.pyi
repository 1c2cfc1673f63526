from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class KVWrite(_message.Message):
    __slots__ = ("namespace", "collection", "key", "isDelete", "value", "version_bytes")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    ISDELETE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    VERSION_BYTES_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    collection: str
    key: bytes
    isDelete: bool
    value: bytes
    version_bytes: bytes
    def __init__(self, namespace: _Optional[str] = ..., collection: _Optional[str] = ..., key: _Optional[bytes] = ..., isDelete: bool = ..., value: _Optional[bytes] = ..., version_bytes: _Optional[bytes] = ...) -> None: ...

class Updates(_message.Message):
    __slots__ = ("kvwrites",)
    KVWRITES_FIELD_NUMBER: _ClassVar[int]
    kvwrites: _containers.RepeatedCompositeFieldContainer[KVWrite]
    def __init__(self, kvwrites: _Optional[_Iterable[_Union[KVWrite, _Mapping]]] = ...) -> None: ...

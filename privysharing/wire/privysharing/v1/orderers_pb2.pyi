from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LiveRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LiveOrderers(_message.Message):
    __slots__ = ("orderers",)
    ORDERERS_FIELD_NUMBER: _ClassVar[int]
    orderers: _containers.RepeatedCompositeFieldContainer[LiveOrderer]
    def __init__(self, orderers: _Optional[_Iterable[_Union[LiveOrderer, _Mapping]]] = ...) -> None: ...

class LiveOrderer(_message.Message):
    __slots__ = ("host", "port", "msp_id")
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    MSP_ID_FIELD_NUMBER: _ClassVar[int]
    host: str
    port: int
    msp_id: str
    def __init__(self, host: _Optional[str] = ..., port: _Optional[int] = ..., msp_id: _Optional[str] = ...) -> None: ...

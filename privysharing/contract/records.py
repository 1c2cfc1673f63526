"""How a record lies on the ledger: canonical JSON with its `docType` and the `version` of its layout."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, ClassVar, TypeVar, cast

from privysharing.chaincode.canonical import JsonObject, dumps, loads
from privysharing.chaincode.context import Context


class Record:
    """Base of every stored record: a frozen dataclass whose fields are JSON values."""

    __slots__ = ()

    DOC_TYPE: ClassVar[str]
    VERSION: ClassVar[int] = 1

    def to_json(self) -> JsonObject:
        values = {field.name: getattr(self, field.name) for field in fields(cast("Any", self))}
        return {"docType": self.DOC_TYPE, "version": self.VERSION, **values}


RecordT = TypeVar("RecordT", bound=Record)


class UnreadableRecord(Exception):
    """The ledger holds something that this version of the contract did not write. A fault, never a caller's mistake."""


def decode(record_type: type[RecordT], raw: bytes) -> RecordT:
    """Read a record back. Raises UnreadableRecord for another type or version."""
    values = loads(raw)
    if not isinstance(values, dict):
        raise UnreadableRecord(record_type.DOC_TYPE)
    if (values.pop("docType", None), values.pop("version", None)) != (record_type.DOC_TYPE, record_type.VERSION):
        raise UnreadableRecord(record_type.DOC_TYPE)
    try:
        return cast("Callable[..., RecordT]", record_type)(**values)
    except TypeError as error:
        raise UnreadableRecord(record_type.DOC_TYPE) from error


def load(context: Context, record_type: type[RecordT], key: str) -> RecordT | None:
    raw = context.get(key)
    return None if raw is None else decode(record_type, raw)


def store(context: Context, key: str, record: Record) -> None:
    context.put(key, dumps(record.to_json()))

"""From a proposal's argument bytes to what a function's annotations ask for."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from privysharing.chaincode.canonical import JsonError, JsonObject, JsonValue, loads
from privysharing.chaincode.errors import ContractError

ARGUMENT_BYTES_MAX = 1024 * 1024


def _text(raw: bytes) -> str:
    return raw.decode()


def _integer(raw: bytes) -> int:
    value = loads(raw)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError
    return value


def _texts(raw: bytes) -> list[str]:
    value = loads(raw)
    if not isinstance(value, list):
        raise ValueError
    texts = [item for item in value if isinstance(item, str)]
    if len(texts) != len(value):
        raise ValueError
    return texts


def _object(raw: bytes) -> JsonObject:
    value = loads(raw)
    if not isinstance(value, dict):
        raise ValueError
    return value


def _objects(raw: bytes) -> list[JsonObject]:
    value = loads(raw)
    if not isinstance(value, list):
        raise ValueError
    objects = [item for item in value if isinstance(item, dict)]
    if len(objects) != len(value):
        raise ValueError
    return objects


# Annotation -> (what a person is told, how it is read). Text is taken as it is; everything else is JSON.
_TYPES: Mapping[object, tuple[str, Callable[[bytes], object]]] = MappingProxyType(
    {
        str: ("text", _text),
        int: ("integer", _integer),
        Sequence[str]: ("JSON list of texts", _texts),
        JsonObject: ("JSON object", _object),
        Sequence[JsonObject]: ("JSON list of objects", _objects),
        JsonValue: ("JSON value", loads),
    }
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a function: positional, and optional when its function has a default for it."""

    name: str
    type_name: str
    required: bool
    read: Callable[[bytes], object]

    @classmethod
    def of(cls, parameter: inspect.Parameter) -> "Parameter":
        type_name, read = _TYPES[parameter.annotation]
        return cls(parameter.name, type_name, parameter.default is inspect.Parameter.empty, read)

    def parse(self, raw: bytes) -> object:
        """The argument's value. Raises ContractError BAD_ARGUMENT."""
        try:
            if len(raw) > ARGUMENT_BYTES_MAX:
                raise JsonError(f"{len(raw)} bytes, more than {ARGUMENT_BYTES_MAX}")
            return self.read(raw)
        except ValueError as error:
            found = str(error) if isinstance(error, JsonError) else "something else"
            raise ContractError(
                "BAD_ARGUMENT", f"argument {self.name} is not right", needed=self.type_name, found=found
            ) from error

    def describe(self) -> JsonObject:
        return {"name": self.name, "type": self.type_name, "required": self.required}

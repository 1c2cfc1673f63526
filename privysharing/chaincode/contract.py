"""How a contract declares its functions, and how they are called."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, TypeVar

from privysharing.chaincode.arguments import Parameter
from privysharing.chaincode.canonical import JsonObject, JsonValue, dumps
from privysharing.chaincode.context import Context
from privysharing.chaincode.errors import ContractError
from privysharing.chaincode.stub import Stub
from privysharing.protocol.transactions import Response

_Method = TypeVar("_Method", bound=Callable[..., JsonValue])
_MARK = "chaincode_kind"
_TRANSACTION = "transaction"
_QUERY = "query"


def transaction(method: _Method) -> _Method:
    """Declare a function that may write. It is called by its name in PascalCase."""
    vars(method)[_MARK] = _TRANSACTION
    return method


def query(method: _Method) -> _Method:
    """Declare a function that only reads: meant to be evaluated, not submitted. It cannot write."""
    vars(method)[_MARK] = _QUERY
    return method


@dataclass(frozen=True, slots=True)
class Function:
    """One entry of a contract's table of contents."""

    name: str
    kind: str
    doc: str
    parameters: tuple[Parameter, ...]
    method: Callable[..., JsonValue]
    required: int  # how many arguments cannot be left out

    def describe(self) -> JsonObject:
        parameters: list[JsonValue] = [parameter.describe() for parameter in self.parameters]
        return {"name": self.name, "kind": self.kind, "doc": self.doc, "parameters": parameters}


class Contract:
    """Base of a contract: its functions are the methods marked `transaction` or `query`, inherited ones included.

    A function takes a Context and arguments of the types in `arguments`, and returns a JSON value. The contract itself
    has no state: everything it knows is on the ledger.
    """

    functions: ClassVar[Mapping[str, Function]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        methods = (member for _, member in inspect.getmembers(cls, inspect.isfunction) if _MARK in vars(member))
        functions = (_function(method) for method in methods)
        cls.functions = MappingProxyType({function.name: function for function in functions})

    def invoke(self, stub: Stub) -> Response:
        """Run one function. A refusal is a response of status 400 or more; other exceptions are faults, the host's."""
        try:
            if not stub.args:
                raise ContractError("NO_FUNCTION", "no function was named", needed="a function's name", found="nothing")
            function = self._find(stub.args[0])
            arguments = _bind(function, stub.args[1:])
            context = Context(stub, writable=function.kind == _TRANSACTION)
            result = function.method(self, context, *arguments)
        except ContractError as refusal:
            return refusal.to_response()
        return Response(status=200, payload=b"" if result is None else dumps(result))

    @query
    def describe(self, context: Context) -> JsonValue:
        """Every function of this contract: name, kind, meaning and parameters."""
        return [function.describe() for function in self.functions.values()]

    def _find(self, name: bytes) -> Function:
        function = self.functions.get(name.decode(errors="replace"))
        if function is None:
            raise ContractError(
                "UNKNOWN_FUNCTION",
                "the contract has no such function",
                needed="one of " + ", ".join(self.functions),
                found=name[:64].decode(errors="replace"),
                status=404,
            )
        return function


def _function(method: Callable[..., JsonValue]) -> Function:
    _, _, *parameters = inspect.signature(method).parameters.values()  # without self and the context
    taken = tuple(Parameter.of(parameter) for parameter in parameters)
    return Function(
        name="".join(word.capitalize() for word in method.__name__.split("_")),
        kind=vars(method)[_MARK],
        doc=inspect.getdoc(method) or "",
        parameters=taken,
        method=method,
        required=sum(parameter.required for parameter in taken),
    )


def _bind(function: Function, arguments: Sequence[bytes]) -> list[object]:
    if not function.required <= len(arguments) <= len(function.parameters):
        names = ", ".join(p.name if p.required else f"[{p.name}]" for p in function.parameters)
        raise ContractError(
            "WRONG_ARGUMENTS",
            f"{function.name} takes other arguments",
            needed=names or "none",
            found=f"{len(arguments)} arguments",
        )
    return [parameter.parse(raw) for parameter, raw in zip(function.parameters, arguments, strict=False)]

"""Functions that are replaced by broken ones while somebody looks."""

import functools
import gc
import importlib
import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any


@dataclass(frozen=True, slots=True)
class Edit:
    """In a function, `services.x.y:Class.method`, one piece of source text is another."""

    where: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """Production code with something wrong. `sentence` says what."""

    name: str
    sentence: str
    edits: tuple[Edit, ...]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Break the code, for a while. Raises EditFailed where the source is not what the edit is about."""
        broken = self.broken()
        healthy = {function: function.__code__ for function in broken}
        try:
            _replace(broken)
            forget_all()
            yield
        finally:
            _replace(healthy)

    def broken(self) -> dict[FunctionType, CodeType]:
        """The functions that it breaks, each with its broken code. Raises EditFailed."""
        return dict(
            _edited(where, [edit for edit in self.edits if edit.where == where])
            for where in dict.fromkeys(edit.where for edit in self.edits)
        )


def mutant(sentence: str, *edits: tuple[str, str, str]) -> Mutant:
    """A mutant, which goes by the words of its sentence. Each edit: where, before, after."""
    return Mutant("-".join(re.findall(r"[a-z0-9]+", sentence.lower())), sentence, tuple(Edit(*edit) for edit in edits))


class EditFailed(AssertionError):
    """The code has changed, and its mutant with it has to."""


def forget_all() -> None:
    """Empty every cache of a function: what is in them was found out by other code."""
    for each in gc.get_objects():
        if isinstance(each, functools._lru_cache_wrapper) and each.__module__.startswith(("services", "privysharing")):
            each.cache_clear()


def _replace(codes: dict[FunctionType, CodeType]) -> None:
    for function, code in codes.items():
        function.__code__ = code


def _edited(where: str, edits: list[Edit]) -> tuple[FunctionType, CodeType]:
    module_name, _, path = where.partition(":")
    module = importlib.import_module(module_name)
    function = _function(module, path)
    healthy = function.__code__
    lines, first = inspect.getsourcelines(healthy)
    text = "".join(lines)
    for edit in edits:
        if text.count(edit.before) != 1:
            raise EditFailed(f"{where} has {edit.before!r} {text.count(edit.before)} times")
        text = text.replace(edit.before, edit.after)
    source = inspect.getsource(module).splitlines(keepends=True)
    broken = "".join((*source[: first - 1], text, *source[first - 1 + len(lines) :]))
    compiled = compile(broken, healthy.co_filename, "exec", dont_inherit=True)
    code = _code_of(compiled, healthy)
    if code == healthy:
        raise EditFailed(f"{where} does after the edit what it did before")
    return function, code


def _function(module: ModuleType, path: str) -> FunctionType:
    *outer, name = path.split(".")
    place: Any = module
    for part in outer:
        place = getattr(place, part)
    found: Any = inspect.getattr_static(place, name)
    while not isinstance(found, FunctionType):
        found = getattr(found, "__func__", None) or getattr(found, "fget", None) or found.__wrapped__
    unwrapped: FunctionType = inspect.unwrap(found)
    return unwrapped


def _code_of(compiled: CodeType, healthy: CodeType) -> CodeType:
    """The code of the same function, in a module that was compiled again."""
    for constant in compiled.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_qualname == healthy.co_qualname and constant.co_firstlineno == healthy.co_firstlineno:
                return constant
            try:
                return _code_of(constant, healthy)
            except EditFailed:
                continue
    raise EditFailed(f"no function {healthy.co_qualname} after the edit")

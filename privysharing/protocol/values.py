"""Values of the hot path: immutable to the type checker, and as cheap to make as any object.

A frozen dataclass pays `object.__setattr__` for each field it is made with; a transaction is read into a dozen values.
"""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """A dataclass with slots, equal and hashed by its fields. That nobody changes one is mypy's to see."""
    return dataclass(slots=True, unsafe_hash=True)(cls)

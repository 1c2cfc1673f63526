"""Reading the keys of `network.yaml`: what is not as needed is refused with its place."""

from collections.abc import Iterable, Mapping
from typing import Any


class TopologyError(ValueError):
    """`network.yaml` does not describe a network; the message names the place."""


def mapping(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise TopologyError(f"{place} is {value!r}; needed: a mapping, with texts as keys")
    return value


def listed(keys: Mapping[str, Any], key: str, place: str) -> list[Any]:
    value = keys.get(key, [])
    require(isinstance(value, list), f"{place}.{key}", value, "a list")
    return list(value)


def texts(keys: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
    values = listed(keys, key, place)
    require(all(isinstance(value, str) for value in values), f"{place}.{key}", values, "a list of texts")
    return tuple(values)


def count(keys: Mapping[str, Any], key: str, place: str, *, least: int = 1) -> int:
    value = keys[key]
    whole = isinstance(value, int) and not isinstance(value, bool)
    require(whole and least <= value < 2**32, f"{place}.{key}", value, f"a whole number from {least} to 2**32 - 1")
    return int(value)


def flag(keys: Mapping[str, Any], key: str, place: str) -> bool:
    value = keys.get(key, False)
    require(isinstance(value, bool), f"{place}.{key}", value, "true or false")
    return bool(value)


def text(keys: Mapping[str, Any], key: str, place: str) -> str:
    value = keys.get(key)
    require(isinstance(value, str) and value, f"{place}.{key}", value, "a text")
    return str(value)


def require_known(keys: Iterable[str], allowed: set[str], place: str) -> None:
    unknown = sorted(set(keys) - allowed)
    require(not unknown, place, unknown, f"only the keys {', '.join(sorted(allowed))}")


def require(condition: object, place: str, found: object, needed: str) -> None:
    if not condition:
        raise TopologyError(f"{place} is {found!r}; needed: {needed}")

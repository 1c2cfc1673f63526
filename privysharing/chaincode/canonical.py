"""JSON that is the same to the byte for every endorser, and that is read without surprises."""

import json
import math
import re
from typing import NoReturn, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]

# The integers that every JSON reader holds exactly (RFC 8259 section 6, RFC 7493 section 2.2).
INTEGER_MAX = 2**53 - 1
DEPTH_MAX = 64  # arrays and objects inside each other: fixed, since the parser's own limit differs between machines

# A string, also one that never ends, or a bracket. Every quote begins a match, so that no text is scanned twice.
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*(?:\\.?[^"\\]*)*(?:"|\Z)|[\[\]{}]', re.DOTALL)


class JsonError(ValueError):
    """The text is not JSON that every reader understands alike."""


def dumps(value: JsonValue) -> bytes:
    """Canonical JSON in UTF-8: keys sorted by code point, no white space, no NaN. Refuses what is not a JsonValue."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def loads(raw: bytes | str) -> JsonValue:
    """Read JSON strictly. Raises JsonError.

    Refused, because readers differ on it: a key given twice, NaN and infinities, integers beyond 2^53, lone surrogates,
    a byte order mark, and nesting deeper than DEPTH_MAX.
    """
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        _require_shallow(text)
        value: JsonValue = json.loads(
            text,
            object_pairs_hook=_object_without_twins,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_finite,
        )
        if "\\u" in text or not isinstance(raw, bytes):  # where alone surrogates can come from
            dumps(value)
    except JsonError:
        raise
    except ValueError as error:
        raise JsonError("not valid JSON in UTF-8") from error
    return value


def _require_shallow(text: str) -> None:
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        if match[0] in "[{":
            depth += 1
            if depth > DEPTH_MAX:
                raise JsonError(f"nested deeper than {DEPTH_MAX} levels")
        elif match[0] in "]}":
            depth -= 1


def _object_without_twins(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise JsonError("an object has the same key twice")
    return result


def _no_constant(name: str) -> NoReturn:
    raise JsonError(f"{name} is not a JSON number")


def _integer(digits: str) -> int:
    if len(digits) > len(str(-INTEGER_MAX)) or abs(int(digits)) > INTEGER_MAX:
        raise JsonError("an integer is beyond 2^53 - 1")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise JsonError("a number is too large")
    return number

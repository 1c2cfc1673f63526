"""How the contract's documents write things down: JSON, moments, names, keys. Written from its documentation alone."""

import json
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

Json = Any
Record = dict[str, Json]
Key = tuple[str, ...]  # the kind of a record, then what its key is made of

SECOND = 1_000_000_000  # all moments are nanoseconds since 1970
DAY = 86_400 * SECOND
LAST_MOMENT = 253_402_300_800 * SECOND - 1  # the end of year 9999
INTEGER_MAX = 2**53 - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII)
_PERSON = re.compile(r"[!-~]([ -~]{0,126}[!-~])?")
_MSP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ASSET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_REFERENCE = re.compile(r"[!-~]{1,128}")
_INVISIBLE = frozenset(("Cc", "Cf", "Zl", "Zp"))  # Unicode's categories of control, format and separator characters


class Refusal(Exception):
    """The rules say no. `code` is the contract's stable code; `why` is the judge's own remark."""

    def __init__(self, code: str, why: str = "") -> None:
        super().__init__(f"{code} ({why})" if why else code)
        self.code = code
        self.why = why


def require(condition: object, code: str, why: str = "") -> None:
    if not condition:
        raise Refusal(code, why)


_WRITER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(value: Json) -> bytes:
    return _WRITER.encode(value).encode()


def parse_json(raw: bytes) -> Json:
    """Strict JSON; ValueError for the rest. (That nesting is limited is not modelled.)"""
    text = raw.decode()
    if text.startswith("\ufeff"):
        raise ValueError("a byte order mark")
    value = _READER.decode(text)
    canonical(value)
    return value


def _object(pairs: list[tuple[str, Json]]) -> Record:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found


def _no_number(text: str) -> Json:
    raise ValueError(text)


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > INTEGER_MAX:
        raise ValueError("beyond 2^53")
    return int(digits)


_READER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_number, parse_int=_integer)


@lru_cache(maxsize=4096)
def show_moment(moment: int) -> str:
    require(0 <= moment <= LAST_MOMENT, "BAD_VALUE", "a moment outside of 1970 to 9999")
    seconds, rest = divmod(moment, SECOND)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"


@lru_cache(maxsize=4096)
def read_moment(text: str) -> int:
    match = _MOMENT.fullmatch(text)
    try:
        whole = datetime.fromisoformat(match[1] + match[3]) if match else None
    except ValueError:
        whole = None
    if match is None or whole is None:
        raise Refusal("BAD_VALUE", "not a moment")
    moment = (whole - _EPOCH) // timedelta(seconds=1) * SECOND + int((match[2] or "0").ljust(9, "0"))
    require(0 <= moment <= LAST_MOMENT, "BAD_VALUE", "a moment outside of 1970 to 9999")
    return moment


def latest_first(moment: int) -> str:
    """The part of a key that puts later moments first."""
    return f"{LAST_MOMENT - moment:021d}"


def party(text: str) -> str:
    """`<person>@<MSP id>`, checked."""
    person, at, msp_id = text.rpartition("@")
    require(at and _PERSON.fullmatch(person) and _MSP_ID.fullmatch(msp_id), "BAD_VALUE", "not a party")
    return text


def asset(text: str) -> tuple[str, str]:
    """`<owner>/<name>`, checked: the owner and the name."""
    owner, slash, name = text.rpartition("/")
    require(slash, "BAD_VALUE", "not an asset id")
    return party(owner), asset_name(name)


def asset_name(text: str) -> str:
    require(_ASSET_NAME.fullmatch(text), "BAD_VALUE", "not an asset name")
    return text


def reference(text: str) -> str:
    require(_REFERENCE.fullmatch(text), "BAD_VALUE", "not a reference")
    return text


def readable(text: str, longest: int) -> str:
    """Text for people: of limited length, with nothing in it that cannot be seen."""
    hidden = any(unicodedata.category(character) in _INVISIBLE for character in text)
    require(len(text) <= longest and not hidden, "BAD_VALUE", "not a readable text")
    return text


def key_text(key: Key) -> str:
    """A composite key of Fabric: U+0000, then each part with U+0000 behind it."""
    return "\0" + "".join(part + "\0" for part in key)


def key_parts(text: str) -> Key:
    return tuple(text[1:-1].split("\0"))

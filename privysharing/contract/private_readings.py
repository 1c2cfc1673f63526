"""Private readings: they come in the transient field, with random keys and salts, and go to `critical` alone.

The channel sees that a reading was added, when, and to which asset; its value, unit and time it never sees. Without a
salt it would: the hash of a heart rate is guessed in a millisecond.
"""

import re

from privysharing.chaincode.canonical import JsonError, JsonObject, JsonValue, loads
from privysharing.chaincode.context import Context
from privysharing.chaincode.contract import Contract, query, transaction
from privysharing.chaincode.errors import ContractError
from privysharing.chaincode.keys import composite_key
from privysharing.contract.access import require_owner
from privysharing.contract.assets import PRIVATE, active_asset, readable_asset, require_level
from privysharing.contract.critical import PrivateReading, conceal, hashes
from privysharing.contract.history import record_act
from privysharing.contract.instants import newest_first, now
from privysharing.contract.listing import PAGE_DEFAULT, page, read_page
from privysharing.contract.names import AssetId
from privysharing.contract.readings import READING, READINGS_PER_TX_MAX, parse_reading
from privysharing.contract.refusals import bad_value

TRANSIENT = "readings"  # the field of the transient map
KEY_BITS = 128
SALT_BITS = 256

_KEY = re.compile(f"[0-9a-f]{{{KEY_BITS // 4}}}")
_SALT = re.compile(f"[0-9a-f]{{{SALT_BITS // 4}}}")


class PrivateReadingFunctions(Contract):
    @transaction
    def add_private_readings(self, context: Context, asset: str) -> JsonValue:
        """Add up to 500 values to one's own private asset. Only its owner; endorsed by members of its collection.

        The transient field `readings`: [{"key": 32 random hex digits, "salt": 64 random hex digits, "value": any JSON
        but null, "unit": text, "time": RFC 3339, now if left out}]
        """
        asset_id = AssetId.parse(asset)
        me, at_ns = require_owner(context, asset_id), now(context)
        readings = [_private_reading(item, at_ns) for item in _transient_items(context)]
        if len({key for key, _ in readings}) != len(readings):
            raise _refused("a key of its own for each")
        require_level(active_asset(context, asset_id), PRIVATE)
        for index, (key, reading) in enumerate(readings):
            place = (newest_first(at_ns), context.tx_id, f"{index:04d}")
            conceal(context, composite_key(READING, *asset_id.key, *place), key, reading)
        record_act(context, at_ns, asset_id, me, "readings added", count=len(readings))
        return {"asset": str(asset_id), "added": len(readings)}

    @query
    def reading_hashes(self, context: Context, asset: str, bookmark: str = "", limit: int = PAGE_DEFAULT) -> JsonValue:
        """All that the channel has of a private asset's readings: hashes of keys and values. For whoever may read it.

        Any peer can answer, newest first. A value without a hash has outlived the collection's blocks to live.
        """
        asset_id = AssetId.parse(asset)
        require_level(readable_asset(context, asset_id), PRIVATE)
        entries, following = read_page(context, READING, *asset_id.key, bookmark=bookmark, limit=limit)
        return page((hashes(context, entry, raw) for entry, raw in entries), following)


def _transient_items(context: Context) -> list[JsonObject]:
    field = context.transient.get(TRANSIENT)
    try:
        items = [] if field is None else loads(field.disclose())
    except JsonError:
        items = None
    if not isinstance(items, list) or not 1 <= len(items) <= READINGS_PER_TX_MAX:
        raise _refused(f"transient field {TRANSIENT}, a JSON list of 1 to {READINGS_PER_TX_MAX}")
    objects = [item for item in items if isinstance(item, dict)]
    if len(objects) != len(items):
        raise _refused("a list of JSON objects")
    return objects


def _private_reading(item: JsonObject, at_ns: int) -> tuple[str, PrivateReading]:
    """The random key of a reading, and the reading."""
    match item:
        case {"key": str(key), "salt": str(salt), **rest} if _KEY.fullmatch(key) and _SALT.fullmatch(salt):
            pass
        case _:
            raise _refused(f'"key": {KEY_BITS // 4} random hex digits, and "salt": {SALT_BITS // 4}')
    try:
        reading = parse_reading(rest, at_ns)
    except ContractError as refusal:
        raise _refused(refusal.needed) from None
    return key, PrivateReading(reading.time, reading.value, reading.unit, salt)


def _refused(needed: str) -> ContractError:
    """Without what was found: refusals are logged, and go where the values may not."""
    return bad_value("a private reading", needed, "something else")

"""Readings: the values of an asset, each under a key of its own, so that sensors never collide with anybody."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from privysharing.chaincode.canonical import JsonObject, JsonValue, dumps
from privysharing.chaincode.context import Context
from privysharing.chaincode.contract import Contract, query, transaction
from privysharing.chaincode.keys import composite_key
from privysharing.contract.access import require_owner
from privysharing.contract.assets import PLAIN, PRIVATE, active_asset, readable_asset, require_level
from privysharing.contract.critical import disclose
from privysharing.contract.history import record_act
from privysharing.contract.instants import PROPOSAL_WINDOW_NS, format_instant, newest_first, now, parse_instant
from privysharing.contract.listing import PAGE_DEFAULT, read_page
from privysharing.contract.names import AssetId, free_text
from privysharing.contract.records import Record, decode, store
from privysharing.contract.refusals import bad_value

READING = "reading"  # key: owner, asset name, instant (newest first), transaction id, index

READINGS_PER_TX_MAX = 500
VALUE_BYTES_MAX = 4096  # of canonical JSON
UNIT_MAX = 32  # characters


@dataclass(frozen=True, slots=True)
class Reading(Record):
    """One value at one time. The value is any JSON but null: a number, a text, a place, a pair of pressures."""

    DOC_TYPE: ClassVar[str] = "reading"

    time: str
    value: JsonValue
    unit: str


class ReadingFunctions(Contract):
    @transaction
    def add_reading(self, context: Context, asset: str, value: JsonValue, unit: str, time: str = "") -> JsonValue:
        """Add one value to one's own asset, taken now unless a time is given. Only its owner."""
        reading: JsonObject = {"value": value, "unit": unit}
        return self._add(context, asset, [{**reading, "time": time} if time else reading])

    @transaction
    def add_readings(self, context: Context, asset: str, readings: Sequence[JsonObject]) -> JsonValue:
        """Add up to 500 values to one's own asset. Only its owner.

        readings: [{"value": any JSON but null, "unit": text, "time": RFC 3339, now if left out}]
        """
        return self._add(context, asset, readings)

    @query
    def read_asset(self, context: Context, asset: str, bookmark: str = "", limit: int = PAGE_DEFAULT) -> JsonValue:
        """An asset and a page of its readings, newest first. Its owner, or the holder of a grant that is valid now.

        Readings of a private asset are at the members of its collection; `expired` says how many of the page have
        outlived the collection's blocks to live.
        """
        asset_id = AssetId.parse(asset)
        record = readable_asset(context, asset_id)
        entries, following = read_page(context, READING, *asset_id.key, bookmark=bookmark, limit=limit)
        if record.confidentiality == PRIVATE:
            private_items, expired = disclose(context, entries)
            shown: JsonObject = {"readings": private_items, "expired": expired}
        else:
            readings = (decode(Reading, raw) for _, raw in entries)
            shown = {"readings": [{"time": r.time, "value": r.value, "unit": r.unit} for r in readings]}
        return {"asset": record.to_json(), **shown, "bookmark": following}

    def _add(self, context: Context, asset: str, items: Sequence[JsonObject]) -> JsonValue:
        asset_id = AssetId.parse(asset)
        me, at_ns = require_owner(context, asset_id), now(context)
        if not 1 <= len(items) <= READINGS_PER_TX_MAX:
            raise bad_value("number of readings", f"1 to {READINGS_PER_TX_MAX}", str(len(items)))
        readings = [parse_reading(item, at_ns) for item in items]
        require_level(active_asset(context, asset_id), PLAIN)
        for index, reading in enumerate(readings):
            place = (newest_first(parse_instant(reading.time)), context.tx_id, f"{index:04d}")
            store(context, composite_key(READING, *asset_id.key, *place), reading)
        record_act(context, at_ns, asset_id, me, "readings added", count=len(readings))
        return {"asset": str(asset_id), "added": len(readings)}


def parse_reading(item: JsonObject, at_ns: int) -> Reading:
    """A reading as a caller gives it at a moment. What a refusal needs never repeats a value; what it found may."""
    match item:
        case {"value": value, "unit": str(unit), **rest} if value is not None and set(rest) <= {"time"}:
            time = rest.get("time", format_instant(at_ns))
        case _:
            raise bad_value("reading", '{"value": ..., "unit": text, "time": RFC 3339}', _shape(item))
    if not isinstance(time, str):
        raise bad_value("time of a reading", "RFC 3339 text", _shape(time))
    if len(dumps(value)) > VALUE_BYTES_MAX:
        raise bad_value("value of a reading", f"at most {VALUE_BYTES_MAX} bytes of JSON", "a longer one")
    instant_ns = parse_instant(time)
    if instant_ns > at_ns + PROPOSAL_WINDOW_NS:
        raise bad_value("time of a reading", f"not later than {format_instant(at_ns)}", time)
    return Reading(format_instant(instant_ns), value, free_text("unit", unit, UNIT_MAX))


def _shape(value: JsonValue) -> str:
    """What a malformed reading looks like, without its values: refusals may be logged."""
    return "fields " + ", ".join(sorted(value)) if isinstance(value, dict) else type(value).__name__

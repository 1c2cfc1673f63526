"""PrivySharing's rules for readings that only the members of a collection have."""

import hashlib
import re

from tests.simulation.judge.forms import Json, Record, canonical, latest_first, parse_json, require, show_moment
from tests.simulation.judge.private import hash_of_key, private_key
from tests.simulation.judge.questions import PAGE, paged, readable
from tests.simulation.judge.rules import check_reading, existing, own_asset, require_active, require_level
from tests.simulation.judge.world import BAD_VALUE, Scene

_KEY, _SALT = re.compile("[0-9a-f]{32}"), re.compile("[0-9a-f]{64}")


def add_private_readings(scene: Scene, text: str) -> Json:
    owner, name = own_asset(scene, text)
    now, tx_id = scene.now, scene.call.tx_id
    readings = _transient(scene)
    keys = {reading["key"] for reading in readings}
    require(len(keys) == len(readings), BAD_VALUE, "a key twice")
    record = existing(scene, owner, name)
    require_active(record)
    require_level(record, "private")
    for number, reading in enumerate(readings):
        entry = ("reading", owner, name, latest_first(now), tx_id, f"{number:04d}")
        shown = scene.put(*entry, docType="reading-key", version=1, key=reading["key"])
        scene.put(*private_key(entry, shown), docType="private-reading", version=1, **_kept(reading, now))
    scene.act(owner, name, "readings added", count=len(readings))
    return {"asset": text, "added": len(readings)}


def _transient(scene: Scene) -> list[Record]:
    try:
        readings = parse_json(scene.call.transient.get("readings", b""))
    except ValueError:
        readings = None
    require(isinstance(readings, list) and 1 <= len(readings) <= 500, BAD_VALUE, "no readings, or too many")
    for reading in readings:
        require(isinstance(reading, dict) and {"key", "salt"} <= set(reading), BAD_VALUE, "without key or salt")
        key, salt = reading["key"], reading["salt"]
        require(isinstance(key, str) and _KEY.fullmatch(key), BAD_VALUE, "no key")
        require(isinstance(salt, str) and _SALT.fullmatch(salt), BAD_VALUE, "no salt")
    return list(readings)


def _kept(reading: Record, now: int) -> Record:
    moment = check_reading({name: reading[name] for name in reading if name not in ("key", "salt")}, now)
    return {"time": show_moment(moment), **{name: reading[name] for name in ("value", "unit", "salt")}}


def reading_hashes(scene: Scene, text: str, bookmark: str = "", limit: int = PAGE) -> Json:
    owner, name, record = readable(scene, text)
    require_level(record, "private")
    entries, more = paged(scene, ("reading", owner, name), bookmark, limit)
    places = [private_key(*entry) for entry in entries]
    kept = [(place, scene.get(*place)) for place in places]
    items = [{"key_hash": hash_of_key(place), "value_hash": _hash(record) if record else ""} for place, record in kept]
    return {"items": items, "bookmark": more}


def _hash(record: Record) -> str:
    return hashlib.sha256(canonical(record)).hexdigest()

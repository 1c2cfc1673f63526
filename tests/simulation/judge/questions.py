"""PrivySharing's rules for whoever asks, one function a query: no, or the answer."""

from collections.abc import Sequence

from tests.simulation.judge.forms import Json, Key, Record, asset, key_text, party, read_moment, require
from tests.simulation.judge.private import private_key
from tests.simulation.judge.rules import existing, own_asset, settings_of
from tests.simulation.judge.world import ACCESS_DENIED, BAD_VALUE, Scene

PAGE = 100
STATUSES = ("open", "granted", "declined", "cancelled", "expired")


def read_asset(scene: Scene, text: str, bookmark: str = "", limit: int = PAGE) -> Json:
    owner, name, record = readable(scene, text)
    entries, more = paged(scene, ("reading", owner, name), bookmark, limit)
    if record["confidentiality"] == "private":
        readings = [scene.get(*private_key(*entry)) for entry in entries]
        shown = [_shown(reading) for reading in readings if reading is not None]
        return {"asset": record, "readings": shown, "expired": len(readings) - len(shown), "bookmark": more}
    return {"asset": record, "readings": [_shown(reading) for _, reading in entries], "bookmark": more}


def _shown(reading: Record) -> Record:
    return {field: reading[field] for field in ("time", "value", "unit")}


def get_asset(scene: Scene, text: str) -> Json:
    return readable(scene, text)[2]


def readable(scene: Scene, text: str) -> tuple[str, str, Record]:
    """Owner, name and record of an asset that the caller may read."""
    owner, name = asset(text)
    if scene.me != owner:
        grant = scene.get("grant", owner, name, scene.me)
        require(grant and holds(grant, scene.call.moments), ACCESS_DENIED, "no grant that is valid now")
    record = existing(scene, owner, name)
    require(record["status"] != "deleting" or scene.me == owner, ACCESS_DENIED, "being deleted")
    return owner, name, record


def holds(grant: Record, moments: Sequence[int]) -> bool:
    """Whether a grant is valid by every clock."""
    first, end = read_moment(grant["not_before"]), read_moment(grant["not_after"])
    return grant["status"] == "active" and first <= min(moments) and max(moments) < end


def list_my_assets(scene: Scene, bookmark: str = "", limit: int = PAGE) -> Json:
    found, more = paged(scene, ("asset", scene.me), bookmark, limit)
    return {"items": [record for _, record in found], "bookmark": more}


def asset_history(scene: Scene, text: str, bookmark: str = "", limit: int = PAGE) -> Json:
    found, more = paged(scene, ("journal", *own_asset(scene, text)), bookmark, limit)
    return {"items": [record for _, record in found], "bookmark": more}


def list_transactions(scene: Scene, bookmark: str = "", limit: int = PAGE) -> Json:
    require(scene.call.who.admin or scene.call.who.auditor, ACCESS_DENIED, "neither admin nor auditor")
    found, more = paged(scene, ("journal",), bookmark, limit)
    shown = [{field: act[field] for field in ("act", "asset", "by", "time", "tx_id")} for _, act in found]
    return {"items": shown, "bookmark": more}


def list_grants(scene: Scene, text: str, bookmark: str = "", limit: int = PAGE) -> Json:
    found, more = paged(scene, ("grant", *own_asset(scene, text)), bookmark, limit)
    return {"items": [{**grant, "valid": holds(grant, scene.call.moments)} for _, grant in found], "bookmark": more}


def list_shared_with_me(scene: Scene, bookmark: str = "", limit: int = PAGE) -> Json:
    found, more = paged(scene, ("granted", scene.me), bookmark, limit)
    items = []
    for (_, _, owner, name), _ in found:
        grant = scene.get("grant", owner, name, scene.me)
        if grant and holds(grant, scene.call.moments):
            record = existing(scene, owner, name)
            if record["status"] != "deleting":
                items.append({**record, "not_after": grant["not_after"], "purpose": grant["purpose"]})
    return {"items": items, "bookmark": more}


def list_requests(scene: Scene, text: str = "", bookmark: str = "", limit: int = PAGE, status: str = "open") -> Json:
    require(status in (*STATUSES, "all"), BAD_VALUE, "no such status")
    place = own_asset(scene, text) if text else (scene.me,)
    found, more = paged(scene, ("request", *place), bookmark, limit)
    shown = [_as_of_now(scene, request) for _, request in found]
    return {"items": [request for request in shown if status in (request["status"], "all")], "bookmark": more}


def list_my_requests(scene: Scene, bookmark: str = "", limit: int = PAGE) -> Json:
    found, more = paged(scene, ("requested", scene.me), bookmark, limit)
    requests = [scene.get("request", owner, name, scene.me) for (_, _, owner, name), _ in found]
    return {"items": [_as_of_now(scene, request) for request in requests if request], "bookmark": more}


def _as_of_now(scene: Scene, request: Record) -> Record:
    late = request["status"] == "open" and max(scene.call.moments) >= read_moment(request["expires_at"])
    return {**request, "status": "expired"} if late else request


def my_coins(scene: Scene) -> Json:
    coins = [coin for _, coin in scene.on_shelf("coin", scene.me)]
    coins.sort(key=lambda coin: (-coin["amount"], coin["id"]))
    listed = [{"id": coin["id"], "amount": coin["amount"]} for coin in coins[:1000]]
    return {"total": sum(coin["amount"] for coin in coins), "count": len(coins), "coins": listed}


def audit_coins(scene: Scene) -> Json:
    who = scene.call.who
    require(who.of_the_ministry or who.admin or who.auditor, ACCESS_DENIED, "neither Ministry, admin nor auditor")
    held, escrowed, minted, burned = (
        sum(record["amount"] for _, record in scene.on_shelf(kind)) for kind in ("coin", "escrow", "mint", "burn")
    )
    sums = {"minted": minted, "held": held, "escrowed": escrowed, "burned": burned}
    return {**sums, "balanced": minted == held + escrowed + burned}


def get_profile(scene: Scene, whose: str = "") -> Json:
    require(not whose or party(whose) == scene.me, ACCESS_DENIED, "somebody else's profile")
    untouched = {"docType": "profile", "version": 1, "party": scene.me, "fields": {}, "updated_at": ""}
    return scene.get("profile", scene.me) or untouched


def get_settings(scene: Scene) -> Json:
    return settings_of(scene)


def paged(scene: Scene, start: Key, bookmark: str, limit: int) -> tuple[list[tuple[Key, Record]], str]:
    """Entries behind the bookmark, which is the last key of the page before in hex, and the bookmark of the next."""
    require(1 <= limit <= 1000, BAD_VALUE, "no length of a page")
    after = _bookmarked(start, bookmark)
    found = [entry for entry in scene.on_shelf(*start) if key_text(entry[0]) > after]
    shown = found[:limit]
    return shown, key_text(shown[-1][0]).encode().hex() if len(found) > limit else ""


def _bookmarked(start: Key, bookmark: str) -> str:
    if not bookmark:
        return ""
    try:
        after = bytes.fromhex(bookmark).decode()
    except ValueError:
        after = ""
    inside = after.startswith(key_text(start)) and after != key_text(start) and "\U0010ffff" not in after
    require(inside and after.encode().hex() == bookmark, BAD_VALUE, "a bookmark of another list")
    return after

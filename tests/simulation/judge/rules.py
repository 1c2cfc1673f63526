"""PrivySharing's rules for whoever would change something, one function a transaction: no, or what it answers.

Each looks at the world as it was, and collects in the scene what becomes of it. Nothing is changed by a refusal.
"""

from tests.simulation.judge.forms import (
    DAY,
    SECOND,
    Json,
    Record,
    Refusal,
    asset,
    asset_name,
    canonical,
    latest_first,
    party,
    read_moment,
    readable,
    reference,
    require,
    show_moment,
)
from tests.simulation.judge.private import hash_of_key, private_key
from tests.simulation.judge.world import ACCESS_DENIED, BAD_VALUE, Scene

TYPES = {
    "health": ["heart_rate", "blood_sugar", "blood_alcohol", "body_temperature", "blood_pressure"],
    "transport": ["car_location", "car_status", "service_history"],
    "energy": ["meter_reading", "solar_output"],
    "security": ["camera_event", "intrusion_alert", "smoke_alarm"],
    "finance": ["income", "expense", "tax_record"],
}
ALL_TYPES = [asset_type for types in TYPES.values() for asset_type in types]
CONFIDENTIALITIES = ("plain", "private", "encrypted", "signed-encrypted")
AVAILABLE = ("plain", "private")
EARLY = 600 * SECOND  # how far ahead of its transaction a reading may be dated
DELETED_AT_ONCE = 1000  # readings and grants of an asset


def settings_of(scene: Scene) -> Record:
    types = TYPES.get(scene.world.channel, ALL_TYPES)
    untouched = {"asset_types": types, "settlement": "immediate", "request_days": 30, "day_seconds": 86_400}
    return scene.get("settings") or {"docType": "settings", "version": 1, **untouched}


def own_asset(scene: Scene, text: str) -> tuple[str, str]:
    owner, name = asset(text)
    require(owner == scene.me, ACCESS_DENIED, "not the owner")
    return owner, name


def existing(scene: Scene, owner: str, name: str) -> Record:
    found = scene.get("asset", owner, name)
    if found is None:
        raise Refusal("ASSET_NOT_FOUND", f"{owner}/{name}")
    return found


def require_active(record: Record) -> None:
    require(record["status"] == "active", "ASSET_NOT_ACTIVE", record["status"])


def require_level(record: Record, confidentiality: str) -> None:
    require(record["confidentiality"] == confidentiality, "OTHER_CONFIDENTIALITY", record["confidentiality"])


# Assets and readings


def create_asset(scene: Scene, kind: str, name: str, confidentiality: str = "plain", description: str = "") -> Json:
    asset_name(name)
    created = show_moment(scene.now)
    require(kind in settings_of(scene)["asset_types"], BAD_VALUE, "a type that this channel does not carry")
    require(confidentiality in CONFIDENTIALITIES, BAD_VALUE, "no confidentiality")
    require(confidentiality in AVAILABLE, "NOT_AVAILABLE")
    require(scene.get("asset", scene.me, name) is None, "ASSET_EXISTS", name)
    record = scene.put(
        *("asset", scene.me, name),
        docType="asset",
        version=1,
        id=f"{scene.me}/{name}",
        type=kind,
        owner=scene.me,
        creator=scene.me,
        channel=scene.world.channel,
        confidentiality=confidentiality,
        created_at=created,
        status="active",
        description=readable(description, 256),
    )
    scene.act(scene.me, name, "created", type=kind, confidentiality=confidentiality)
    scene.event = "AssetCreated", {"asset": record["id"]}
    return record


def update_asset(scene: Scene, text: str, wanted: Record) -> Json:
    owner, name = own_asset(scene, text)
    record = existing(scene, owner, name)
    require(record["status"] != "deleting", "ASSET_NOT_ACTIVE", "deleting")
    for field, value in wanted.items():
        require(field in ("status", "description") and isinstance(value, str), BAD_VALUE, f"no change: {field}")
        require(field != "status" or value in ("active", "retired"), BAD_VALUE, "no status")
        require(field != "description" or readable(value, 256) == value, BAD_VALUE)
    record = scene.put("asset", owner, name, **{**record, **wanted})
    scene.act(owner, name, "updated", changed=sorted(wanted), status=record["status"])
    return record


def add_reading(scene: Scene, text: str, value: Json, unit: str, time: str = "") -> Json:
    return add_readings(scene, text, [{"value": value, "unit": unit, **({"time": time} if time else {})}])


def add_readings(scene: Scene, text: str, readings: list[Record]) -> Json:
    owner, name = own_asset(scene, text)
    require(1 <= len(readings) <= 500, BAD_VALUE, "too few or too many readings")
    for number, reading in enumerate(readings):
        moment = check_reading(reading, scene.now)
        scene.put(
            *("reading", owner, name, latest_first(moment), scene.call.tx_id, f"{number:04d}"),
            docType="reading",
            version=1,
            time=show_moment(moment),
            value=reading["value"],
            unit=reading["unit"],
        )
    record = existing(scene, owner, name)
    require_active(record)
    require_level(record, "plain")
    scene.act(owner, name, "readings added", count=len(readings))
    return {"asset": text, "added": len(readings)}


def check_reading(reading: Record, now: int) -> int:
    """When it was taken."""
    known = {"value", "unit"} <= set(reading) <= {"value", "unit", "time"}
    require(known and reading["value"] is not None and isinstance(reading["unit"], str), BAD_VALUE, "not a reading")
    time = reading.get("time", show_moment(now))
    require(isinstance(time, str) and len(canonical(reading["value"])) <= 4096, BAD_VALUE, "not a reading")
    moment = read_moment(time)
    require(moment <= now + EARLY, BAD_VALUE, "a reading of the future")
    readable(reading["unit"], 32)
    return moment


def delete_asset(scene: Scene, text: str, requesters: list[str] | None = None) -> Json:
    """Algorithm 3."""
    owner, name = own_asset(scene, text)
    record = existing(scene, owner, name)
    declined = requesters or []
    require(len(declined) == len(set(declined)) and len(declined) <= 100, BAD_VALUE, "one named twice, or too many")
    for requester in declined:
        close(scene, owner, name, party(requester), "declined")
    rest = [*scene.on_shelf("grant", owner, name), *scene.on_shelf("reading", owner, name)]
    private = record["confidentiality"] == "private"
    purged = []
    for key, entry in rest[:DELETED_AT_ONCE]:
        scene.remove(*key)
        if key[0] == "grant":
            scene.remove("granted", key[3], owner, name)
        elif private:
            purged.append(hash_of_key(private_key(key, entry)))
            scene.remove(*private_key(key, entry))
    if len(rest) <= DELETED_AT_ONCE:
        scene.remove("asset", owner, name)
        scene.event = "AssetDeleted", {"asset": text}
        outcome = "deleted"
    else:
        scene.put("asset", owner, name, **{**record, "status": "deleting"})
        outcome = "deleting"
    scene.act(owner, name, outcome, **({"purged": len(purged)} if private else {}))
    return {"asset": text, "status": outcome, **({"purged": purged} if private else {})}


# Coins


def mint_coins(scene: Scene, to: str, amount: int, payment: str) -> Json:
    require(scene.call.who.of_the_ministry, ACCESS_DENIED, "only the Ministry mints")
    issue = _issue(scene, "mint", payment, party(to), amount)
    scene.pay(to, amount)
    return {**issue, "by": scene.me}


def burn_coins(scene: Scene, amount: int, payout: str, coins: list[str]) -> Json:
    require(scene.call.who.of_the_ministry, ACCESS_DENIED, "only the Ministry burns")
    issue = _issue(scene, "burn", payout, scene.me, amount)
    scene.spend(coins, amount)
    return issue


def transfer_coins(scene: Scene, to: str, amount: int, coins: list[str]) -> Json:
    party(to)
    _check_amount(amount)
    scene.spend(coins, amount)
    scene.pay(to, amount)
    return {"to": to, "amount": amount}


def _check_amount(amount: int) -> None:
    require(1 <= amount <= 10**12, BAD_VALUE, "no such amount")


def _issue(scene: Scene, kind: str, why: str, who: str, amount: int) -> Record:
    _check_amount(amount)
    require(scene.get(kind, reference(why)) is None, "REFERENCE_USED", why)
    terms = {"reference": why, "party": who, "amount": amount}
    moment = show_moment(scene.now)
    return scene.put(kind, why, docType="issue", version=1, **terms, time=moment, tx_id=scene.call.tx_id)


# Requests and sharing


def file_request(scene: Scene, text: str, days: int, purpose: str, coins: list[str]) -> Json:
    owner, name = asset(text)
    now, me, tx_id = scene.now, scene.me, scene.call.tx_id
    _check_days(days)
    require(readable(purpose, 256).strip(), BAD_VALUE, "no purpose")
    require(owner != me, BAD_VALUE, "one's own asset")
    before = scene.get("request", owner, name, me)
    require(before is None or before["status"] != "open", "REQUEST_OPEN")
    scene.spend(coins, days)
    scene.put("escrow", tx_id, docType="escrow", version=1, request_id=tx_id, payer=me, amount=days)
    settings = settings_of(scene)
    request = scene.put(
        *("request", owner, name, me),
        docType="request",
        version=1,
        asset=text,
        requester=me,
        days=days,
        purpose=purpose,
        coins=days,
        filed_at=show_moment(now),
        expires_at=show_moment(now + settings["request_days"] * DAY),
        request_id=tx_id,
        day_seconds=settings["day_seconds"],
        status="open",
    )
    scene.put("requested", me, owner, name)
    scene.act(owner, name, "requested", days=days, purpose=purpose)
    scene.event = "AccessRequested", {"asset": text, "requester": me}
    return request


def decline_request(scene: Scene, text: str, requester: str) -> Json:
    owner, name = asset(text)
    party(requester)
    own_asset(scene, text)
    return _answer_closed(scene, owner, name, requester, "declined")


def cancel_request(scene: Scene, text: str) -> Json:
    owner, name = asset(text)
    return _answer_closed(scene, owner, name, scene.me, "cancelled")


def _answer_closed(scene: Scene, owner: str, name: str, requester: str, status: str) -> Json:
    closed = close(scene, owner, name, requester, status)
    scene.act(owner, name, f"request {closed['status']}", requester=requester)
    told = {"asset": closed["asset"], "requester": requester, "status": closed["status"]}
    scene.event = "RequestClosed", told
    return closed


def close(scene: Scene, owner: str, name: str, requester: str, status: str) -> Record:
    """End an open request without a grant: its coins go back to who paid."""
    request = scene.get("request", owner, name, requester)
    if request is None or request["status"] != "open":
        raise Refusal("REQUEST_NOT_OPEN", request["status"] if request else "none")
    escrow = _take_escrow(scene, request["request_id"])
    scene.pay(escrow["payer"], escrow["amount"])
    late = scene.now >= read_moment(request["expires_at"])
    return scene.put("request", owner, name, requester, **{**request, "status": "expired" if late else status})


def _take_escrow(scene: Scene, request_id: str) -> Record:
    escrow = scene.get("escrow", request_id)
    if escrow is None:
        raise Refusal("NO_ESCROW", "an open request without its coins")
    scene.remove("escrow", request_id)
    return escrow


def _check_days(days: int) -> None:
    require(1 <= days <= 3650, BAD_VALUE, "no number of days")


def share_asset(scene: Scene, kind: str, text: str, days: int, stakeholders: list[str]) -> Json:
    """Algorithm 1."""
    owner, name = own_asset(scene, text)
    require(1 <= len(stakeholders) <= 100, BAD_VALUE, "no stakeholders, or too many")
    require(owner not in [party(stakeholder) for stakeholder in stakeholders], BAD_VALUE, "the owner himself")
    _check_days(days)
    record = existing(scene, owner, name)
    require_active(record)
    require(record["type"] == kind, BAD_VALUE, "an asset of another type")
    told = [_share_with(scene, (owner, name), days, who) for who in dict.fromkeys(stakeholders)]
    shared = [entry["stakeholder"] for entry in told if entry["message"] == "data shared"]
    if shared:
        scene.act(owner, name, "shared", days=days, stakeholders=shared)
        scene.event = "AssetShared", {"asset": text, "stakeholders": shared}
    return {"asset": text, "days": days, "stakeholders": told}


def _share_with(scene: Scene, place: tuple[str, str], days: int, who: str) -> Record:
    now, clocks = scene.now, scene.call.moments
    grant = scene.get("grant", *place, who)
    if grant and grant["status"] == "active" and now < read_moment(grant["not_after"]):
        return {"stakeholder": who, "message": "data already shared", "not_after": grant["not_after"]}
    request = scene.get("request", *place, who)
    if request is None or request["status"] != "open":
        raise Refusal("NOT_ENOUGH_COINS", f"no open request by {who}")
    require(max(clocks) < read_moment(request["expires_at"]), "NOT_ENOUGH_COINS", f"a request by {who} that expired")
    require(request["coins"] >= days, "NOT_ENOUGH_COINS", f"{request['coins']} coins of {who} for {days} days")
    end = now + days * request["day_seconds"] * SECOND
    require(end > max(clocks), "GRANT_OVER")
    escrow = _take_escrow(scene, request["request_id"])
    scene.pay(place[0], days)
    scene.pay(escrow["payer"], escrow["amount"] - days)
    scene.put(
        *("grant", *place, who),
        docType="grant",
        version=1,
        asset="/".join(place),
        grantee=who,
        purpose=request["purpose"],
        not_before=show_moment(now),
        not_after=show_moment(end),
        days=days,
        request_id=request["request_id"],
        status="active",
        revoked_at="",
    )
    scene.put("granted", who, *place)
    scene.put("request", *place, who, **{**request, "status": "granted"})
    return {"stakeholder": who, "message": "data shared", "not_after": show_moment(end)}


def revoke_grant(scene: Scene, text: str, stakeholder: str) -> Json:
    """Algorithm 2."""
    owner, name = asset(text)
    party(stakeholder)
    own_asset(scene, text)
    grant = scene.get("grant", owner, name, stakeholder)
    if grant is None or grant["status"] != "active":
        raise Refusal("GRANT_NOT_FOUND", grant["status"] if grant else "none")
    ended = {**grant, "status": "revoked", "revoked_at": show_moment(scene.now)}
    scene.put("grant", owner, name, stakeholder, **ended)
    scene.put("granted", stakeholder, owner, name)
    scene.act(owner, name, "revoked", stakeholder=stakeholder)
    scene.event = "GrantRevoked", {"asset": text, "stakeholder": stakeholder}
    return ended


# Profiles and settings


def set_profile(scene: Scene, fields: Record, whose: str = "") -> Json:
    require(not whose or party(whose) == scene.me, ACCESS_DENIED, "somebody else's profile")
    moment = show_moment(scene.now)
    require(len(canonical(fields)) <= 16 * 1024, BAD_VALUE, "too large a profile")
    scene.put("profile", scene.me, docType="profile", version=1, party=scene.me, fields=fields, updated_at=moment)
    return {"party": scene.me, "updated_at": moment}


def configure_channel(scene: Scene, wanted: Record) -> Json:
    require(scene.call.who.of_the_ministry and scene.call.who.admin, ACCESS_DENIED, "not the Ministry's admin")
    for name, value in sorted(wanted.items()):
        require(not (name == "settlement" and value == "vesting"), "NOT_AVAILABLE")
        require(_is_setting(name, value), BAD_VALUE, f"no such setting: {name}")
    types = {"asset_types": sorted(set(wanted["asset_types"]))} if "asset_types" in wanted else {}
    return scene.put("settings", **{**settings_of(scene), **wanted, **types})


def _is_setting(name: str, value: Json) -> bool:
    match name:
        case "asset_types":
            return isinstance(value, list) and value != [] and all(kind in ALL_TYPES for kind in value)
        case "settlement":
            return bool(value == "immediate")
        case "request_days" | "day_seconds":
            most = 365 if name == "request_days" else 86_400
            return type(value) is int and 1 <= value <= most
    return False

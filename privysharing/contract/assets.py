"""Data assets: what a citizen owns. An asset says what kind of data it is; its readings hold the values."""

from dataclasses import dataclass, replace
from typing import ClassVar

from privysharing.chaincode.canonical import JsonObject, JsonValue
from privysharing.chaincode.context import Context
from privysharing.chaincode.contract import Contract, query, transaction
from privysharing.chaincode.errors import ContractError
from privysharing.chaincode.keys import composite_key
from privysharing.contract.access import caller, require_owner, require_reader
from privysharing.contract.critical import require_collection
from privysharing.contract.history import record_act
from privysharing.contract.instants import format_instant, now
from privysharing.contract.listing import PAGE_DEFAULT, page, read_page
from privysharing.contract.names import AssetId, free_text
from privysharing.contract.records import Record, decode, load, store
from privysharing.contract.refusals import bad_value, not_available
from privysharing.contract.settings import settings_of

ASSET = "asset"  # key: owner, asset name

PLAIN = "plain"
PRIVATE = "private"
AVAILABLE = (PLAIN, PRIVATE)
CONFIDENTIALITIES = (*AVAILABLE, "encrypted", "signed-encrypted")

ACTIVE = "active"
RETIRED = "retired"  # no new readings and no new grants; those who have paid still read
DELETING = "deleting"  # too large to delete in one transaction: only its owner may finish it

DESCRIPTION_MAX = 256  # characters


@dataclass(frozen=True, slots=True)
class Asset(Record):
    """`creator` is the owner, or whom he delegated. Where the values are follows the confidentiality."""

    DOC_TYPE: ClassVar[str] = "asset"

    id: str
    type: str
    owner: str
    creator: str
    channel: str
    confidentiality: str
    created_at: str
    status: str = ACTIVE
    description: str = ""


def asset_key(asset_id: AssetId) -> str:
    return composite_key(ASSET, *asset_id.key)


def existing_asset(context: Context, asset_id: AssetId) -> Asset:
    """The asset, for whom access has been granted already: only he may learn that there is none."""
    asset = load(context, Asset, asset_key(asset_id))
    if asset is None:
        raise ContractError(
            "ASSET_NOT_FOUND", "there is no such asset", needed="an asset", found=str(asset_id), status=404
        )
    return asset


def active_asset(context: Context, asset_id: AssetId) -> Asset:
    """The asset, when it takes readings and grants."""
    asset = existing_asset(context, asset_id)
    if asset.status != ACTIVE:
        raise ContractError(
            "ASSET_NOT_ACTIVE", "the asset is not active", needed=ACTIVE, found=asset.status, status=409
        )
    return asset


def readable_asset(context: Context, asset_id: AssetId) -> Asset:
    """The asset, for whoever may read it now; while it is being deleted, for its owner."""
    require_reader(context, asset_id)
    asset = existing_asset(context, asset_id)
    if asset.status == DELETING:
        require_owner(context, asset_id)
    return asset


def require_level(asset: Asset, confidentiality: str) -> None:
    """Refuse a function that is for assets of another confidentiality."""
    if asset.confidentiality != confidentiality:
        raise ContractError(
            "OTHER_CONFIDENTIALITY",
            "the asset keeps its readings elsewhere",
            needed=f"an asset that is {confidentiality}",
            found=f"one that is {asset.confidentiality}",
            status=409,
        )


class AssetFunctions(Contract):
    @transaction
    def create_asset(
        self, context: Context, asset_type: str, name: str, confidentiality: str = PLAIN, description: str = ""
    ) -> JsonValue:
        """Create a data asset of the caller's. Its id is <owner>/<name>; the channel decides which types there are.

        confidentiality: where its readings are kept, `plain` (every member of the channel) or `private` (the
        organisations concerned).
        """
        me = caller(context)
        asset_id, at_ns = AssetId(me, name), now(context)
        _require_type(context, asset_type)
        _require_confidentiality(context, confidentiality)
        if context.get(asset_key(asset_id)) is not None:
            raise ContractError(
                "ASSET_EXISTS", "there is such an asset already", needed="a new name", found=name, status=409
            )
        asset = Asset(
            id=str(asset_id),
            type=asset_type,
            owner=str(me),
            creator=str(me),
            channel=context.channel_id,
            confidentiality=confidentiality,
            created_at=format_instant(at_ns),
            description=free_text("description", description, DESCRIPTION_MAX),
        )
        store(context, asset_key(asset_id), asset)
        record_act(context, at_ns, asset_id, me, "created", type=asset_type, confidentiality=confidentiality)
        context.emit("AssetCreated", {"asset": str(asset_id)})
        return asset.to_json()

    @transaction
    def update_asset(self, context: Context, asset: str, changes: JsonObject) -> JsonValue:
        """Change one's own asset. Only its owner.

        changes: {"status": "active" or "retired", "description": text}; what is not named stays.
        """
        asset_id = AssetId.parse(asset)
        me, at_ns = require_owner(context, asset_id), now(context)
        before = existing_asset(context, asset_id)
        if before.status == DELETING:
            raise ContractError(
                "ASSET_NOT_ACTIVE", "the asset is being deleted", needed=ACTIVE, found=DELETING, status=409
            )
        after = before
        for field, value in sorted(changes.items()):
            after = _changed(after, field, value)
        store(context, asset_key(asset_id), after)
        record_act(context, at_ns, asset_id, me, "updated", changed=[*sorted(changes)], status=after.status)
        return after.to_json()

    @query
    def get_asset(self, context: Context, asset: str) -> JsonValue:
        """An asset without its readings. Its owner, or the holder of a grant that is valid now."""
        return readable_asset(context, AssetId.parse(asset)).to_json()

    @query
    def list_my_assets(self, context: Context, bookmark: str = "", limit: int = PAGE_DEFAULT) -> JsonValue:
        """The caller's own assets, without their readings."""
        entries, following = read_page(context, ASSET, str(caller(context)), bookmark=bookmark, limit=limit)
        return page((decode(Asset, raw).to_json() for _, raw in entries), following)


def _require_type(context: Context, asset_type: str) -> None:
    allowed = settings_of(context).asset_types
    if asset_type not in allowed:
        raise bad_value("asset type", "on this channel one of " + ", ".join(allowed), repr(asset_type))


def _require_confidentiality(context: Context, confidentiality: str) -> None:
    if confidentiality not in CONFIDENTIALITIES:
        raise bad_value("confidentiality", "one of " + ", ".join(CONFIDENTIALITIES), repr(confidentiality))
    if confidentiality == PRIVATE:
        require_collection(context)
    elif confidentiality not in AVAILABLE:
        raise not_available(f"confidentiality {confidentiality}", " or ".join(AVAILABLE))


def _changed(asset: Asset, field: str, value: JsonValue) -> Asset:
    match field, value:
        case "status", str(status) if status in (ACTIVE, RETIRED):
            return replace(asset, status=status)
        case "description", str(text):
            return replace(asset, description=free_text("description", text, DESCRIPTION_MAX))
    raise bad_value(f"change of {field[:40]}", "status active or retired; description text", repr(value))

"""Access requests: a stakeholder asks for an asset for some days, and sets the coins for it aside.

One request per (asset, requester) under a key of its own, its coins in an escrow of its own. A request never looks at
the asset: filing one tells nobody whether the asset exists. Declining, cancelling and expiry give every coin back; only
a share by the owner (`sharing`) spends it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from privysharing.chaincode.canonical import JsonObject, JsonValue
from privysharing.chaincode.context import Context
from privysharing.chaincode.contract import Contract, query, transaction
from privysharing.chaincode.errors import ContractError
from privysharing.chaincode.keys import composite_key, split
from privysharing.contract.access import caller, require_owner
from privysharing.contract.coins import Outputs, pay_from, put_in_escrow, take_from_escrow
from privysharing.contract.history import record_act
from privysharing.contract.instants import DAY_NS, format_instant, moments, now, parse_instant
from privysharing.contract.listing import PAGE_DEFAULT, page, read_page
from privysharing.contract.names import AssetId, Party, free_text
from privysharing.contract.records import Record, decode, load, store
from privysharing.contract.refusals import bad_value
from privysharing.contract.settings import settings_of

REQUEST = "request"  # key: owner, asset name, requester
REQUEST_INDEX = "requested"  # index by requester: requester, owner, asset name

OPEN = "open"
GRANTED = "granted"
DECLINED = "declined"
CANCELLED = "cancelled"
EXPIRED = "expired"
STATUSES = (OPEN, GRANTED, DECLINED, CANCELLED, EXPIRED)
ALL = "all"

COINS_PER_ASSET_DAY = 1
DAYS_MAX = 3650
PURPOSE_MAX = 256  # characters


@dataclass(frozen=True, slots=True)
class Request(Record):
    """`request_id` is the id of the transaction that filed it, and names its escrow.

    `day_seconds` is how long each of the days lasts: what was asked and paid for does not change afterwards.
    """

    DOC_TYPE: ClassVar[str] = "request"

    asset: str
    requester: str
    days: int
    purpose: str
    coins: int
    filed_at: str
    expires_at: str
    request_id: str
    day_seconds: int
    status: str = OPEN

    def has_expired(self, *moments_ns: int) -> bool:
        """Whether any clock says that it is too late to answer."""
        expires_ns = parse_instant(self.expires_at)
        return any(moment >= expires_ns for moment in moments_ns)


def _key(asset_id: AssetId, requester: Party) -> str:
    return composite_key(REQUEST, *asset_id.key, str(requester))


def require_days(days: int) -> int:
    if not 1 <= days <= DAYS_MAX:
        raise bad_value("number of days", f"1 to {DAYS_MAX}", str(days))
    return days


def find_request(context: Context, asset_id: AssetId, requester: Party) -> Request | None:
    return load(context, Request, _key(asset_id, requester))


def store_request(context: Context, asset_id: AssetId, requester: Party, request: Request) -> None:
    store(context, _key(asset_id, requester), request)


def close_request(context: Context, asset_id: AssetId, requester: Party, status: str, outputs: Outputs) -> Request:
    """End an open request without a share: every coin goes back to its payer, whoever closes it."""
    request = find_request(context, asset_id, requester)
    if request is None or request.status != OPEN:
        raise ContractError(
            "REQUEST_NOT_OPEN",
            "there is no open request",
            needed=f"an open request by {requester} for {asset_id}",
            found=request.status if request else "none",
            status=404,
        )
    escrow = take_from_escrow(context, request.request_id)
    outputs.pay(Party.parse(escrow.payer), escrow.amount)
    closed = replace(request, status=EXPIRED if request.has_expired(context.timestamp_ns) else status)
    store_request(context, asset_id, requester, closed)
    return closed


class RequestFunctions(Contract):
    @transaction
    def file_request(self, context: Context, asset: str, days: int, purpose: str, coins: Sequence[str]) -> JsonValue:
        """Ask an owner for access to an asset, and set one coin per day aside for it.

        coins: ids of the caller's unspent coins that pay, as MyCoins lists them; change comes back. The owner answers
        with ShareAsset or DeclineRequest; until then CancelRequest gives the coins back.
        """
        asset_id, me, at_ns = AssetId.parse(asset), caller(context), now(context)
        price = require_days(days) * COINS_PER_ASSET_DAY
        if not free_text("purpose", purpose, PURPOSE_MAX).strip():
            raise bad_value("purpose", "a text that says what for", repr(purpose))
        if me == asset_id.owner:
            raise bad_value("request", "an asset of somebody else's", "one's own")
        self._require_none_open(context, asset_id, me)
        pay_from(context, me, coins, price)
        put_in_escrow(context, context.tx_id, me, price)
        settings = settings_of(context)
        request = Request(
            asset=str(asset_id),
            requester=str(me),
            days=days,
            purpose=purpose,
            coins=price,
            filed_at=format_instant(at_ns),
            expires_at=format_instant(at_ns + settings.request_days * DAY_NS),
            request_id=context.tx_id,
            day_seconds=settings.day_seconds,
        )
        store_request(context, asset_id, me, request)
        context.put(composite_key(REQUEST_INDEX, str(me), *asset_id.key), b"{}")
        record_act(context, at_ns, asset_id, me, "requested", days=days, purpose=purpose)
        context.emit("AccessRequested", {"asset": str(asset_id), "requester": str(me)})
        return request.to_json()

    @transaction
    def decline_request(self, context: Context, asset: str, requester: str) -> JsonValue:
        """Refuse a request for one's own asset; its coins go back to the requester. Only the asset's owner."""
        asset_id, party = AssetId.parse(asset), Party.parse(requester)
        me = require_owner(context, asset_id)
        return self._close(context, asset_id, party, me, DECLINED)

    @transaction
    def cancel_request(self, context: Context, asset: str) -> JsonValue:
        """Take one's own open request back, also after it expired or the asset was deleted; its coins come back."""
        me = caller(context)
        return self._close(context, AssetId.parse(asset), me, me, CANCELLED)

    @query
    def list_requests(
        self, context: Context, asset: str = "", bookmark: str = "", limit: int = PAGE_DEFAULT, status: str = OPEN
    ) -> JsonValue:
        """Requests for the caller's own assets, or for one of them, that wait for an answer. Only their owner.

        status: another one to look for, or `all`. A page may hold fewer items than `limit`, even none; the bookmark
        tells whether more follow.
        """
        if status not in (*STATUSES, ALL):
            raise bad_value("status", "one of " + ", ".join((*STATUSES, ALL)), repr(status))
        if asset:
            asset_id = AssetId.parse(asset)
            require_owner(context, asset_id)
            attributes: tuple[str, ...] = asset_id.key
        else:
            attributes = (str(caller(context)),)
        entries, following = read_page(context, REQUEST, *attributes, bookmark=bookmark, limit=limit)
        shown = (_shown(context, decode(Request, raw)) for _, raw in entries)
        return page((request for request in shown if status in (request["status"], ALL)), following)

    @query
    def list_my_requests(self, context: Context, bookmark: str = "", limit: int = PAGE_DEFAULT) -> JsonValue:
        """Requests that the caller has filed, for whatever asset."""
        me = caller(context)
        entries, following = read_page(context, REQUEST_INDEX, str(me), bookmark=bookmark, limit=limit)
        assets = (split(key)[1][1:] for key, _ in entries)
        requests = (find_request(context, AssetId(Party.parse(owner), name), me) for owner, name in assets)
        return page((_shown(context, request) for request in requests if request), following)

    def _require_none_open(self, context: Context, asset_id: AssetId, me: Party) -> None:
        previous = find_request(context, asset_id, me)
        if previous is not None and previous.status == OPEN:
            raise ContractError(
                "REQUEST_OPEN",
                "there is an open request of yours already",
                needed="none, or its cancellation",
                found=f"one filed at {previous.filed_at}",
                status=409,
            )

    def _close(self, context: Context, asset_id: AssetId, requester: Party, by: Party, status: str) -> JsonValue:
        at_ns = now(context)
        closed = close_request(context, asset_id, requester, status, Outputs(context))
        record_act(context, at_ns, asset_id, by, f"request {closed.status}", requester=str(requester))
        context.emit("RequestClosed", {"asset": str(asset_id), "requester": str(requester), "status": closed.status})
        return closed.to_json()


def _shown(context: Context, request: Request) -> JsonObject:
    """A request as of now: an open one that is past its time is shown as expired; its coins wait to be fetched."""
    if request.status == OPEN and request.has_expired(*moments(context)):
        request = replace(request, status=EXPIRED)
    return request.to_json()

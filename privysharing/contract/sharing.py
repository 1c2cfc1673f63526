"""Sharing: an owner turns paid requests into grants (Algorithm 1), and takes grants back (Algorithm 2)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from privysharing.chaincode.canonical import JsonObject, JsonValue
from privysharing.chaincode.context import Context
from privysharing.chaincode.contract import Contract, query, transaction
from privysharing.chaincode.errors import ContractError
from privysharing.chaincode.keys import split
from privysharing.contract.access import caller, require_owner
from privysharing.contract.assets import DELETING, active_asset, existing_asset
from privysharing.contract.coins import Outputs, take_from_escrow
from privysharing.contract.grants import (
    ACTIVE,
    GRANT,
    GRANT_INDEX,
    REVOKED,
    Grant,
    find_grant,
    store_grant,
)
from privysharing.contract.history import record_act
from privysharing.contract.instants import SECOND_NS, format_instant, moments, now
from privysharing.contract.listing import PAGE_DEFAULT, page, read_page
from privysharing.contract.names import AssetId, Party
from privysharing.contract.records import decode
from privysharing.contract.refusals import ALREADY_SHARED, bad_value, not_enough_coins
from privysharing.contract.requests import (
    COINS_PER_ASSET_DAY,
    GRANTED,
    OPEN,
    Request,
    find_request,
    require_days,
    store_request,
)
from privysharing.contract.settings import IMMEDIATE, settings_of

STAKEHOLDERS_MAX = 100  # of one share
SHARED = "data shared"


@dataclass(frozen=True, slots=True)
class _Share:
    """What one ShareAsset call asks for."""

    asset_id: AssetId
    days: int
    at_ns: int
    outputs: Outputs


class SharingFunctions(Contract):
    @transaction
    def share_asset(
        self, context: Context, asset_type: str, asset: str, days: int, stakeholders: Sequence[str]
    ) -> JsonValue:
        """Share one's own asset with stakeholders that have requested it (Algorithm 1). Only its owner.

        Each pays one coin per day out of its request's escrow; what it set aside beyond that goes back to it. If one of
        them has not enough, nobody gets anything. One with a grant that is still valid pays nothing and is told so.
        """
        asset_id = AssetId.parse(asset)
        me, at_ns = require_owner(context, asset_id), now(context)
        parties = _stakeholders(me, stakeholders)
        share = _Share(asset_id, require_days(days), at_ns, Outputs(context))
        record = active_asset(context, asset_id)
        if record.type != asset_type:
            raise bad_value("asset type", f"{record.type}, the type of this asset", repr(asset_type))
        outcomes = [self._share_with(context, share, party) for party in dict.fromkeys(parties)]
        shared: list[JsonValue] = [outcome["stakeholder"] for outcome in outcomes if outcome["message"] == SHARED]
        if shared:
            record_act(context, at_ns, asset_id, me, "shared", days=days, stakeholders=shared)
            context.emit("AssetShared", {"asset": str(asset_id), "stakeholders": shared})
        return {"asset": str(asset_id), "days": days, "stakeholders": list(outcomes)}

    @transaction
    def revoke_grant(self, context: Context, asset: str, stakeholder: str) -> JsonValue:
        """End a stakeholder's grant on one's own asset at once (Algorithm 2). Only its owner."""
        asset_id, party = AssetId.parse(asset), Party.parse(stakeholder)
        me, at_ns = require_owner(context, asset_id), now(context)
        grant = find_grant(context, asset_id, party)
        if grant is None or grant.status != ACTIVE:
            raise ContractError(
                "GRANT_NOT_FOUND",
                "there is no grant to revoke",
                needed=f"a grant of {asset_id} to {party}",
                found=grant.status if grant else "none",
                status=404,
            )
        revoked = replace(grant, status=REVOKED, revoked_at=format_instant(at_ns))
        store_grant(context, asset_id, party, revoked)
        record_act(context, at_ns, asset_id, me, "revoked", stakeholder=str(party))
        context.emit("GrantRevoked", {"asset": str(asset_id), "stakeholder": str(party)})
        return revoked.to_json()

    @query
    def list_grants(self, context: Context, asset: str, bookmark: str = "", limit: int = PAGE_DEFAULT) -> JsonValue:
        """Every grant of one's own asset, also lapsed and revoked ones, with `valid` as of now. Only its owner."""
        asset_id = AssetId.parse(asset)
        require_owner(context, asset_id)
        entries, following = read_page(context, GRANT, *asset_id.key, bookmark=bookmark, limit=limit)
        grants = (decode(Grant, raw) for _, raw in entries)
        return page(({**grant.to_json(), "valid": grant.covers(*moments(context))} for grant in grants), following)

    @query
    def list_shared_with_me(self, context: Context, bookmark: str = "", limit: int = PAGE_DEFAULT) -> JsonValue:
        """The assets that the caller may read now by grant, without their readings.

        A page may hold fewer items than `limit`, even none, when grants in it have ended; the bookmark tells whether
        more follow.
        """
        me = caller(context)
        entries, following = read_page(context, GRANT_INDEX, str(me), bookmark=bookmark, limit=limit)
        places = (split(key)[1][1:] for key, _ in entries)
        shared = (_shared(context, AssetId(Party.parse(owner), name), me) for owner, name in places)
        return page((item for item in shared if item), following)

    def _share_with(self, context: Context, share: _Share, stakeholder: Party) -> JsonObject:
        """One round of Algorithm 1's loop."""
        previous = find_grant(context, share.asset_id, stakeholder)
        if previous is not None and not previous.has_ended(share.at_ns):
            return {"stakeholder": str(stakeholder), "message": ALREADY_SHARED, "not_after": previous.not_after}
        request = find_request(context, share.asset_id, stakeholder)
        price = share.days * COINS_PER_ASSET_DAY
        if request is None or request.status != OPEN:
            raise not_enough_coins(price, f"no open request by {stakeholder}")
        if request.has_expired(*moments(context)):
            raise not_enough_coins(price, f"a request by {stakeholder} that expired at {request.expires_at}")
        if request.coins < price:
            raise not_enough_coins(price, f"{request.coins} coins set aside by {stakeholder}")
        ends_ns = share.at_ns + share.days * request.day_seconds * SECOND_NS
        _require_ahead(context, ends_ns)
        _settle(context, share, request, price)
        grant = Grant(
            asset=str(share.asset_id),
            grantee=str(stakeholder),
            purpose=request.purpose,
            not_before=format_instant(share.at_ns),
            not_after=format_instant(ends_ns),
            days=share.days,
            request_id=request.request_id,
        )
        store_grant(context, share.asset_id, stakeholder, grant)
        store_request(context, share.asset_id, stakeholder, replace(request, status=GRANTED))
        return {"stakeholder": str(stakeholder), "message": SHARED, "not_after": grant.not_after}


def _stakeholders(owner: Party, names: Sequence[str]) -> list[Party]:
    if not 1 <= len(names) <= STAKEHOLDERS_MAX:
        raise bad_value("list of stakeholders", f"1 to {STAKEHOLDERS_MAX} parties", f"{len(names)} parties")
    parties = [Party.parse(name) for name in names]
    if owner in parties:
        raise bad_value("stakeholder", "somebody else than the owner", str(owner))
    return parties


def _require_ahead(context: Context, ends_ns: int) -> None:
    """Nobody pays for time that has passed on any clock, however old the owner dates the transaction."""
    if ends_ns <= max(moments(context)):
        raise ContractError(
            "GRANT_OVER",
            "the grant would have ended already",
            needed="an end that is still ahead",
            found=format_instant(ends_ns),
            retry=True,
        )


def _settle(context: Context, share: _Share, request: Request, price: int) -> None:
    """Pay for a grant out of the request's escrow, by the channel's settlement."""
    assert settings_of(context).settlement == IMMEDIATE, "no channel can be set to anything else yet"
    escrow = take_from_escrow(context, request.request_id)
    share.outputs.pay(share.asset_id.owner, price)
    share.outputs.pay(Party.parse(escrow.payer), escrow.amount - price)


def _shared(context: Context, asset_id: AssetId, me: Party) -> JsonObject | None:
    grant = find_grant(context, asset_id, me)
    if grant is None or not grant.covers(*moments(context)):
        return None
    asset = existing_asset(context, asset_id)
    if asset.status == DELETING:
        return None
    return {**asset.to_json(), "not_after": grant.not_after, "purpose": grant.purpose}

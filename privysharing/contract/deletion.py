"""Deleting an asset (Algorithm 3): its state goes, its journal and the blocks stay."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from privysharing.chaincode.canonical import JsonObject, JsonValue
from privysharing.chaincode.context import Context
from privysharing.chaincode.contract import Contract, transaction
from privysharing.chaincode.keys import split
from privysharing.contract.access import require_owner
from privysharing.contract.assets import DELETING, PRIVATE, Asset, asset_key, existing_asset
from privysharing.contract.coins import Outputs
from privysharing.contract.critical import purge
from privysharing.contract.grants import GRANT, remove_grant
from privysharing.contract.history import record_act
from privysharing.contract.instants import now
from privysharing.contract.names import AssetId, Party
from privysharing.contract.readings import READING
from privysharing.contract.records import store
from privysharing.contract.refusals import bad_value
from privysharing.contract.requests import DECLINED, close_request

ENTRIES_DELETED_MAX = 1000  # grants and readings, in one transaction
REQUESTERS_MAX = 100


class DeletionFunctions(Contract):
    @transaction
    def delete_asset(self, context: Context, asset: str, requesters: Sequence[str] = ()) -> JsonValue:
        """Delete one's own asset with its readings and grants (Algorithm 3). Only its owner; its history stays.

        requesters: whose open requests for it are to be declined, with their coins, in the same transaction. Anybody
        else's can still be cancelled or declined: looking for them here would let a requester block the deletion.
        An asset with more than 1000 grants and readings answers `deleting` and is deleted by calling again: nobody but
        its owner sees it meanwhile. The readings of a private asset are purged: no member keeps anything of them, and
        each confirms that by the hashes of their keys, which are `purged` in the answer.
        """
        asset_id = AssetId.parse(asset)
        me, at_ns = require_owner(context, asset_id), now(context)
        record = existing_asset(context, asset_id)
        _decline_requests(context, asset_id, requesters)
        whole, purged = _delete_entries(context, record, asset_id)
        if whole:
            context.delete(asset_key(asset_id))
            outcome = "deleted"
            context.emit("AssetDeleted", {"asset": str(asset_id)})
        else:
            store(context, asset_key(asset_id), replace(record, status=DELETING))
            outcome = DELETING
        answer: JsonObject = {"asset": str(asset_id), "status": outcome}
        if record.confidentiality != PRIVATE:
            record_act(context, at_ns, asset_id, me, outcome)
            return answer
        record_act(context, at_ns, asset_id, me, outcome, purged=len(purged))
        return {**answer, "purged": purged}


def _decline_requests(context: Context, asset_id: AssetId, requesters: Sequence[str]) -> None:
    if len(requesters) != len(set(requesters)) or len(requesters) > REQUESTERS_MAX:
        raise bad_value("list of requesters", f"up to {REQUESTERS_MAX} different parties", f"{len(requesters)} parties")
    outputs = Outputs(context)
    for requester in requesters:
        close_request(context, asset_id, Party.parse(requester), DECLINED, outputs)


def _delete_entries(context: Context, asset: Asset, asset_id: AssetId) -> tuple[bool, list[JsonValue]]:
    """Delete grants and readings as far as one transaction may: whether that was all, and which keys were purged.

    The one range read in a transaction: only the owner writes here, so a phantom is his own doing and he tries again.
    """
    grants = ((key, GRANT, raw) for key, raw in context.by_partial_key(GRANT, *asset_id.key))
    readings = ((key, READING, raw) for key, raw in context.by_partial_key(READING, *asset_id.key))
    purged: list[JsonValue] = []
    for count, (key, kind, raw) in enumerate(chain(grants, readings)):
        if count == ENTRIES_DELETED_MAX:
            return False, purged
        if kind == GRANT:
            remove_grant(context, asset_id, Party.parse(split(key)[1][2]))
        elif asset.confidentiality == PRIVATE:
            purged.append(purge(context, key, raw))
        else:
            context.delete(key)
    return True, purged

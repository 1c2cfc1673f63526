"""The journal: what was done with an asset, when, by whom, in which transaction. Never a value.

One entry per act under a key of its own, never changed and never deleted, so it outlives the asset and no two
transactions collide over it. The values that an owner once wrote are in the blocks that the entries name.
"""

from dataclasses import dataclass
from typing import ClassVar

from privysharing.chaincode.canonical import JsonObject, JsonValue
from privysharing.chaincode.context import Context
from privysharing.chaincode.contract import Contract, query
from privysharing.chaincode.keys import composite_key
from privysharing.contract.access import require_overseer, require_owner
from privysharing.contract.instants import format_instant, newest_first
from privysharing.contract.listing import PAGE_DEFAULT, page, read_page
from privysharing.contract.names import AssetId, Party
from privysharing.contract.records import Record, decode, store

JOURNAL = "journal"  # key: owner, asset name, instant (newest first), transaction id


@dataclass(frozen=True, slots=True)
class Act(Record):
    """`details` are for the owner alone: who was granted, how many days, how many readings."""

    DOC_TYPE: ClassVar[str] = "act"

    act: str
    asset: str
    by: str
    time: str
    tx_id: str
    details: JsonObject


def record_act(context: Context, at_ns: int, asset_id: AssetId, by: Party, act: str, **details: JsonValue) -> None:
    """Enter an act. At most one per asset and transaction."""
    key = composite_key(JOURNAL, *asset_id.key, newest_first(at_ns), context.tx_id)
    store(context, key, Act(act, str(asset_id), str(by), format_instant(at_ns), context.tx_id, details))


class HistoryFunctions(Contract):
    @query
    def asset_history(self, context: Context, asset: str, bookmark: str = "", limit: int = PAGE_DEFAULT) -> JsonValue:
        """Everything that was done with one's own asset, newest first, also after it was deleted. Only its owner."""
        asset_id = AssetId.parse(asset)
        require_owner(context, asset_id)
        entries, following = read_page(context, JOURNAL, *asset_id.key, bookmark=bookmark, limit=limit)
        return page((decode(Act, raw).to_json() for _, raw in entries), following)

    @query
    def list_transactions(self, context: Context, bookmark: str = "", limit: int = PAGE_DEFAULT) -> JsonValue:
        """Who did what with which asset, for accountability: no values, no details. Only an admin or auditor."""
        require_overseer(context)
        entries, following = read_page(context, JOURNAL, bookmark=bookmark, limit=limit)
        acts = (decode(Act, raw) for _, raw in entries)
        return page(
            ({"act": act.act, "asset": act.asset, "by": act.by, "time": act.time, "tx_id": act.tx_id} for act in acts),
            following,
        )

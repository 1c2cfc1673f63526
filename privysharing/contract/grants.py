"""A grant: the owner's leave for one party to read one asset for the days that it paid.

An object of its own under a key of its own per (asset, grantee). It lapses by itself: nothing has to run for that.
"""

from dataclasses import dataclass
from typing import ClassVar

from privysharing.chaincode.context import Context
from privysharing.chaincode.keys import composite_key
from privysharing.contract.instants import parse_instant
from privysharing.contract.names import AssetId, Party
from privysharing.contract.records import Record, load, store

GRANT = "grant"  # key: owner, asset name, grantee
GRANT_INDEX = "granted"  # index by grantee: grantee, owner, asset name
ACTIVE = "active"
REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Grant(Record):
    """Valid while active and not_before <= t < not_after. `request_id` names the request that paid for it."""

    DOC_TYPE: ClassVar[str] = "grant"

    asset: str
    grantee: str
    purpose: str
    not_before: str
    not_after: str
    days: int
    request_id: str
    status: str = ACTIVE
    revoked_at: str = ""

    def covers(self, *moments_ns: int) -> bool:
        """Whether the grant is valid at every one of these moments."""
        not_before, not_after = parse_instant(self.not_before), parse_instant(self.not_after)
        return self.status == ACTIVE and all(not_before <= moment < not_after for moment in moments_ns)

    def has_ended(self, moment_ns: int) -> bool:
        """Whether nothing that was paid for is left."""
        return self.status != ACTIVE or moment_ns >= parse_instant(self.not_after)


def find_grant(context: Context, asset_id: AssetId, grantee: Party) -> Grant | None:
    return load(context, Grant, _key(asset_id, grantee))


def store_grant(context: Context, asset_id: AssetId, grantee: Party, grant: Grant) -> None:
    store(context, _key(asset_id, grantee), grant)
    context.put(_index_key(asset_id, grantee), b"{}")


def remove_grant(context: Context, asset_id: AssetId, grantee: Party) -> None:
    """Forget a grant of an asset that is being deleted. Its history stays in the journal."""
    context.delete(_key(asset_id, grantee))
    context.delete(_index_key(asset_id, grantee))


def _key(asset_id: AssetId, grantee: Party) -> str:
    return composite_key(GRANT, *asset_id.key, str(grantee))


def _index_key(asset_id: AssetId, grantee: Party) -> str:
    return composite_key(GRANT_INDEX, str(grantee), *asset_id.key)

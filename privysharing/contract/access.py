"""Who may do what. Every rule of the contract that says no to somebody is decided here.

  1. An owner sees and updates only his own assets.......................... require_owner, require_reader
  2. Only the owner shares an asset......................................... require_owner
  3. Only the owner revokes a grant or deletes the asset.................... require_owner
  4. A user reads the history of his own assets only; an admin or auditor
     lists transactions, never values....................................... require_owner, require_overseer
  5. A user reads and updates only his own profile.......................... require_self
  7. A stakeholder sees what is shared with it, while the grant is valid.... require_reader
  8. Everybody sees only his own coins; only the Ministry mints............. caller (coin keys begin with their holder),
                                                                             require_ministry, require_coin_auditor
 10. Without a grant nobody reads anything, whoever registered him.......... require_reader

A refusal never tells whether the thing exists: it is decided from the ids and the caller's own grant, before the asset
is looked at. (Rule 9 is the channel's: its peers refuse who is not a member. Rule 6, delegation, is yet to come.)
"""

from privysharing.chaincode.context import Context
from privysharing.contract.grants import find_grant
from privysharing.contract.instants import moments
from privysharing.contract.names import AssetId, Party
from privysharing.contract.refusals import access_denied

MINISTRY_MSP_ID = "MinistryMSP"

_ADMIN_OU = "admin"  # the NodeOU of an organisation's administrators (sampleconfig/msp/config.yaml)
_ROLE_ATTRIBUTE = "role"  # an attribute that the CA puts into a certificate
_AUDITOR_ROLE = "auditor"


def caller(context: Context) -> Party:
    """Who signed the proposal: the certificate's common name and the organisation whose CA vouches for it."""
    creator = context.creator
    return Party(creator.enrollment_id, creator.msp_id)


def require_owner(context: Context, asset_id: AssetId) -> Party:
    """Rules 1 to 4. The owner is part of the asset's id, so this reads no state."""
    me = caller(context)
    if me != asset_id.owner:
        raise access_denied("the owner of the asset")
    return me


def require_reader(context: Context, asset_id: AssetId) -> Party:
    """Rules 1, 7 and 10: the owner, or the holder of a grant that is valid by every clock."""
    me = caller(context)
    if me == asset_id.owner:
        return me
    grant = find_grant(context, asset_id, me)
    if grant is None or not grant.covers(*moments(context)):
        raise access_denied("the owner of the asset, or a grant that is valid now")
    return me


def require_self(context: Context, party: Party) -> Party:
    """Rule 5."""
    me = caller(context)
    if me != party:
        raise access_denied("the person whom the profile is about")
    return me


def require_ministry(context: Context) -> Party:
    """Rule 8: who mints and burns."""
    me = caller(context)
    if me.msp_id != MINISTRY_MSP_ID:
        raise access_denied(f"a member of {MINISTRY_MSP_ID}")
    return me


def require_ministry_admin(context: Context) -> Party:
    """Who changes a channel's settings."""
    me = caller(context)
    if me.msp_id != MINISTRY_MSP_ID or not _is_admin(context):
        raise access_denied(f"an administrator of {MINISTRY_MSP_ID}")
    return me


def require_overseer(context: Context) -> Party:
    """Rule 4: who lists everybody's transactions, without values."""
    if not _is_overseer(context):
        raise access_denied("an administrator or an auditor")
    return caller(context)


def require_coin_auditor(context: Context) -> Party:
    """Rule 8: who sees the sums of all coins, never anybody's own."""
    me = caller(context)
    if me.msp_id != MINISTRY_MSP_ID and not _is_overseer(context):
        raise access_denied(f"an administrator, an auditor or a member of {MINISTRY_MSP_ID}")
    return me


def _is_admin(context: Context) -> bool:
    return _ADMIN_OU in context.creator.organizational_units


def _is_overseer(context: Context) -> bool:
    return _is_admin(context) or context.creator.attributes.get(_ROLE_ATTRIBUTE) == _AUDITOR_ROLE

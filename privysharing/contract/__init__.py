"""PrivySharing's rules: who owns which data, who may read it, and what that costs. The product; start reading here.

Purpose: a citizen's data assets, access requests with their payment, grants that lapse by themselves, coins, profiles
and the journal of all of it, as one contract for every channel.
Data in: a call (function, arguments), its signer and time, through `privysharing.chaincode`. Data out: JSON, reads and
writes, one event; or a refusal with a stable code.
Does not: read a clock, draw randomness, know a peer or a network. The same call gives the same bytes at every endorser.
Failure: a refusal (`ContractError`) changes nothing. A record that this version did not write is a fault.

One concept a module. `access` holds every rule about who may do what. `names` and `instants` say what an id and a
moment are. Then by the story: `assets`, `readings`, `private_readings`, `coins`, `requests`, `grants` and `sharing`,
`history`, `deletion`, `profiles`, `settings`. `records`, `critical`, `listing` and `refusals` say how things are
stored, publicly and privately, listed and refused.

Every key is a composite key that begins with its kind (a constant beside the record, which says what follows) and then,
for whatever belongs to an asset, with the owner. No two parties ever write the same key, except that an owner answers
the very request that a stakeholder filed; so nobody's transactions collide with a stranger's.

Values of private assets lie in one collection, `critical`, which the contract's definition on a channel must have for
there to be any; its members are the organisations concerned, which endorse whatever changes it. Readers need not be
members: the rules here decide, and a member's peer answers. So the collection is defined without member-only access.
"""

from privysharing.contract.assets import AssetFunctions
from privysharing.contract.coins import CoinFunctions
from privysharing.contract.deletion import DeletionFunctions
from privysharing.contract.history import HistoryFunctions
from privysharing.contract.private_readings import PrivateReadingFunctions
from privysharing.contract.profiles import ProfileFunctions
from privysharing.contract.readings import ReadingFunctions
from privysharing.contract.requests import RequestFunctions
from privysharing.contract.settings import SettingsFunctions
from privysharing.contract.sharing import SharingFunctions


class PrivySharing(
    AssetFunctions,
    ReadingFunctions,
    PrivateReadingFunctions,
    CoinFunctions,
    RequestFunctions,
    SharingFunctions,
    HistoryFunctions,
    DeletionFunctions,
    ProfileFunctions,
    SettingsFunctions,
):
    """The contract: all functions of the modules above. `Describe` lists them."""


__all__ = ["PrivySharing"]

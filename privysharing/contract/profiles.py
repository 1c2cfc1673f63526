"""Profiles: what a user says about himself, to himself alone."""

from dataclasses import dataclass
from typing import ClassVar

from privysharing.chaincode.canonical import JsonObject, JsonValue, dumps
from privysharing.chaincode.context import Context
from privysharing.chaincode.contract import Contract, query, transaction
from privysharing.chaincode.keys import composite_key
from privysharing.contract.access import caller, require_self
from privysharing.contract.instants import format_instant, now
from privysharing.contract.names import Party
from privysharing.contract.records import Record, load, store
from privysharing.contract.refusals import bad_value

PROFILE = "profile"  # key: party
PROFILE_BYTES_MAX = 16 * 1024  # of canonical JSON


@dataclass(frozen=True, slots=True)
class Profile(Record):
    DOC_TYPE: ClassVar[str] = "profile"

    party: str
    fields: JsonObject
    updated_at: str


class ProfileFunctions(Contract):
    @transaction
    def set_profile(self, context: Context, fields: JsonObject, party: str = "") -> JsonValue:
        """Replace one's own profile, up to 16 KiB of JSON. A party other than the caller is refused."""
        me, at_ns = _themselves(context, party), now(context)
        if len(dumps(fields)) > PROFILE_BYTES_MAX:
            raise bad_value("profile", f"at most {PROFILE_BYTES_MAX} bytes of JSON", "a longer one")
        profile = Profile(str(me), fields, format_instant(at_ns))
        store(context, composite_key(PROFILE, str(me)), profile)
        return {"party": str(me), "updated_at": profile.updated_at}

    @query
    def get_profile(self, context: Context, party: str = "") -> JsonValue:
        """One's own profile, empty before it was set. A party other than the caller is refused."""
        me = _themselves(context, party)
        profile = load(context, Profile, composite_key(PROFILE, str(me)))
        return (profile or Profile(str(me), {}, "")).to_json()


def _themselves(context: Context, party: str) -> Party:
    return require_self(context, Party.parse(party)) if party else caller(context)

"""What differs from channel to channel: the kinds of data that it carries, and how grants are paid."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar

from privysharing.chaincode.canonical import JsonObject, JsonValue
from privysharing.chaincode.context import Context
from privysharing.chaincode.contract import Contract, query, transaction
from privysharing.chaincode.keys import composite_key
from privysharing.contract.access import require_ministry_admin
from privysharing.contract.records import Record, load, store
from privysharing.contract.refusals import bad_value, not_available

ASSET_TYPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "health": ("heart_rate", "blood_sugar", "blood_alcohol", "body_temperature", "blood_pressure"),
        "transport": ("car_location", "car_status", "service_history"),
        "energy": ("meter_reading", "solar_output"),
        "security": ("camera_event", "intrusion_alert", "smoke_alarm"),
        "finance": ("income", "expense", "tax_record"),
    }
)
ALL_ASSET_TYPES = tuple(asset_type for types in ASSET_TYPES.values() for asset_type in types)

IMMEDIATE = "immediate"  # the owner is paid in full when the share commits, as in the paper
VESTING = "vesting"  # one coin for each elapsed day

DAY_SECONDS_DEFAULT = DAY_SECONDS_MAX = 24 * 60 * 60
REQUEST_DAYS_DEFAULT = 30
REQUEST_DAYS_MAX = 365

_KEY = composite_key("settings")


@dataclass(frozen=True, slots=True)
class Settings(Record):
    """`request_days`: how long an access request can be answered before it expires.

    `day_seconds`: how long a day of a grant lasts; less than a real day only where somebody wants to watch one end.
    """

    DOC_TYPE: ClassVar[str] = "settings"

    asset_types: list[str]
    settlement: str = IMMEDIATE
    request_days: int = REQUEST_DAYS_DEFAULT
    day_seconds: int = DAY_SECONDS_DEFAULT


def settings_of(context: Context) -> Settings:
    """The channel's settings; before anybody set any, its name decides, and a name that we do not know allows all."""
    stored = load(context, Settings, _KEY)
    return stored or Settings(asset_types=list(ASSET_TYPES.get(context.channel_id, ALL_ASSET_TYPES)))


class SettingsFunctions(Contract):
    @query
    def get_settings(self, context: Context) -> JsonValue:
        """The channel's settings: asset types, settlement, days until a request expires, seconds in a day."""
        return settings_of(context).to_json()

    @transaction
    def configure_channel(self, context: Context, changes: JsonObject) -> JsonValue:
        """Change settings of the channel; what is not named stays. Only an administrator of the Ministry.

        changes: {"asset_types": [...], "settlement": "immediate", "request_days": 1 to 365,
        "day_seconds": 1 to 86400}. Requests that are filed, and grants, keep the days they have.
        """
        require_ministry_admin(context)
        settings = settings_of(context)
        for name, value in sorted(changes.items()):
            settings = _changed(settings, name, value)
        store(context, _KEY, settings)
        return settings.to_json()


def _changed(settings: Settings, name: str, value: JsonValue) -> Settings:
    match name, value:
        case "asset_types", [_, *_] as types if isinstance(types, list) and all(t in ALL_ASSET_TYPES for t in types):
            return replace(settings, asset_types=sorted({str(asset_type) for asset_type in types}))
        case "settlement", str(settlement) if settlement == IMMEDIATE:
            return replace(settings, settlement=IMMEDIATE)
        case "settlement", str(settlement) if settlement == VESTING:
            raise not_available(f"settlement {VESTING}", IMMEDIATE)
        case "request_days", int(days) if not isinstance(value, bool) and 1 <= days <= REQUEST_DAYS_MAX:
            return replace(settings, request_days=days)
        case "day_seconds", int(seconds) if not isinstance(value, bool) and 1 <= seconds <= DAY_SECONDS_MAX:
            return replace(settings, day_seconds=seconds)
    needed = (
        f"asset_types of {', '.join(ALL_ASSET_TYPES)}; settlement immediate; request_days 1 to {REQUEST_DAYS_MAX}; "
        f"day_seconds 1 to {DAY_SECONDS_MAX}"
    )
    raise bad_value(f"setting {name[:40]}", needed, repr(value))

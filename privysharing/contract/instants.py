"""Time. An instant is an int of nanoseconds since the epoch inside, and an RFC 3339 text in UTC on the ledger.

A transaction happens at its proposal's timestamp, because every endorser sees the same one. That is the client's word,
so the endorsing peer's own clock, where the peer provides it, may refuse but never changes what is written.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

from privysharing.chaincode.context import Context
from privysharing.chaincode.errors import ContractError
from privysharing.contract.refusals import bad_value

SECOND_NS = 1_000_000_000
DAY_NS = 24 * 60 * 60 * SECOND_NS
INSTANT_MAX_NS = 253_402_300_800 * SECOND_NS - 1  # the last of year 9999, where RFC 3339 ends

# How far a transaction's timestamp may be from the endorsing peer's clock: the orderer's admission window, 10 minutes.
PROPOSAL_WINDOW_NS = 10 * 60 * SECOND_NS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))", re.ASCII
)


def format_instant(instant_ns: int) -> str:
    """`2020-03-01T12:00:00Z`, with a fraction of up to 9 digits only when there is one."""
    if not 0 <= instant_ns <= INSTANT_MAX_NS:
        raise bad_value("instant", "a time from 1970 to 9999", f"{instant_ns} ns since 1970")
    seconds, fraction_ns = divmod(instant_ns, SECOND_NS)
    fraction = f".{fraction_ns:09d}".rstrip("0") if fraction_ns else ""
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def parse_instant(text: str) -> int:
    """RFC 3339 with Z or an offset, to the nanosecond, from 1970 to 9999."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise bad_value("instant", "RFC 3339, as in 2020-03-01T12:00:00Z", repr(text))
    *calendar, fraction, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    try:
        moment = datetime(*map(int, calendar), tzinfo=timezone(offset))  # type: ignore[misc, arg-type]
    except ValueError as error:
        raise bad_value("instant", "a date of the calendar", repr(text)) from error
    instant_ns = (moment - _EPOCH) // timedelta(seconds=1) * SECOND_NS + int((fraction or "").ljust(9, "0"))
    if not 0 <= instant_ns <= INSTANT_MAX_NS:
        raise bad_value("instant", "a time from 1970 to 9999", repr(text))
    return instant_ns


def now(context: Context) -> int:
    """When this transaction happens: its proposal's timestamp, refused when this peer's clock contradicts it."""
    instant_ns, peer_ns = context.timestamp_ns, context.peer_time_ns
    format_instant(instant_ns)
    if peer_ns is not None and abs(instant_ns - peer_ns) > PROPOSAL_WINDOW_NS:
        raise ContractError(
            "TIMESTAMP_REFUSED",
            "the proposal's timestamp is too far from the peer's clock",
            needed=f"at most {PROPOSAL_WINDOW_NS // SECOND_NS} s apart",
            found=f"{abs(instant_ns - peer_ns) // SECOND_NS} s apart",
            retry=True,
        )
    return instant_ns


def moments(context: Context) -> tuple[int, ...]:
    """Every clock that speaks for now: a right must hold at all of them, so lying about one gains nothing."""
    peer_ns = context.peer_time_ns
    return (context.timestamp_ns,) if peer_ns is None else (context.timestamp_ns, peer_ns)


def newest_first(instant_ns: int) -> str:
    """Part of a key that sorts later instants first."""
    return f"{INSTANT_MAX_NS - instant_ns:021d}"

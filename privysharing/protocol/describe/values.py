"""Single values for people: bytes, times, versions, identities."""

from base64 import b64encode
from datetime import UTC, datetime

from privysharing.protocol.codec.msps import parse_serialized_identity
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.msp.certificates import parse_certificate
from privysharing.protocol.msp.identity import InvalidIdentity

Json = dict[str, object]

NANOSECONDS = 1_000_000_000


def describe_bytes(value: bytes) -> str | Json:
    """Text if it is printable text, base64 otherwise."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "\0"
    if all(char.isprintable() or char in "\n\t" for char in text):
        return text
    return {"base64": b64encode(value).decode()}


def describe_key(key: str) -> str | list[str]:
    """A key as it is; a composite key as its parts."""
    if key.startswith("\0") and key.endswith("\0"):
        return key[1:-1].split("\0")
    return key


def describe_time(nanoseconds: int | None) -> str | None:
    """RFC 3339, to the nanosecond."""
    if nanoseconds is None:
        return None
    seconds, nanos = divmod(nanoseconds, NANOSECONDS)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return f"{seconds}.{nanos:09}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanos:09}Z"


def describe_identity(serialized: bytes) -> Json | None:
    """Whose certificate it is, under which MSP; None for nobody's."""
    if not serialized:
        return None
    try:
        msp_id, id_bytes = parse_serialized_identity(serialized)
    except MalformedMessage as error:
        return {"error": str(error), "bytes": describe_bytes(serialized)}
    return {"msp_id": msp_id, **describe_certificate(id_bytes)}


def describe_certificate(pem: bytes) -> Json:
    """Subject, issuer, serial number and validity of a PEM certificate."""
    try:
        certificate = parse_certificate(pem)
    except InvalidIdentity as error:
        return {"error": str(error), "bytes": describe_bytes(pem)}
    return {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "serial": f"{certificate.serial_number:x}",
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
    }

"""The caller of a contract, as its certificate says (Fabric's cid library)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from cryptography import x509
from cryptography.x509.oid import NameOID

from privysharing.chaincode.canonical import loads
from privysharing.protocol.codec.msps import parse_serialized_identity
from privysharing.protocol.msp.certificates import parse_certificate

# fabric-ca lib/attrmgr: attributes that a CA vouches for, JSON {"attrs": {name: value}}
_ATTRIBUTES_OID = x509.ObjectIdentifier("1.2.3.4.5.6.7.8.1")

# The order in which Go's pkix.Name.ToRDNSequence lists a name; cid prints it backwards, as RFC 2253 does.
_GO_NAME_ORDER = (
    (NameOID.COUNTRY_NAME, "C"),
    (NameOID.ORGANIZATION_NAME, "O"),
    (NameOID.ORGANIZATIONAL_UNIT_NAME, "OU"),
    (NameOID.LOCALITY_NAME, "L"),
    (NameOID.STATE_OR_PROVINCE_NAME, "ST"),
    (NameOID.STREET_ADDRESS, "STREET"),
    (NameOID.POSTAL_CODE, "POSTALCODE"),
    (NameOID.COMMON_NAME, "CN"),
    (NameOID.SERIAL_NUMBER, "SERIALNUMBER"),
)
_ESCAPED = frozenset(',+"\\<>;')
_IDENTITIES_CACHED_MAX = 4096


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """Who signed the proposal. The peer has validated the certificate; nothing here is the client's own word.

    `id` is Fabric's `x509::<subject>::<issuer>` (not base64 encoded). `enrollment_id` is the certificate's one common
    name, or empty when it does not have exactly one. `attributes` are those of OID 1.2.3.4.5.6.7.8.1.
    """

    msp_id: str
    id: str
    enrollment_id: str
    organizational_units: tuple[str, ...]
    attributes: Mapping[str, str]


@lru_cache(maxsize=_IDENTITIES_CACHED_MAX)
def client_identity(creator: bytes) -> ClientIdentity:
    """Parse an msp.SerializedIdentity that a peer has validated. Raises ProtocolError or ValueError for others.

    The certificate is read by the very function that the MSP reads it with: bytes that held two certificates would be
    one person to the peer, which checks the signature, and another to the contract.
    """
    msp_id, certificate_bytes = parse_serialized_identity(creator)
    certificate = parse_certificate(certificate_bytes)
    common_names = _values(certificate.subject, NameOID.COMMON_NAME)
    return ClientIdentity(
        msp_id=msp_id,
        id=f"x509::{_distinguished_name(certificate.subject)}::{_distinguished_name(certificate.issuer)}",
        enrollment_id=common_names[0] if len(common_names) == 1 else "",
        organizational_units=tuple(_values(certificate.subject, NameOID.ORGANIZATIONAL_UNIT_NAME)),
        attributes=MappingProxyType(_attributes(certificate)),
    )


def _values(name: x509.Name, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(attribute.value) for attribute in name.get_attributes_for_oid(oid)]


def _distinguished_name(name: x509.Name) -> str:
    """RFC 2253 as cid's getDN writes it: values of one type share an RDN, joined by '+'."""
    rdns = ["+".join(f"{label}={_escape(value)}" for value in _values(name, oid)) for oid, label in _GO_NAME_ORDER]
    return ",".join(rdn for rdn in reversed(rdns) if rdn)


def _escape(value: str) -> str:
    escaped = []
    for index, character in enumerate(value):
        edge_space = character == " " and index in (0, len(value) - 1)
        if character in _ESCAPED or edge_space or (character == "#" and index == 0):
            escaped.append("\\")
        escaped.append(character)
    return "".join(escaped)


def _attributes(certificate: x509.Certificate) -> dict[str, str]:
    try:
        extension = certificate.extensions.get_extension_for_oid(_ATTRIBUTES_OID).value
    except x509.ExtensionNotFound:
        return {}
    assert isinstance(extension, x509.UnrecognizedExtension)
    content = loads(extension.value)
    attributes = content.get("attrs") if isinstance(content, dict) else None
    if not isinstance(attributes, dict):
        raise ValueError("the attribute extension is not an object with attrs")
    return {name: value for name, value in attributes.items() if isinstance(value, str)}

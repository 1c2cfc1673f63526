"""X.509 certificates as Go's standard library reads them, on whose judgement Fabric's rests."""

import base64
import binascii
import re
from typing import Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from privysharing.protocol.crypto import to_low_s
from privysharing.protocol.msp.identity import InvalidIdentity

E = TypeVar("E", bound=x509.ExtensionType)

# Go encoding/pem: text may stand before and after a block, the label is free, header lines may precede the content.
_PEM: Final = re.compile(
    rb"(?:\A|(?<=\n))-----BEGIN (?P<label>[^\n]*?)-----[ \t\r]*\n(?:(?!-)[^\n:]*:[^\n]*\n)*"
    rb"(?P<content>[A-Za-z0-9+/= \t\r\n]*)(?<=\n)-----END (?P=label)-----[ \t\r]*(?:\n|\Z)"
)
_SPACE: Final = b" \t\r\n"

ECDSA_SIGNATURES: Final = frozenset(
    x509.ObjectIdentifier(dotted)
    for dotted in (
        "1.2.840.10045.4.1",  # with SHA-1
        "1.2.840.10045.4.3.2",  # with SHA-256
        "1.2.840.10045.4.3.3",  # with SHA-384
        "1.2.840.10045.4.3.4",  # with SHA-512
    )
)


def decode_pem(text: bytes) -> bytes | None:
    """The content of the first block that decodes."""
    for block in _PEM.finditer(text):
        try:
            return base64.b64decode(block["content"].translate(None, _SPACE), validate=True)
        except binascii.Error:
            continue
    return None


def parse_certificate(pem: bytes) -> x509.Certificate:
    """Read a PEM certificate; raise InvalidIdentity when it is none."""
    der = decode_pem(pem)
    if der is None:
        raise InvalidIdentity("certificate is not PEM")
    return _parse_der(der)


def _parse_der(der: bytes) -> x509.Certificate:
    """Read a certificate, its extensions and key included, so that nothing fails later."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        _ = certificate.extensions, certificate.subject, certificate.issuer, certificate.public_key()
    except Exception:
        # The library refuses in many ways (ValueError, TypeError, its own exceptions): to us they mean one thing.
        raise InvalidIdentity("certificate cannot be read") from None
    if certificate.serial_number < 0:
        raise InvalidIdentity("certificate has a negative serial number")
    if _with_signature(certificate, certificate.signature) != der:
        # The library passes over unused bits of the signature; Go does not, and they would make a second identity.
        raise InvalidIdentity("certificate has more than one form")
    return certificate


def der(certificate: x509.Certificate) -> bytes:
    """The certificate's bytes."""
    return certificate.public_bytes(Encoding.DER)


def extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    """The value of an extension, or None."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def is_ca(certificate: x509.Certificate) -> bool:
    """Whether basic constraints make it a certificate authority's."""
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def subject_key_identifier(certificate: x509.Certificate) -> bytes | None:
    """By which revocation lists name a CA's key."""
    identifier = extension(certificate, x509.SubjectKeyIdentifier)
    return None if identifier is None else identifier.digest


def organizational_units(certificate: x509.Certificate) -> tuple[str, ...]:
    """The subject's organizational units, in order, repetitions included."""
    units = certificate.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATIONAL_UNIT_NAME)
    return tuple(unit.value for unit in units if isinstance(unit.value, str))


def sanitize(certificate: x509.Certificate, issuer: x509.Certificate) -> x509.Certificate:
    """The same certificate with its issuer's ECDSA signature in low-S form (msp sanitizeECDSASignedCert).

    A signature has two forms, so without this one certificate could pass for two identities.
    """
    key = issuer.public_key()
    if certificate.signature_algorithm_oid not in ECDSA_SIGNATURES or not isinstance(key, ec.EllipticCurvePublicKey):
        return certificate
    try:
        signature = to_low_s(certificate.signature, key.curve)
    except ValueError:
        raise InvalidIdentity("certificate's signature cannot be read") from None
    if signature == certificate.signature:
        return certificate
    return _parse_der(_with_signature(certificate, signature))


def _with_signature(certificate: x509.Certificate, signature: bytes) -> bytes:
    """The certificate's DER with another signature value: SEQUENCE{body, algorithm, BIT STRING}."""
    body = certificate.tbs_certificate_bytes
    raw = der(certificate)
    after_body = raw.index(body) + len(body)
    algorithm = raw[after_body : after_body + 2 + raw[after_body + 1]]  # an algorithm identifier is short
    value = b"\x00" + signature
    content = body + algorithm + b"\x03" + _der_length(len(value)) + value
    return b"\x30" + _der_length(len(content)) + content


def _der_length(size: int) -> bytes:
    if size < 0x80:
        return bytes((size,))
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(length),)) + length

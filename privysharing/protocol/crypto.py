"""Hashes and ECDSA signatures as Fabric's default crypto provider makes and reads them (bccsp/sw).

Signatures are DER of (r, s) over a SHA-256 digest, on P-224 to P-521 alike, and only the lower of the two possible
values of s counts: a signature with the higher one is not a signature, so nobody can make a second form of one.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.p256 import TABLES, WORTH_A_TABLE, NoTables

# SEC 2 and FIPS 186-4: the order of each curve's base point
CURVE_ORDERS: Final = {
    "secp224r1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFF16A2E0B8F03E13DD29455C5C2A3D,
    "secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp384r1": int("F" * 48 + "C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16),
    "secp521r1": int("1" + "F" * 65 + "A51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16),
}
HALF_ORDERS: Final = {name: order // 2 for name, order in CURVE_ORDERS.items()}

_ECDSA: Final = ec.ECDSA(hashes.SHA256())
_SEQUENCE: Final = 0x30
_INTEGER: Final = 0x02


class UnusableKey(ProtocolError):
    """A private key that this protocol cannot sign with, or that does not belong to its certificate."""


def sha256(*parts: bytes) -> bytes:
    """SHA-256 of the parts, one after the other."""
    return hashlib.sha256(b"".join(parts)).digest()


def to_low_s(signature: bytes, curve: ec.EllipticCurve | None = None) -> bytes:
    """The canonical form of an ECDSA signature: minimal DER, the lower s. `curve` is P-256 unless given.

    Raises ValueError when `signature` is none, or the curve is unknown.
    """
    found = _read(signature)
    order = CURVE_ORDERS.get("secp256r1" if curve is None else curve.name)
    if found is None or order is None or found[1] >= order:
        raise ValueError("not an ECDSA signature on a known curve")
    r, s, der = found
    return der if s <= order - s else utils.encode_dss_signature(r, order - s)


def parse_signature(signature: bytes) -> tuple[int, int] | None:
    """Read r and s, both positive, or None.

    As lenient as Go's asn1.Unmarshal, on which Fabric's verdicts rest: integers and lengths must be minimal, but
    bytes after s, inside the sequence or behind it, are passed over.
    """
    found = _read(signature)
    return None if found is None else found[:2]


def _read(signature: bytes) -> tuple[int, int, bytes] | None:
    """The numbers r and s, and the one DER form that they have: mostly the very bytes given."""
    try:
        r, s = utils.decode_dss_signature(signature)
    except ValueError:
        numbers = _parse_leniently(signature)
        return None if numbers is None else (*numbers, utils.encode_dss_signature(*numbers))
    return (r, s, signature) if r > 0 and s > 0 else None


def _parse_leniently(signature: bytes) -> tuple[int, int] | None:
    """What Go reads beyond DER as well."""
    outer = _element(signature, 0, len(signature), _SEQUENCE)
    if outer is None:
        return None
    first = _element(signature, *outer, _INTEGER)
    if first is None:
        return None
    second = _element(signature, first[1], outer[1], _INTEGER)
    if second is None:
        return None
    r, s = _positive(signature[first[0] : first[1]]), _positive(signature[second[0] : second[1]])
    return None if r is None or s is None else (r, s)


def _element(raw: bytes, at: int, end: int, tag: int) -> tuple[int, int] | None:
    """Where the content of the DER element at `at` begins and ends; None when it is not a whole element `tag`."""
    if end - at < 2 or raw[at] != tag:
        return None
    start, size = at + 2, raw[at + 1]
    if size >= 0x80:
        start += size & 0x7F
        size = int.from_bytes(raw[at + 2 : start], "big")
        minimal = max(1, (size.bit_length() + 7) // 8)
        if size < 0x80 or start - at - 2 != minimal:
            return None
    return (start, start + size) if start + size <= end else None


def _positive(content: bytes) -> int | None:
    """A minimally encoded DER integer above zero."""
    number = int.from_bytes(content, "big", signed=True)
    minimal = number.bit_length() // 8 + 1
    return number if number > 0 and len(content) == minimal else None


class VerifyingKey:
    """Somebody's public key. One on P-256 gets a table once so many signatures have held that it will pay (`p256`)."""

    __slots__ = ("_half_order", "_held", "_key", "_point")

    def __init__(self, public_key: object) -> None:
        """Any key of a certificate: what is not ECDSA on a NIST curve verifies nothing."""
        self._key = public_key if isinstance(public_key, ec.EllipticCurvePublicKey) else None
        curve = "" if self._key is None else self._key.curve.name
        self._half_order = HALF_ORDERS.get(curve, 0)
        self._point = b""
        if self._key is not None and curve == "secp256r1":
            self._point = self._key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self._held = 0

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is the low-S signature of `message` (bccsp/sw verifyECDSA). Never raises."""
        found = _read(signature)
        if found is None or found[1] > self._half_order or self._key is None:
            return False
        table = TABLES.get(self._point)
        if table is not None:
            try:
                return table.verify(found[0], found[1], sha256(message))
            except NoTables:
                pass  # no memory for it at the moment
        try:
            self._key.verify(found[2], message, _ECDSA)
        except InvalidSignature:
            return False
        if table is None and self._point:
            self._earn()
        return True

    def _earn(self) -> None:
        """Count a signature that held. Forgeries earn nothing, or anybody could have tables made."""
        self._held += 1
        if self._held >= WORTH_A_TABLE:
            self._held = 0
            TABLES.make(self._point)


@dataclass(frozen=True, slots=True, eq=False)
class SigningIdentity:
    """Somebody who can sign: a certificate under an MSP, with its private key."""

    msp_id: str
    certificate_pem: bytes
    serialized: bytes  # msp.SerializedIdentity: what messages name as their creator
    private_key: ec.EllipticCurvePrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """A low-S signature of `message`."""
        return to_low_s(self.private_key.sign(message, _ECDSA), self.private_key.curve)


def load_private_key(key_pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Read an unencrypted PEM private key (PKCS#8 or SEC 1)."""
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError):
        raise UnusableKey("private key is not unencrypted PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in CURVE_ORDERS:
        raise UnusableKey("private key is not an ECDSA key on a NIST curve")
    return key

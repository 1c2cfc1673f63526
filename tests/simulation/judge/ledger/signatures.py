"""ECDSA as Fabric verifies it (bccsp/sw ecdsa.go): over SHA-256, and only with the lower of the two possible s."""

import hashlib
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

# SEC 2, FIPS 186-4
ORDERS = {
    "secp224r1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFF16A2E0B8F03E13DD29455C5C2A3D,
    "secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp384r1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "secp521r1": (1 << 521) - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
}
_SEQUENCE, _INTEGER = 0x30, 0x02
_SHA256 = ec.ECDSA(Prehashed(hashes.SHA256()))


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the holder of this key (DER) signed the message. Remembered for the life of the process."""
    return _is_signed(public_key, hashlib.sha256(message).digest(), signature)


@lru_cache(1 << 16)
def _is_signed(public_key: bytes, digest: bytes, signature: bytes) -> bool:
    key = _key(public_key)
    numbers = signature_numbers(signature)
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in ORDERS or numbers is None:
        return False
    r, s = numbers
    if s > ORDERS[key.curve.name] // 2:
        return False
    try:
        key.verify(encode_dss_signature(r, s), digest, _SHA256)
    except InvalidSignature:
        return False
    return True


def signature_numbers(signature: bytes) -> tuple[int, int] | None:
    """The r and s of a signature; Go's encoding/asn1 passes over what stands behind them."""
    body, _ = _element(signature, _SEQUENCE)
    first, rest = _element(body, _INTEGER)
    second, _ = _element(rest, _INTEGER)
    r, s = _positive(first), _positive(second)
    return (r, s) if r and s else None


@lru_cache(1 << 12)
def _key(public_key: bytes) -> object:
    return load_der_public_key(public_key)


def _element(raw: bytes, tag: int) -> tuple[bytes, bytes]:
    """The content of the DER element that `raw` begins with, and what follows it; nothing where there is none."""
    if len(raw) < 2 or raw[0] != tag:
        return b"", b""
    start, size = 2, raw[1]
    if size >= 0x80:
        start += size & 0x7F
        size = int.from_bytes(raw[2:start], "big")
        if size < 0x80 or start != 2 + (size.bit_length() + 7) // 8:
            return b"", b""
    return (raw[start : start + size], raw[start + size :]) if start + size <= len(raw) else (b"", b"")


def _positive(content: bytes) -> int:
    """A minimally encoded integer above zero, or else zero."""
    number = int.from_bytes(content, "big", signed=True)
    return number if number > 0 and len(content) == number.bit_length() // 8 + 1 else 0

"""DER as protobuf's wire format is in `wire`: elements, and elements in elements; and certificates signed again."""

import base64
import random
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.fuzz.mutate import Mutator
from tests.support.authorities import PrivateKey

CONSTRUCTED = 0x20
TAGS = (0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x13, 0x17, 0x18, 0x30, 0x31, 0xA0, 0xA3)
OBJECT_IDS = (b"\x55\x1d\x13", b"\x55\x1d\x0f", b"\x55\x1d\x11", b"\x55\x1d\x24", b"\x55\x04\x0b", b"\x55\x04\x03")
_SHA256 = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


@dataclass(slots=True)
class Element:
    """A tag and its content."""

    tag: int
    content: bytes

    def encode(self) -> bytes:
        """Tag, length, content."""
        size = len(self.content)
        if size < 0x80:
            return bytes((self.tag, size)) + self.content
        length = size.to_bytes((size.bit_length() + 7) // 8, "big")
        return bytes((self.tag, 0x80 | len(length))) + length + self.content


def elements(raw: bytes) -> list[Element] | None:
    """The elements that bytes consist of; None when they do not."""
    found = []
    at = 0
    while at < len(raw):
        if at + 2 > len(raw):
            return None
        tag, size, start = raw[at], raw[at + 1], at + 2
        if size >= 0x80:
            start += size & 0x7F
            size = int.from_bytes(raw[at + 2 : start], "big")
        if start + size > len(raw):
            return None
        found.append(Element(tag, raw[start : start + size]))
        at = start + size
    return found


def resigned(chance: random.Random, mutator: Mutator, signed: bytes, key: PrivateKey) -> bytes:
    """A certificate or revocation list whose body is spoilt and then signed again; sometimes the outside is spoilt."""
    whole = elements(signed)
    assert whole is not None
    body, algorithm, _ = elements(whole[0].content) or []
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    if chance.random() < 0.85:
        spoilt = _spoil(chance, mutator, body.encode())
        again = b"\x00" + key.sign(spoilt, _SHA256)
        return Element(0x30, spoilt + algorithm.encode() + Element(0x03, again).encode()).encode()
    return _spoil(chance, mutator, signed) if chance.random() < 0.7 else mutator.spoil_bytes(signed)


def pem(der: bytes, label: str = "CERTIFICATE") -> bytes:
    """DER in the form in which identities carry it."""
    return f"-----BEGIN {label}-----\n".encode() + base64.encodebytes(der) + f"-----END {label}-----\n".encode()


def _spoil(chance: random.Random, mutator: Mutator, raw: bytes) -> bytes:
    """One change at a random depth."""
    found = elements(raw)
    if not found:
        return mutator.spoil_bytes(raw)
    place = chance.randrange(len(found))
    element = found[place]
    inside = element.tag & CONSTRUCTED or (element.tag == 0x04 and elements(element.content))
    if inside and chance.random() < 0.85:
        element.content = _spoil(chance, mutator, element.content)
    else:
        kind = chance.randrange(9)
        if kind == 0:
            del found[place]
        elif kind == 1:
            found.insert(chance.randint(0, len(found)), element)
        elif kind == 2:
            chance.shuffle(found)
        elif kind == 3:
            element.tag = chance.choice(TAGS)
        elif kind == 4:
            element.content = b""
        elif kind == 5:
            found.extend([element] * chance.choice((2, 50, 500)))
        elif kind == 6 and element.tag == 0x06:
            element.content = chance.choice(OBJECT_IDS)
        else:
            element.content = mutator.spoil_bytes(element.content)
    return b"".join(each.encode() for each in found)

"""Values that nobody has ever written anywhere, so that wherever one is found it has got there from us."""

import secrets
import string
import struct
from dataclasses import dataclass, field

TOKEN_CHARACTERS = 24
SALT_BYTES = 32
_ALPHABET = string.ascii_letters + string.digits
# What formats escape, and what no single byte holds; in between letters that are never escaped.
_ESCAPED = '"/\\<µ€'


@dataclass(frozen=True, slots=True)
class Canary:
    """One value. `forms` are the bytes that mean it before anybody encodes them: the first one is what is written.

    `hashed`: its plain SHA-256 would give it away, too. Not so of a key: Fabric writes the hash of a key into blocks.
    """

    name: str
    forms: tuple[bytes, ...] = field(repr=False)
    hashed: bool = True

    @property
    def text(self) -> str:
        """What is written, where that is text."""
        return self.forms[0].decode()


def text_canary(name: str, *, hashed: bool = True) -> Canary:
    """Text that is hard to keep together: whoever escapes it keeps at least one of its two halves as it is."""
    halves = [_token(), _token()]
    return Canary(name, tuple(form.encode() for form in (_ESCAPED.join(halves), *halves)), hashed)


def word_canary(name: str, *, hashed: bool = True) -> Canary:
    """Letters and digits only: where nothing else is allowed."""
    return Canary(name, (_token().encode(),), hashed)


def bytes_canary(name: str, size: int = SALT_BYTES) -> Canary:
    """Bytes that mean nothing."""
    return Canary(name, (secrets.token_bytes(size),))


def number_canary(name: str) -> Canary:
    """A number below 1 of sixteen digits, which is also eight bytes of floating point."""
    digits = f"0.{secrets.choice('123456789')}{secrets.randbelow(10**14):014d}{secrets.choice('123456789')}"
    shortest = repr(float(digits))
    return Canary(name, (shortest.encode(), struct.pack("<d", float(digits)), struct.pack(">d", float(digits))))


def _token() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(TOKEN_CHARACTERS))

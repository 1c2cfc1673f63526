"""Spoils bytes: as a protobuf message at some depth, or as nothing but bytes. Chance is an argument."""

import random
from collections.abc import Callable, Sequence

from tests.fuzz.wire import BYTES, FIELD_NUMBER_MAX, FIXED32, FIXED64, VARINT, Field, encode, parse

NUMBERS = (0, 1, 2, 5, 127, 128, 255, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
TEXTS = (
    b"", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\xf4\x8f\xbf\xbf", b"../../etc/passwd", b"%s%n", b"{}", b"[]",
    b"null", b"-1", b"1e999", b"NaN", b"9" * 400, b"\xe2\x80\xae", b"a" * 300, b"\x00\xf4\x8f\xbf\xbf", b"_lifecycle",
    b"/Channel", b'{"a":' * 200, b"[" * 3000, b"\xef\xbb\xbf", b"_implicit_org_Org1MSP", b"Org1MSP",
    b"-----BEGIN CERTIFICATE-----\n",
)  # fmt: skip
DEEPER = 0.72  # how likely a mutation goes into a field that holds a message, rather than spoiling it here
COPIES_MAX = 2000
HONEST = 0.1  # how likely a message that no hand has spoilt stays so
NESTING = (5, 40, 99, 101, 300)
GROWN_BYTES_MAX = 256 * 1024  # what one mutation may add: inputs beyond are `bombs`, which are few and known


class Mutator:
    """Makes one change somewhere. What it puts in place of other things comes from `donors`: parts of real messages."""

    def __init__(self, chance: random.Random, donors: Sequence[bytes] = ()) -> None:
        self._chance = chance
        self._donors = list(donors)
        self._at_fields: tuple[Callable[[list[Field]], None], ...] = (
            self._delete, self._delete, self._duplicate, self._shuffle, self._swap, self._renumber, self._retype,
            self._unknown, self._graft, self._graft, self._repeat, self._clear, self._value, self._value, self._value,
            self._value, self._nest,
        )  # fmt: skip
        self._at_bytes: tuple[Callable[[bytes], bytes], ...] = (
            self._flip, self._flip, self._cut, self._grow, self._lie, self._donor, self._donor, self._text, self._zero,
            self._remove, self._stretch,
        )  # fmt: skip

    def spoil(self, raw: bytes) -> bytes:
        """The same message with a change at a random depth: lengths around it fit, unless they are what is changed."""
        chance = self._chance
        fields = parse(raw) if raw else None
        if not fields or chance.random() < 0.06:
            return self.spoil_bytes(raw)
        inner = [field for field in fields if field.kind == BYTES and field.value]
        if inner and chance.random() < DEEPER:
            field = chance.choice(inner)
            assert isinstance(field.value, bytes)
            field.value = self.spoil(field.value)
        else:
            chance.choice(self._at_fields)(fields)
        return encode(fields)

    def spoil_bytes(self, raw: bytes) -> bytes:
        """A change that knows nothing of what the bytes mean."""
        return self._chance.choice(self._at_bytes)(raw)

    def number(self) -> int:
        """A number that code tends to forget, or any."""
        return self._chance.choice(NUMBERS) if self._chance.random() < 0.8 else self._chance.getrandbits(64)

    def donor(self) -> bytes:
        """A part of some real message."""
        return self._chance.choice(self._donors) if self._donors else b""

    def _some(self, fields: list[Field]) -> int:
        return self._chance.randrange(len(fields))

    def _delete(self, fields: list[Field]) -> None:
        del fields[self._some(fields)]

    def _duplicate(self, fields: list[Field]) -> None:
        fields.insert(self._some(fields), fields[self._some(fields)])

    def _shuffle(self, fields: list[Field]) -> None:
        self._chance.shuffle(fields)

    def _swap(self, fields: list[Field]) -> None:
        one, other = fields[self._some(fields)], fields[self._some(fields)]
        one.kind, one.value, other.kind, other.value = other.kind, other.value, one.kind, one.value

    def _renumber(self, fields: list[Field]) -> None:
        fields[self._some(fields)].number = self._chance.choice((1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, FIELD_NUMBER_MAX))

    def _retype(self, fields: list[Field]) -> None:
        place = self._some(fields)
        fields[place] = self._any_field(fields[place].number)

    def _unknown(self, fields: list[Field]) -> None:
        number = self._chance.choice((9, 99, 1000, 19000, FIELD_NUMBER_MAX))
        fields.insert(self._chance.randint(0, len(fields)), self._any_field(number))

    def _graft(self, fields: list[Field]) -> None:
        fields[self._some(fields)] = Field(fields[self._some(fields)].number, BYTES, self.donor())

    def _repeat(self, fields: list[Field]) -> None:
        field = fields[self._some(fields)]
        size = max(1, len(field.encode()))
        fields.extend([field] * min(self._chance.randint(2, COPIES_MAX), GROWN_BYTES_MAX // size))

    def _clear(self, fields: list[Field]) -> None:
        fields.clear()

    def _nest(self, fields: list[Field]) -> None:
        """A field in itself in itself: what a reader descends into."""
        field = fields[self._some(fields)]
        number, value = field.number, field.encode() if field.kind == BYTES else b""
        for _ in range(self._chance.choice(NESTING)):
            if len(value) > GROWN_BYTES_MAX:
                break
            value = Field(number, BYTES, value).encode()
        field.kind, field.value = BYTES, value

    def _value(self, fields: list[Field]) -> None:
        field = fields[self._some(fields)]
        if isinstance(field.value, int):
            field.value = self.number()
        elif field.kind == BYTES:
            field.value = self.spoil_bytes(field.value)
        else:
            field.value = self._chance.randbytes(len(field.value))

    def _any_field(self, number: int) -> Field:
        kind = self._chance.choice((VARINT, FIXED64, BYTES, FIXED32))
        if kind == VARINT:
            return Field(number, kind, self.number())
        return Field(
            number, kind, self._chance.randbytes({FIXED64: 8, FIXED32: 4}.get(kind, self._chance.randrange(40)))
        )

    def _flip(self, raw: bytes) -> bytes:
        if not raw:
            return self._chance.randbytes(self._chance.randrange(1, 20))
        changed = bytearray(raw)
        for _ in range(self._chance.choice((1, 1, 1, 2, 5))):
            changed[self._chance.randrange(len(changed))] ^= 1 << self._chance.randrange(8)
        return bytes(changed)

    def _cut(self, raw: bytes) -> bytes:
        return raw[: self._chance.randint(0, len(raw))]

    def _grow(self, raw: bytes) -> bytes:
        at = self._chance.randint(0, len(raw))
        return raw[:at] + self._chance.randbytes(self._chance.randrange(1, 12)) + raw[at:]

    def _lie(self, raw: bytes) -> bytes:
        """One byte that may be a length, a tag or a count says something else."""
        if not raw:
            return raw
        at = self._chance.randrange(min(len(raw), 16) if self._chance.random() < 0.5 else len(raw))
        return (
            raw[:at]
            + bytes((self._chance.choice((0, 1, 0x7F, 0x80, 0xFF, raw[at] ^ 1, (raw[at] + 1) % 256)),))
            + raw[at + 1 :]
        )

    def _donor(self, _raw: bytes) -> bytes:
        return self.donor()

    def _text(self, _raw: bytes) -> bytes:
        return self._chance.choice(TEXTS)

    def _zero(self, raw: bytes) -> bytes:
        return bytes(len(raw))

    def _remove(self, raw: bytes) -> bytes:
        start = self._chance.randint(0, len(raw))
        return raw[:start] + raw[self._chance.randint(start, min(len(raw), start + 32)) :]

    def _stretch(self, raw: bytes) -> bytes:
        return (raw or b"x") * min(self._chance.choice((2, 3, 50, 1000)), GROWN_BYTES_MAX // max(1, len(raw)) + 1)


class Hand:
    """Takes each part of a message while it is built, spoils some by chance, and gives the others back as they are."""

    def __init__(self, chance: random.Random | None = None, mutator: Mutator | None = None, rate: float = 0.0) -> None:
        self._chance = chance
        self._mutator = mutator
        self._rate = rate
        self.spoilt = 0
        self.parts: list[bytes] = []

    def __call__(self, part: bytes) -> bytes:
        if self._chance is None or self._mutator is None:
            self.parts.append(part)
            return part
        if self._chance.random() >= self._rate:
            return part
        self.spoilt += 1
        return self._mutator.spoil(part)


def spoilt(chance: random.Random, mutator: Mutator, build: Callable[[Hand], bytes], rate: float = 0.12) -> bytes:
    """What `build` makes when some of the parts that it shows to the hand are spoilt: at least one, mostly."""
    hand = Hand(chance, mutator, rate)
    made = build(hand)
    return made if hand.spoilt or chance.random() < HONEST else mutator.spoil(made)

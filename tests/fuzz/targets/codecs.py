"""Every reader of the protocol: bytes are a value, the same one each time, or a ProtocolError."""

import inspect
import random
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules

from privysharing.protocol import codec
from privysharing.protocol.codec.blocks import encode_block
from privysharing.protocol.codec.msps import encode_msp_config
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.msp.revocation import parse_revocation_list
from privysharing.protocol.reading import read_transaction
from tests.fuzz import messages
from tests.fuzz.material import CLIENT, GENESIS, ORG1, PEERS, cold_config
from tests.fuzz.mutate import Hand, Mutator
from tests.fuzz.oracle import require
from tests.support.authorities import msp_config

Reader = Callable[[bytes], object]


def readers() -> Mapping[str, Reader]:
    """Everything in the codec room that takes bytes alone."""
    found: dict[str, Reader] = {"read_transaction": read_transaction, "parse_revocation_list": parse_revocation_list}
    for info in iter_modules(codec.__path__):
        module = import_module(f"{codec.__name__}.{info.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            public = function.__module__ == module.__name__ and name.startswith(("parse_", "outline_", "canonical_"))
            kinds = [each.annotation for each in inspect.signature(function).parameters.values()]
            if public and kinds == [bytes]:
                found[f"{info.name}.{name}"] = function
    return dict(sorted(found.items()))


class Reading:
    """The first line names the reader, the rest is read."""

    name = "codecs"

    def __init__(self) -> None:
        self._readers = readers()
        self._samples = samples()

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        raw = chance.choice(self._samples)
        for _ in range(chance.choice((1, 1, 2, 4))):
            raw = mutator.spoil(raw)
        return chance.choice(list(self._readers)).encode() + b"\n" + raw

    def feed(self, raw: bytes) -> str:
        name, _, message = raw.partition(b"\n")
        read = self._readers.get(name.decode(errors="replace"))
        if read is None:
            return "no reader"
        try:
            value, again = read(message), read(message)
        except ProtocolError:
            return "refused"
        if not isinstance(value, Iterator):
            require(value == again, f"{name!r} reads it in two ways")
        return "read"


def samples() -> list[bytes]:
    """Real messages, and real parts of them."""
    config = cold_config()
    chance, hand = random.Random(3), Hand()
    for number in range(12):
        messages.transaction(hand, messages.some_call(chance, bytes((number,)) * 24))
        messages.config_update(hand, chance, config, b"n" * 24)
        messages.seek(hand, chance, b"n" * 24, PEERS[0])
        messages.record(hand, chance, b"envelope", is_config=False)
        for argument in messages.lifecycle_arguments(chance):
            hand(argument)
    messages.signed_proposal(hand, CLIENT, "cc", (b"f",), b"n" * 24)
    hand(encode_block(GENESIS))
    hand(encode_msp_config(msp_config("Org1MSP", ORG1.ca, revocation_list=(ORG1.ca.revoke(7),))))
    return list(dict.fromkeys(part for part in hand.parts if part))

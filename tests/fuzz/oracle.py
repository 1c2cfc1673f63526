"""What no input may bring about, whatever it is fed to: what is said too much, and what was logged meanwhile."""

import logging
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import privysharing
from tests.fuzz.material import ORDERER, PEERS
from tests.fuzz.messages import TRANSIENT_CANARY

# How a program speaks of itself: no answer to anybody outside holds any of these.
_SOURCES = str(Path(privysharing.__file__).parents[1]).encode()  # where the program lies
INTERNALS = (b"Traceback (most", b'File "/', b"site-packages", b" object at 0x", _SOURCES)
_LOGGED_MAX = 1000  # records kept for one input


class Broken(AssertionError):
    """An input broke a promise; the text says which."""


def _secrets() -> Iterable[bytes]:
    yield TRANSIENT_CANARY
    yield TRANSIENT_CANARY.hex().encode()
    for signer in (*PEERS, ORDERER):
        pem = signer.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        yield pem.split(b"\n")[1][-40:]
        yield str(signer.private_key.private_numbers().private_value).encode()


SECRETS = tuple(_secrets())


def require(fact: object, what: str) -> None:
    """The promise was kept, or the input broke it."""
    if not fact:
        raise Broken(what)


def check_told(answer: bytes | str) -> None:
    """An answer holds neither a secret nor anything about the program's inside."""
    told = answer.encode(errors="surrogateescape") if isinstance(answer, str) else answer
    check_secrets(told, "an answer")
    for internal in INTERNALS:
        require(internal not in told, f"an answer speaks of the program's inside: {internal!r} in {told[:400]!r}")


def check_secrets(told: bytes, where: str) -> None:
    """Nothing that only its owner may know."""
    for secret in SECRETS:
        require(secret not in told, f"{where} holds the secret {secret!r}")


class Listener(logging.Handler):
    """Keeps what is logged while one input is fed."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: list[str] = []
        self._usual = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None)))

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.records) < _LOGGED_MAX:
            more = {name: value for name, value in vars(record).items() if name not in self._usual}
            self.records.append(f"{record.levelname} {record.name} {self.format(record)} {more or ''}")

    def check(self) -> None:
        """No secret was logged, and nothing that says that the program did not know what it did."""
        for line in self.records:
            check_secrets(line.encode(errors="replace"), "the log")
            require("Traceback (most" not in line, f"a fault was logged:\n{line}")
        self.records.clear()

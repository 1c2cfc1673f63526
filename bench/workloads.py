"""What the load consists of: calls of the contract `bench`, whose functions do as little as a ledger allows."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from bench.floor import CryptoWork
from privysharing.sdk import Call

CONTRACT = "bench"
VALUE_BYTES = 100
PREPARED_KEYS = 1_000


@dataclass(frozen=True, slots=True)
class Workload:
    """`call` makes the n-th call of a run; `queries` are evaluated on one peer instead of committed."""

    about: str
    call: Callable[[str, int], Call]
    queries: bool = False
    prepared_keys: int = 0

    def crypto_work(self, endorsers: int, peers: int) -> CryptoWork:
        """Signatures and verifications of one call."""
        return CryptoWork.of_query() if self.queries else CryptoWork.of_transaction(endorsers, peers)


def prepared_key(number: int) -> str:
    """A key that is there before the run begins."""
    return f"prepared-{number % PREPARED_KEYS}"


def value() -> str:
    """A value of 100 characters that compresses badly."""
    return os.urandom(VALUE_BYTES // 2).hex()


def create(run: str, number: int) -> Call:
    """A new key with a value of 100 bytes."""
    return Call(CONTRACT, "Create", (f"{run}-{number}", value()))


WORKLOADS = {
    "yardstick": Workload("create one key with a value of 100 bytes", create),
    "readwrite": Workload(
        "read one existing key, write two new ones",
        lambda run, number: Call(CONTRACT, "ReadWrite", (prepared_key(number), f"{run}-{number}", value())),
        prepared_keys=PREPARED_KEYS,
    ),
    "evaluate": Workload(
        "read one existing key on one peer",
        lambda _run, number: Call(CONTRACT, "Get", (prepared_key(number),)),
        queries=True,
        prepared_keys=PREPARED_KEYS,
    ),
}

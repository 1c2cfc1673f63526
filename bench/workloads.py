"""What the load consists of: transactions, one for itself or several that build on each other, as pure values.

Most call the contract `bench`, whose functions do as little as a ledger allows; `share` calls PrivySharing's own.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

from bench.contract import COLLECTION
from bench.floor import CryptoWork
from bench.sharing import SHARING
from bench.steps import OWNER, Flow, Step
from privysharing.sdk import Call

CONTRACT = "bench"
VALUE_BYTES = 100
PREPARED_KEYS = 1_000


@dataclass(frozen=True, slots=True)
class Workload:
    """The steps of a flow, which are taken one after the other, on each channel of a topology in turn.

    `queries` are evaluated on one peer instead of committed. `beside`: the workload that it is measured in turn with.
    """

    about: str
    steps: tuple[Step, ...]
    topology: str = "bench-1ch"
    queries: bool = False
    prepared_keys: int = 0
    beside: str = ""

    def crypto_work(self, endorsers: int, peers: int) -> CryptoWork:
        """Signatures and verifications of one step."""
        return CryptoWork.of_query() if self.queries else CryptoWork.of_transaction(endorsers, peers)


def prepared_key(number: int) -> str:
    """A key that is there before the run begins."""
    return f"prepared-{number % PREPARED_KEYS}"


def value() -> str:
    """A value of 100 characters that compresses badly."""
    return os.urandom(VALUE_BYTES // 2).hex()


def _bench(call: Callable[[Flow], tuple[str, ...]]) -> tuple[Step, ...]:
    """One call of the contract `bench`: its function and arguments."""

    def of(flow: Flow) -> Call:
        function, *arguments = call(flow)
        return Call(CONTRACT, function, tuple(arguments))

    return (Step(OWNER, of),)


def _private(flow: Flow) -> Call:
    return Call(CONTRACT, "CreatePrivate", (flow.name,), {"value": value().encode()}, (COLLECTION,))


FILLED_KEYS = 500  # by one transaction
FILL = Workload("write many keys at once", _bench(lambda flow: ("Fill", flow.name, str(FILLED_KEYS), value())))
CREATE = _bench(lambda flow: ("Create", flow.name, value()))

WORKLOADS = {
    "yardstick": Workload("create one key with a value of 100 bytes", CREATE),
    "private": Workload(
        "create one private key with a value of 100 bytes", (Step(OWNER, _private),), beside="yardstick"
    ),
    "readwrite": Workload(
        "read one existing key, write two new ones",
        _bench(lambda flow: ("ReadWrite", prepared_key(flow.number), flow.name, value())),
        prepared_keys=PREPARED_KEYS,
    ),
    "share": Workload("an asset, a coin, a request and the share that it pays for", SHARING),
    "evaluate": Workload(
        "read one existing key on one peer",
        _bench(lambda flow: ("Get", prepared_key(flow.number))),
        queries=True,
        prepared_keys=PREPARED_KEYS,
    ),
    "channels3": Workload("create one key, on three channels in turn", CREATE, topology="bench-3ch"),
}

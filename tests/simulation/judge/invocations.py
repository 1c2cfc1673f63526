"""What the judges hand to each other: the ledger's finds the valid transactions, the contract's says what they mean."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A VALID transaction: what was called, by whom, and what its endorsers signed. Lists of them are in commit order.

    `units` are the organisational units of the certificate, `role` its attribute of that name. `writes` are the public
    ones in the called chaincode's own namespace; None deletes. `transient` is what its client says: no block does.
    """

    tx_id: str
    block: int
    index: int
    chaincode: str
    function: str
    args: tuple[bytes, ...]
    msp_id: str
    common_name: str
    timestamp_ns: int
    payload: bytes
    writes: Mapping[str, bytes | None]
    event: tuple[str, bytes] | None = None
    units: tuple[str, ...] = ()
    role: str = ""
    transient: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def with_transient(
    invocations: Iterable[Invocation], transients: Mapping[str, Mapping[str, bytes]]
) -> list[Invocation]:
    """With what clients say that they sent to endorsers beside these transactions, by id."""
    return [replace(each, transient=transients.get(each.tx_id, {})) for each in invocations]

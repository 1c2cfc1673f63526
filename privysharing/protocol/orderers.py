"""An orderer as it is found by others."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class LiveOrderer:
    """privysharing.v1.LiveOrderer: where it serves, and whose it is."""

    host: str
    port: int
    msp_id: str

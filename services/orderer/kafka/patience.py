"""How often what failed is tried again: for ever."""

import random
from dataclasses import dataclass

LONG_PHASE_RETRY_S = 15.0  # Fabric waits 5 min, and gives up after 12 h; ours never gives up, so it looks more often


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Pauses in seconds. Fabric's defaults, except that an outage is noticed to be over sooner."""

    short_interval_s: float = 1.0
    short_total_s: float = 600.0
    long_interval_s: float = LONG_PHASE_RETRY_S
    dial_timeout_s: float = 3.0  # an attempt that is under way is not broken off when the orderer stops
    read_timeout_s: float = 10.0
    metadata_backoff_s: float = 0.25
    producer_backoff_s: float = 0.1
    consumer_backoff_s: float = 2.0


class Patience:
    """The pauses between attempts at one thing."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self._chance = random.SystemRandom()  # orderers that fail together come back one by one
        self._waited = 0.0

    def pause(self) -> float:
        """Seconds to wait after an attempt in vain."""
        retry = self._retry
        interval = retry.short_interval_s if self._waited < retry.short_total_s else retry.long_interval_s
        pause = interval * self._chance.uniform(0.5, 1.5)
        self._waited += pause
        return pause

    def forget(self) -> None:
        """It has succeeded."""
        self._waited = 0.0

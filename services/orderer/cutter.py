"""When a batch is full (Fabric's common/blockcutter). Pure: sizes and counts decide, never a clock."""

from dataclasses import dataclass

from privysharing.protocol.channel.settings import BatchSize


@dataclass(frozen=True, slots=True)
class Ordered:
    """What one message led to: at most two batches. `pending`: it waits in the next batch itself."""

    batches: tuple[tuple[bytes, ...], ...]
    pending: bool


_WAITS = Ordered((), pending=True)


class BlockCutter:
    """Takes envelopes in order, gives them out in batches."""

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._bytes = 0

    @property
    def pending(self) -> int:
        """How many envelopes wait for their batch to be cut."""
        return len(self._pending)

    def ordered(self, envelope: bytes, size: int, limits: BatchSize) -> Ordered:
        """Take the next envelope, whose payload and signature together have `size` bytes.

        The limits are those in force at this message. One above the preferred size travels alone, and what waits is
        cut before it; one that would overfill the batch starts another.
        """
        if size > limits.preferred_max_bytes:
            alone = (envelope,)
            return Ordered((self.cut(), alone) if self._pending else (alone,), pending=False)
        batches: list[tuple[bytes, ...]] = []
        if self._pending and self._bytes + size > limits.preferred_max_bytes:
            batches.append(self.cut())
        self._pending.append(envelope)
        self._bytes += size
        if len(self._pending) >= limits.max_message_count:
            batches.append(self.cut())
        return Ordered(tuple(batches), pending=bool(self._pending)) if batches else _WAITS

    def cut(self) -> tuple[bytes, ...]:
        """Whatever waits, as a batch; empty when nothing does."""
        batch = tuple(self._pending)
        self._pending = []
        self._bytes = 0
        return batch

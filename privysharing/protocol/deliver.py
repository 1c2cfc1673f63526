"""What a client asks of Deliver, and the filtered form in which a peer may answer."""

from collections.abc import Mapping
from dataclasses import field
from enum import Enum, IntEnum, auto

from privysharing.protocol.codes import Status, TxCode
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.values import value


class SeekKind(Enum):
    """Which alternative of orderer.SeekPosition is set."""

    OLDEST = auto()
    NEWEST = auto()
    SPECIFIED = auto()
    NEXT_COMMIT = auto()
    UNSET = auto()  # a position that names no place: nothing is found there


@value
class SeekPosition:
    """orderer.SeekPosition; `number` counts only when SPECIFIED."""

    kind: SeekKind
    number: int = 0

    @classmethod
    def at(cls, number: int) -> "SeekPosition":
        """The block of this number."""
        return cls(SeekKind.SPECIFIED, number)


OLDEST = SeekPosition(SeekKind.OLDEST)
NEWEST = SeekPosition(SeekKind.NEWEST)
NEXT_COMMIT = SeekPosition(SeekKind.NEXT_COMMIT)


class SeekBehavior(IntEnum):
    """orderer.SeekInfo.SeekBehavior: what to do where a block is not there yet."""

    BLOCK_UNTIL_READY = 0
    FAIL_IF_NOT_READY = 1


class SeekErrorResponse(IntEnum):
    """orderer.SeekInfo.SeekErrorResponse: whether to deliver while the consenter is in error."""

    STRICT = 0
    BEST_EFFORT = 1


class SeekContentType(IntEnum):
    """orderer.SeekInfo.SeekContentType: whole blocks, or headers and signatures only."""

    BLOCK = 0
    HEADER_WITH_SIG_BYTES = 1


@value
class SeekInfo:
    """orderer.SeekInfo: which blocks, from `start` to `stop`, both included. None: left out, which is refused."""

    start: SeekPosition | None
    stop: SeekPosition | None
    behavior: SeekBehavior = SeekBehavior.BLOCK_UNTIL_READY
    error_response: SeekErrorResponse = SeekErrorResponse.STRICT
    content_type: SeekContentType = SeekContentType.BLOCK


@value
class FilteredEvent:
    """A chaincode event as a filtered block shows it: without its payload."""

    chaincode_id: str
    tx_id: TxId
    name: str


@value
class FilteredTransaction:
    """protos.FilteredTransaction. `events` holds one entry per action with an event, for endorser transactions."""

    tx_id: TxId
    type: int
    code: TxCode
    events: tuple[FilteredEvent, ...] = ()


@value
class FilteredBlock:
    """protos.FilteredBlock: a block's verdicts and events, without data, arguments or payloads."""

    channel_id: str
    number: int
    transactions: tuple[FilteredTransaction, ...]


PrivateSets = Mapping[int, Mapping[tuple[str, str], bytes]]  # by transaction, then by namespace and collection


@value
class BlockAndPrivateData:
    """protos.BlockAndPrivateData: a common.Block as sent, and what the reader may see of its private sets."""

    block: bytes
    private: PrivateSets = field(hash=False, repr=False)


@value
class DeliverResponse:
    """orderer.DeliverResponse or protos.DeliverResponse: exactly one of these is set."""

    status: Status | None = None
    block: bytes | None = None  # a common.Block as sent
    filtered_block: FilteredBlock | None = None
    block_and_private_data: BlockAndPrivateData | None = None

"""The verdicts that this model gives (protos.TxValidationCode), and why it gives none."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Code(IntEnum):
    """Those of TxValidationCode that a peer without CouchDB gives."""

    VALID = 0
    NIL_ENVELOPE = 1
    BAD_PAYLOAD = 2
    BAD_COMMON_HEADER = 3
    BAD_CREATOR_SIGNATURE = 4
    INVALID_ENDORSER_TRANSACTION = 5
    INVALID_CONFIG_TRANSACTION = 6
    UNSUPPORTED_TX_PAYLOAD = 7
    BAD_PROPOSAL_TXID = 8
    DUPLICATE_TXID = 9
    ENDORSEMENT_POLICY_FAILURE = 10
    MVCC_READ_CONFLICT = 11
    PHANTOM_READ_CONFLICT = 12
    BAD_HEADER_EXTENSION = 19
    BAD_RESPONSE_PAYLOAD = 21
    BAD_RWSET = 22
    ILLEGAL_WRITESET = 23
    INVALID_CHAINCODE = 25
    INVALID_OTHER_REASON = 255


class Wrong(StrEnum):
    """The names of faults."""

    # Blocks that no honest ordering service makes
    UNREADABLE_BLOCK = "a block that cannot be read"
    WRONG_NUMBER = "a block out of order"
    BROKEN_LINK = "a block that does not name its predecessor"
    WRONG_DATA_HASH = "a block whose hash is not over its transactions"
    BAD_ENVELOPE = "a block with an envelope that no orderer admits"
    NOT_SIGNED = "a block that its orderers did not sign"
    WRONG_LAST_CONFIG = "a block that names another configuration than the last"
    WRONG_ORDERER_METADATA = "a block that ends at no later place of the log than the one before"
    CONFIG_IN_COMPANY = "a configuration that is not alone in its block"
    WRONG_CONFIG = "a configuration that does not follow from the one before"
    HALTED = "a transaction that peers give no verdict on"

    # What a peer says
    TOO_HIGH = "a peer higher than the chain"
    MISSING_BLOCK = "a block below its height that a peer does not have"
    OTHER_BLOCK = "another block than was ordered"
    OTHER_METADATA = "a block whose metadata of the orderer was changed"
    WRONG_VERDICT = "a wrong verdict"
    WRONG_COMMIT_HASH = "a wrong commit hash"
    MISSING_KEY = "a key that is missing"
    EXTRA_KEY = "a key that should not be there"
    WRONG_VALUE = "a wrong value"
    WRONG_VERSION = "a wrong version"
    WRONG_METADATA = "wrong metadata of a key"
    WRONG_HISTORY = "a wrong history of a key"
    WRONG_PLACE = "a transaction indexed in a wrong place"
    MISSING_PRIVATE_SET = "a private set that a member does not have"
    OTHER_PRIVATE_SET = "another private set than its transaction wrote"
    UNDUE_PRIVATE_SET = "a private set that this peer should not have"
    PURGED_AND_KEPT = "a value that was purged and is there"
    MISSING_PRIVATE_VALUE = "a private value that a member does not have"
    WRONG_PRIVATE_VALUE = "a wrong private value"


@dataclass(frozen=True, slots=True)
class LedgerFault:
    """One finding: its name, and where: block, index in it, id or key."""

    kind: Wrong
    block: int | None = None
    index: int | None = None
    place: str = ""
    detail: str = ""

    def __str__(self) -> str:
        where = [] if self.block is None else [f"block {self.block}"]
        where += [] if self.index is None else [f"transaction {self.index}"]
        where += [self.place] if self.place else []
        return f"{self.kind.value}: {', '.join(where)}" + (f": {self.detail}" if self.detail else "")


class BadBlock(Exception):
    """A block that no honest ordering service makes: the model does not go on."""

    def __init__(self, kind: Wrong, block: int | None = None, detail: str = "", index: int | None = None) -> None:
        self.fault = LedgerFault(kind, block, index, detail=detail)
        super().__init__(str(self.fault))

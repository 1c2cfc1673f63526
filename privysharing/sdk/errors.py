"""What can go wrong for a client program, by what it can do about it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from privysharing.protocol.codes import Status, TxCode
from privysharing.protocol.dissemination import TooFewPeers
from privysharing.protocol.envelopes import TxId

if TYPE_CHECKING:  # which goes by nodes, and a profile of these by errors
    from privysharing.sdk.transactions import Pending


class SdkError(Exception):
    """Base of everything that the SDK raises on purpose. `retryable` says whether trying again can help."""

    retryable = False


class ProfileError(SdkError):
    """A connection profile, wallet or identity that cannot be used as it is."""


class Unavailable(SdkError):
    """No node that could serve the call answered in time."""

    retryable = True


class PrivateDataRefused(SdkError):
    """The call would show private data to somebody who may not see it. Nothing was sent, or nothing ordered."""


class Refused(SdkError):
    """A peer, or the contract on it, said no. Nothing was ordered."""

    def __init__(self, node: str, status: int, message: str) -> None:
        super().__init__(f"{node} refused ({status}): {message}")
        self.node = node
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Refusal:
    """A contract's refusal in its own words: a stable code, what was needed, what was found."""

    code: str
    message: str
    needed: str = ""
    found: str = ""
    retry: bool = False

    @classmethod
    def parse(cls, text: str) -> "Refusal | None":
        """The refusal in a response message, or None where the message is plain text of another contract."""
        try:
            body: Any = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(body, Mapping) or not isinstance(body.get("code"), str):
            return None
        code = body["code"]
        needed, found = (str(body.get(name) or "") for name in ("needed", "found"))
        return cls(code, str(body.get("message") or code), needed, found, retry=body.get("retry") is True)


class ContractRefused(Refused):
    """The contract's rules forbid the call."""

    def __init__(self, node: str, status: int, refusal: Refusal) -> None:
        super().__init__(node, status, refusal.message)
        self.refusal = refusal
        self.retryable = refusal.retry

    @property
    def code(self) -> str:
        """The stable code of the rule that refused."""
        return self.refusal.code

    def __str__(self) -> str:
        lines = [self.refusal.message]
        if self.refusal.needed:
            lines.append(f"needed: {self.refusal.needed}")
        if self.refusal.found:
            lines.append(f"found: {self.refusal.found}")
        return "; ".join(lines)


class TooFewPeersReached(Refused):
    """A peer's private data did not reach as many other members' peers as its collection requires.

    Nothing was ordered. Some of them do not run, or nobody reaches them: once they are back the same call succeeds.
    """

    retryable = True

    def __init__(self, node: str, status: int, message: str, lacking: TooFewPeers) -> None:
        super().__init__(node, status, message)
        self.chaincode = lacking.chaincode
        self.collection = lacking.collection
        self.required = lacking.required
        self.reached = lacking.reached


class EndorsementMismatch(SdkError):
    """Endorsers answered the same proposal with different bytes: their states differ just now, or one of them lies."""

    retryable = True


class OrderingRefused(SdkError):
    """The ordering service did not take the transaction."""

    def __init__(self, status: Status, info: str) -> None:
        super().__init__(f"the ordering service answered {status.name}: {info}")
        self.status = status


class OrderingUnknown(SdkError):
    """No orderer has acknowledged the transaction, and one may have ordered it: ordering the same again is safe."""


class CommitRefused(SdkError):
    """The transaction was ordered, and the peers found it invalid, as `peer` told: it changed nothing.

    `liars` spoilt it with endorsements that are none: the same call without them can succeed.
    """

    def __init__(self, tx_id: TxId, code: TxCode, block_num: int, peer: str = "", liars: tuple[str, ...] = ()) -> None:
        super().__init__(f"transaction {tx_id} is {code.name} in block {block_num}")
        self.tx_id = tx_id
        self.code = code
        self.block_num = block_num
        self.peer = peer
        self.liars = liars
        self.retryable = bool(liars) or code in (TxCode.MVCC_READ_CONFLICT, TxCode.PHANTOM_READ_CONFLICT)


class CommitUnknown(SdkError):
    """No verdict came: the transaction may or may not be committed. `Channel.resubmit(pending)` finds out.

    A new call instead may do the same thing twice. `pending` is None when a listener was asked for a bare id.
    """

    def __init__(self, tx_id: TxId, why: str, pending: "Pending | None" = None) -> None:
        super().__init__(f"no verdict on transaction {tx_id}: {why}; it may still be committed")
        self.tx_id = tx_id
        self.why = why
        self.pending = pending

"""A transaction on its way: called, endorsed, ordered, committed."""

from collections.abc import Mapping
from dataclasses import field

from privysharing.protocol.envelopes import TxId
from privysharing.protocol.transactions import ProposalResponse
from privysharing.protocol.values import value
from privysharing.sdk.profile import Node

Answer = tuple[Node, ProposalResponse]  # of an endorser


@value
class Call:
    """A function of a chaincode with its arguments. `transient` reaches the endorsers and nobody else.

    `collections`: those whose private data the call reads or writes. Only peers of organisations that are members of
    all of them are asked. Transient data without any goes to peers of one's own organisation only.
    """

    chaincode: str
    function: str
    args: tuple[str | bytes, ...] = ()
    transient: Mapping[str, bytes] | None = field(default=None, repr=False)
    collections: tuple[str, ...] = ()


@value
class Endorsed:
    """A proposal with the equal answers of its endorsers, signed: ready to be ordered."""

    tx_id: TxId
    envelope: bytes
    payload: bytes  # what the contract returned
    answers: tuple[Answer, ...] = ()  # what `Channel.blame` looks at


@value
class Pending:
    """A transaction that was handed to the ordering service, and has no verdict yet."""

    endorsed: Endorsed
    since: int  # a block that was there before: the verdict stands behind it
    orderer: str = ""  # the name of the one that has acknowledged it, if one has


@value
class Receipt:
    """A committed transaction: its id, the block that holds it, and what the contract returned.

    `peer` told so: whoever asks it from now on is answered from this block or a later one.
    """

    tx_id: TxId
    block_num: int
    payload: bytes
    peer: str = ""

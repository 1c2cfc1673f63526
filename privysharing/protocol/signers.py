"""Who signed a transaction: the expensive part of judging one, one call each, in any order, on any thread."""

from collections.abc import Sequence
from typing import Protocol

from privysharing.protocol.build import endorsement_message
from privysharing.protocol.codes import TxCode
from privysharing.protocol.msp.identity import Identity, InvalidIdentity
from privysharing.protocol.msp.manager import MspManager
from privysharing.protocol.reading import ReadTransaction
from privysharing.protocol.transactions import Endorsement, EndorserTransaction
from privysharing.protocol.values import value


class Vouched(Protocol):
    """Endorsements, each behind the response payload that it is of, whose signatures are known to be good."""

    def __contains__(self, endorsed: tuple[bytes, Endorsement], /) -> bool: ...


@value
class Signers:
    """Whose signatures on one transaction are good: the creator's, and those of distinct endorsers in order."""

    creator: bool = False
    endorsers: tuple[Identity, ...] = ()


NOBODY = Signers()

# What names a certificate of an ECDSA key is longer, in PEM: shorter ones can be a million, and need no look each.
IDENTITY_BYTES_MIN = 200


def verify_signatures(
    transaction: ReadTransaction, channel_id: str, msps: MspManager, vouched: Vouched = ()
) -> Signers:
    """Verify one transaction's signatures under one configuration; none where the answer cannot matter."""
    (signers,) = verify_all((transaction,), channel_id, msps, vouched)
    return signers


def verify_all(
    transactions: Sequence[ReadTransaction], channel_id: str, msps: MspManager, vouched: Vouched = ()
) -> list[Signers]:
    """The signers of each transaction: what a caller may spread over threads in slices.

    Creators first, then endorsers: mostly few have created all of them, and the tables of few keys stay in the caches.
    """
    created = [_creator_signed(transaction, channel_id, msps) for transaction in transactions]
    return [
        _signers(transaction, msps, vouched) if by_creator else NOBODY
        for transaction, by_creator in zip(transactions, created, strict=True)
    ]


def formal_verdict(transaction: ReadTransaction, signers: Signers) -> TxCode:
    """What an envelope is by itself, its creator's signature included (core/common/validation ValidateTransaction)."""
    if transaction.fault_before_signature is not TxCode.VALID:
        return transaction.fault_before_signature
    return transaction.fault_after_signature if signers.creator else TxCode.BAD_CREATOR_SIGNATURE


def verify_endorsers(transaction: EndorserTransaction, msps: MspManager, vouched: Vouched = ()) -> tuple[Identity, ...]:
    """The endorsers whose signatures are good, each once (policies SignatureSetToValidIdentities).

    A bad signature is passed over, and so is a repeated endorser, before its signature is looked at: nobody can have
    the same one verified a thousand times. Whether an identity is valid is for the policy to ask.
    """
    payload = transaction.response_payload
    endorsers: dict[tuple[str, bytes], Identity] = {}
    refused: set[bytes] = set()  # an endorsement of two bytes can stand there a million times
    for endorsement in transaction.endorsements:
        if len(endorsement.endorser) < IDENTITY_BYTES_MIN or endorsement.endorser in refused:
            continue
        try:
            identity = msps.deserialize(endorsement.endorser)
        except InvalidIdentity:
            refused.add(endorsement.endorser)
            continue
        if identity.dedupe_key not in endorsers and (
            (payload, endorsement) in vouched
            or identity.verify(endorsement_message(payload, endorsement.endorser), endorsement.signature)
        ):
            endorsers[identity.dedupe_key] = identity
    return tuple(endorsers.values())


def _signers(transaction: ReadTransaction, msps: MspManager, vouched: Vouched) -> Signers:
    """The signers of a transaction that its creator has signed."""
    endorsed = transaction.endorsed
    if endorsed is None or endorsed.fault is not TxCode.VALID:
        return Signers(creator=True)
    return Signers(True, verify_endorsers(endorsed.transaction, msps, vouched))


def _creator_signed(transaction: ReadTransaction, channel_id: str, msps: MspManager) -> bool:
    """Validation checkSignatureFromCreator. An envelope of another channel finds no MSP here that knows its creator."""
    if transaction.fault_before_signature is not TxCode.VALID:
        return False
    header, envelope = transaction.header, transaction.envelope
    assert header is not None
    assert envelope is not None
    if header.channel.channel_id != channel_id:
        return False
    try:
        creator = msps.identity(header.signature.creator)
    except InvalidIdentity:
        return False
    return creator.verify(envelope.payload, envelope.signature)

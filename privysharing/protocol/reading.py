"""An ordered envelope, read once, with what its form alone says against it.

Fabric finds faults of form at three stages, between which it looks at signatures and at the ledger. All three need
nothing but the bytes, so they are found here, and each is kept for its stage. Only the keys that were read and written
stay unread until somebody asks for them: whether anybody endorsed them is not known here.
"""

from dataclasses import field
from functools import lru_cache

from privysharing.protocol.codec.envelopes import join_header, parse_envelope, parse_signature_header, split_payload
from privysharing.protocol.codec.rwsets import UnreadRwSet
from privysharing.protocol.codec.transactions import (
    parse_action,
    parse_chaincode_action,
    parse_chaincode_event,
    parse_chaincode_header_extension,
    parse_only_action,
    proposal_hash,
)
from privysharing.protocol.codes import HeaderType, TxCode
from privysharing.protocol.envelopes import Envelope, Header, SignatureHeader, TxId, compute_tx_id
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.rwsets import TxRwSet
from privysharing.protocol.transactions import ChaincodeAction, EndorserTransaction
from privysharing.protocol.values import value

# validation validateChannelHeader: any other type is a bad header
KNOWN_TYPES = frozenset({HeaderType.ENDORSER_TRANSACTION, HeaderType.CONFIG, HeaderType.CONFIG_UPDATE})
NO_RESULTS = UnreadRwSet()

# Header extensions whose chaincode is remembered, and how long one may be.
EXTENSIONS_KEPT_MAX = 256
EXTENSION_BYTES_KEPT_MAX = 256


@value
class EndorsedAction:
    """What an endorser transaction says, and the first fault of the action itself (plugindispatcher Dispatch)."""

    transaction: EndorserTransaction = field(repr=False)
    fault: TxCode = TxCode.VALID
    action: ChaincodeAction | None = field(default=None, repr=False)  # None: unreadable, so there is a fault
    results: UnreadRwSet = field(default=NO_RESULTS, repr=False)

    @property
    def rwset(self) -> TxRwSet:
        """What was read and is to be written; see `UnreadRwSet.whole`."""
        return self.results.whole()

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Whose endorsement policies decide: the chaincode that was called, then what else was written."""
        assert self.action is not None
        assert self.action.chaincode is not None
        return tuple(dict.fromkeys((self.action.chaincode.name, *self.results.written)))


@value
class ReadTransaction:
    """One envelope of a block: what could be read of it, and the first fault of each stage (VALID: none).

    `fault_before_signature` leaves no creator to ask; `fault_after_signature` says that id or proposal hash do not
    fit (both core/common/validation ValidateTransaction); the fault of the content is in `endorsed`.
    """

    raw: bytes = field(repr=False)
    fault_before_signature: TxCode
    fault_after_signature: TxCode = TxCode.VALID
    envelope: Envelope | None = field(default=None, repr=False)
    header: Header | None = None
    data: bytes = field(default=b"", repr=False)
    endorsed: EndorsedAction | None = None

    @property
    def type(self) -> int | None:
        """The header's type; None without a readable header."""
        return None if self.header is None else self.header.channel.type

    @property
    def tx_id(self) -> TxId:
        """The id in the header; empty without a readable header."""
        return TxId("") if self.header is None else self.header.channel.tx_id


def read_transaction(raw: bytes) -> ReadTransaction:
    """Read one envelope of a block. Never raises: what is wrong with it is in the result."""
    try:
        envelope = parse_envelope(raw)
    except MalformedMessage:
        return ReadTransaction(raw, TxCode.INVALID_OTHER_REASON)
    try:
        parts = split_payload(envelope.payload)
    except MalformedMessage:
        return ReadTransaction(raw, TxCode.BAD_PAYLOAD, envelope=envelope)
    if parts is None:
        return ReadTransaction(raw, TxCode.BAD_COMMON_HEADER, envelope=envelope)
    channel_bytes, signature_bytes, data = parts
    try:
        header = join_header(channel_bytes, signature_bytes)
    except MalformedMessage:
        return ReadTransaction(raw, TxCode.BAD_COMMON_HEADER, envelope=envelope)
    if not _is_common_header(header):
        return ReadTransaction(raw, TxCode.BAD_COMMON_HEADER, TxCode.VALID, envelope, header, data)
    fault, endorsed = _read_data(header, data)
    return ReadTransaction(raw, TxCode.VALID, fault, envelope, header, b"" if endorsed else data, endorsed)


def _is_common_header(header: Header) -> bool:
    """Validation validateCommonHeader."""
    channel = header.channel
    return channel.type in KNOWN_TYPES and channel.epoch == 0 and _is_signature_header(header.signature)


def _is_signature_header(header: SignatureHeader) -> bool:
    return bool(header.nonce and header.creator)


def _read_data(header: Header, data: bytes) -> tuple[TxCode, EndorsedAction | None]:
    """By type, what is checked once the creator's signature is known to be good."""
    if header.channel.type == HeaderType.ENDORSER_TRANSACTION:
        if header.channel.tx_id != compute_tx_id(header.signature.nonce, header.signature.creator):
            return TxCode.BAD_PROPOSAL_TXID, None
        transaction = _read_endorser_transaction(header, data)
        if transaction is None:
            return TxCode.INVALID_ENDORSER_TRANSACTION, None
        return TxCode.VALID, _read_action(header, transaction)
    if header.channel.type == HeaderType.CONFIG:
        return (TxCode.VALID if data else TxCode.INVALID_CONFIG_TRANSACTION), None
    return TxCode.UNSUPPORTED_TX_PAYLOAD, None


def _read_endorser_transaction(header: Header, data: bytes) -> EndorserTransaction | None:
    """Validation validateEndorserTransaction. The hash is over the action's own header, whoever's that is."""
    try:
        action_header, action_payload = parse_only_action(data)
        # Mostly the envelope's own signature header again, which is one.
        if action_header != header.signature_bytes and not _is_signature_header(parse_signature_header(action_header)):
            return None
        transaction = parse_action(action_header, action_payload)
    except MalformedMessage:
        return None
    return transaction if _is_bound(header, transaction) else None


def _is_bound(header: Header, transaction: EndorserTransaction) -> bool:
    """Whether the endorsers signed for this proposal. Protoutil GetProposalHash2 makes no hash of nothing."""
    expected = proposal_hash(header.channel_bytes, transaction.action_header, transaction.proposal_payload)
    return bool(transaction.proposal_payload) and transaction.proposal_hash == expected


def _read_action(header: Header, transaction: EndorserTransaction) -> EndorsedAction:
    """Plugindispatcher Dispatch, as far as it needs no ledger."""
    try:
        called = _called(header.channel.extension)
    except MalformedMessage:
        return EndorsedAction(transaction, TxCode.BAD_HEADER_EXTENSION)
    if not transaction.action_bytes:
        return EndorsedAction(transaction, TxCode.BAD_RESPONSE_PAYLOAD)
    try:
        action = parse_chaincode_action(transaction.action_bytes)
    except MalformedMessage:
        return EndorsedAction(transaction, TxCode.BAD_RESPONSE_PAYLOAD)
    try:
        results = UnreadRwSet(action.results)
    except MalformedMessage:
        return EndorsedAction(transaction, TxCode.BAD_RWSET, action)
    return EndorsedAction(transaction, _content_fault(called, action, results), action, results)


def _called(extension: bytes) -> str | None:
    """Which chaincode a header names; mostly one of a few."""
    return _named_in(extension) if len(extension) <= EXTENSION_BYTES_KEPT_MAX else _named_in.__wrapped__(extension)


@lru_cache(EXTENSIONS_KEPT_MAX)
def _named_in(extension: bytes) -> str | None:
    called = parse_chaincode_header_extension(extension)
    return None if called is None else called.name


def _content_fault(called: str | None, action: ChaincodeAction, results: UnreadRwSet) -> TxCode:
    """What the parts of a readable action say against each other."""
    if called is None or action.chaincode is None:
        return TxCode.INVALID_OTHER_REASON
    if not called or called != action.chaincode.name or not action.chaincode.version:
        return TxCode.INVALID_CHAINCODE
    if action.events:
        try:
            event = parse_chaincode_event(action.events)
        except MalformedMessage:
            return TxCode.INVALID_OTHER_REASON
        if event.chaincode_id != called:
            return TxCode.INVALID_OTHER_REASON
    return TxCode.ILLEGAL_WRITESET if results.repeats_namespace else TxCode.VALID

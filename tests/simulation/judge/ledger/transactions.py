"""One envelope of a block: what it says, and what is wrong with it by itself (core/common/validation, Dispatch)."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.judge.ledger.channel import ChannelConfig, Signed
from tests.simulation.judge.ledger.codes import Code
from tests.simulation.judge.ledger.members import Member, NoMember
from tests.simulation.judge.ledger.messages import (
    Unreadable,
    chaincode_event,
    common,
    kvrwset,
    proposals,
    read,
    responses,
    rwset,
    transactions,
)

ENDORSER_TRANSACTION, CONFIG, CONFIG_UPDATE = common.ENDORSER_TRANSACTION, common.CONFIG, common.CONFIG_UPDATE


@dataclass(slots=True)
class HashedSet:
    """A collection's part of a namespace."""

    collection: str
    hashed: Any  # kvrwset.HashedRWSet
    set_hash: bytes = b""  # of the private set; empty where nothing is written


@dataclass(slots=True)
class Namespace:
    """What a transaction does in one namespace."""

    name: str
    public: Any  # kvrwset.KVRWSet
    collections: list[HashedSet]

    @property
    def is_written(self) -> bool:
        """TxWritesToNamespace."""
        parts = [self.public.writes, self.public.metadata_writes]
        for each in self.collections:
            parts += [each.hashed.hashed_writes, each.hashed.metadata_writes]
        return any(parts)


@dataclass(slots=True)
class Transaction:
    """An envelope as far as it can be read.

    `form` is the verdict on the envelope and its creator's signature; `content` that on the action, which is looked
    at only once the id is known to be new.
    """

    tx_id: str = ""  # by which the ledger finds it
    header: Any = None  # common.ChannelHeader
    creator: Member | None = None
    data: bytes = b""
    form: Code = Code.VALID
    content: Code = Code.VALID
    proposal: bytes = b""  # protos.ChaincodeProposalPayload
    endorsements: list[Signed] = field(default_factory=list)
    action: Any = None  # protos.ChaincodeAction
    namespaces: list[Namespace] = field(default_factory=list)

    @property
    def is_endorsed(self) -> bool:
        return bool(self.header.type == ENDORSER_TRANSACTION)


def read_transaction(raw: bytes, config: ChannelConfig) -> Transaction:
    """All that can be known of an envelope without the ledger (ValidateTransaction)."""
    transaction = Transaction()
    try:
        envelope = read(common.Envelope, raw)
    except Unreadable:
        transaction.form = Code.INVALID_OTHER_REASON
        return transaction
    try:
        payload = read(common.Payload, envelope.payload)
    except Unreadable:
        transaction.form = Code.BAD_PAYLOAD
        return transaction
    transaction.data = payload.data
    transaction.tx_id = _indexed_id(payload)
    transaction.form = _check_form(transaction, envelope, payload, config)
    return transaction


def _indexed_id(payload: Any) -> str:
    """GetOrComputeTxIDFromEnvelope: by which id the ledger finds whatever this is."""
    try:
        header = read(common.ChannelHeader, payload.header.channel_header)
        if header.tx_id or not payload.HasField("header"):
            return str(header.tx_id)
        return _computed_id(read(common.SignatureHeader, payload.header.signature_header))
    except Unreadable:
        return ""


def _computed_id(header: Any) -> str:
    return hashlib.sha256(header.nonce + header.creator).hexdigest()


def _check_form(transaction: Transaction, envelope: Any, payload: Any, config: ChannelConfig) -> Code:
    if not payload.HasField("header"):
        return Code.BAD_COMMON_HEADER
    try:
        header = transaction.header = read(common.ChannelHeader, payload.header.channel_header)
        signature_header = read(common.SignatureHeader, payload.header.signature_header)
    except Unreadable:
        return Code.BAD_COMMON_HEADER
    if header.type not in (ENDORSER_TRANSACTION, CONFIG, CONFIG_UPDATE) or header.epoch != 0:
        return Code.BAD_COMMON_HEADER
    if not signature_header.nonce or not signature_header.creator:
        return Code.BAD_COMMON_HEADER
    try:
        creator = transaction.creator = config.member(signature_header.creator)
    except NoMember:
        return Code.BAD_CREATOR_SIGNATURE
    # An envelope of another channel finds no MSP that knows its creator.
    if header.channel_id != config.channel_id or creator.fault:
        return Code.BAD_CREATOR_SIGNATURE
    if not creator.signed(envelope.payload, envelope.signature):
        return Code.BAD_CREATOR_SIGNATURE
    if header.type == CONFIG:
        return Code.VALID if payload.data else Code.INVALID_CONFIG_TRANSACTION
    if header.type == CONFIG_UPDATE:
        return Code.UNSUPPORTED_TX_PAYLOAD
    if header.tx_id != _computed_id(signature_header):
        return Code.BAD_PROPOSAL_TXID
    return _read_action(transaction, payload.header.channel_header)


def _read_action(transaction: Transaction, channel_header: bytes) -> Code:
    """ValidateEndorserTransaction. The hash is over the action's own header, whoever's that is."""
    try:
        actions = read(transactions.Transaction, transaction.data).actions
        if len(actions) != 1:
            return Code.INVALID_ENDORSER_TRANSACTION
        own_header = read(common.SignatureHeader, actions[0].header)
        if not own_header.nonce or not own_header.creator:
            return Code.INVALID_ENDORSER_TRANSACTION
        payload = read(transactions.ChaincodeActionPayload, actions[0].payload)
        endorsed = payload.action.proposal_response_payload
        response = read(responses.ProposalResponsePayload, endorsed)
    except Unreadable:
        return Code.INVALID_ENDORSER_TRANSACTION
    transaction.proposal = payload.chaincode_proposal_payload
    hashed = hashlib.sha256(channel_header + actions[0].header + transaction.proposal).digest()
    if not transaction.proposal or hashed != response.proposal_hash:
        return Code.INVALID_ENDORSER_TRANSACTION
    transaction.endorsements = [
        Signed(each.endorser, endorsed + each.endorser, each.signature) for each in payload.action.endorsements
    ]
    transaction.content = _check_content(transaction, response.extension)
    return Code.VALID


def _check_content(transaction: Transaction, extension: bytes) -> Code:
    """What plugindispatcher Dispatch looks at before any policy."""
    try:
        called = read(proposals.ChaincodeHeaderExtension, transaction.header.extension)
    except Unreadable:
        return Code.BAD_HEADER_EXTENSION
    try:
        action = transaction.action = read(proposals.ChaincodeAction, extension)
    except Unreadable:
        return Code.BAD_RESPONSE_PAYLOAD
    if not extension:
        return Code.BAD_RESPONSE_PAYLOAD
    try:
        transaction.namespaces = _read_namespaces(action.results)
    except Unreadable:
        return Code.BAD_RWSET
    if not called.HasField("chaincode_id") or not action.HasField("chaincode_id"):
        return Code.INVALID_OTHER_REASON
    name = called.chaincode_id.name
    if not name or name != action.chaincode_id.name or not action.chaincode_id.version:
        return Code.INVALID_CHAINCODE
    if action.events:
        try:
            if read(chaincode_event.ChaincodeEvent, action.events).chaincode_id != name:
                return Code.INVALID_OTHER_REASON
        except Unreadable:
            return Code.INVALID_OTHER_REASON
    names = [namespace.name for namespace in transaction.namespaces]
    return Code.VALID if len(set(names)) == len(names) else Code.ILLEGAL_WRITESET


def _read_namespaces(results: bytes) -> list[Namespace]:
    return [
        Namespace(
            each.namespace,
            read(kvrwset.KVRWSet, each.rwset),
            [
                HashedSet(part.collection_name, read(kvrwset.HashedRWSet, part.hashed_rwset), part.pvt_rwset_hash)
                for part in each.collection_hashed_rwset
            ],
        )
        for each in read(rwset.TxReadWriteSet, results).ns_rwset
    ]

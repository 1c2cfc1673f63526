"""A chain of blocks checked again from its genesis block alone, as somebody would who trusts no peer.

Takes blocks as an orderer delivers them or as a peer stores them. Header chain, data hashes, orderers' signatures,
creators' and endorsers' signatures, ids, proposal hashes and configurations are derived again; of a peer's blocks the
verdicts that form alone decides, and the commit hash over all verdicts and writes, as well.

What is not: whether a policy was met and a read still held. Whoever wants that judges the blocks as a peer does; the
commit hash says whether two that did agree.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from privysharing.protocol.block_checks import (
    block_signers,
    check_data,
    check_link,
    check_metadata,
    check_signatures,
)
from privysharing.protocol.block_updates import BlockUpdates
from privysharing.protocol.blocks import Block, MetadataIndex, header_hash
from privysharing.protocol.channel import update
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import (
    encode_block,
    encode_commit_hash,
    encode_orderer_metadata,
    metadata_entry,
    parse_block,
    parse_commit_hash,
    parse_filter,
    parse_last_config,
    parse_orderer_metadata,
)
from privysharing.protocol.codes import HeaderType, TxCode
from privysharing.protocol.commit_hash import next_commit_hash
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.reading import EndorsedAction, ReadTransaction, read_transaction
from privysharing.protocol.rwsets import Update, UpdateBatch, Version, VersionedValue
from privysharing.protocol.signers import Signers, formal_verdict, verify_all

# Verdicts that follow from a transaction's bytes: a peer gives them then, and only then.
FORMAL_CODES = frozenset(
    {
        TxCode.NIL_ENVELOPE,
        TxCode.BAD_PAYLOAD,
        TxCode.BAD_COMMON_HEADER,
        TxCode.BAD_CREATOR_SIGNATURE,
        TxCode.INVALID_ENDORSER_TRANSACTION,
        TxCode.INVALID_CONFIG_TRANSACTION,
        TxCode.UNSUPPORTED_TX_PAYLOAD,
        TxCode.BAD_PROPOSAL_TXID,
        TxCode.BAD_HEADER_EXTENSION,
        TxCode.BAD_RESPONSE_PAYLOAD,
        TxCode.BAD_RWSET,
        TxCode.ILLEGAL_WRITESET,
    }
)

# What to call a fault by which a transaction marked as valid is not: the rest is the filter's.
_CHECKS = {
    TxCode.BAD_CREATOR_SIGNATURE: "creator_signature",
    TxCode.BAD_PROPOSAL_TXID: "tx_id",
    TxCode.DUPLICATE_TXID: "tx_id",
    TxCode.INVALID_ENDORSER_TRANSACTION: "proposal_hash",
}

K = TypeVar("K")
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """What does not hold: a word for programs, and the particulars for people."""

    check: str
    detail: str
    transaction: int | None = None  # its place in the block, if it is one transaction's


@dataclass(frozen=True, slots=True)
class Reading:
    """A block's transactions with their signers, under the configuration before it: for whoever judges it further."""

    transactions: tuple[ReadTransaction, ...]
    signers: tuple[Signers, ...]
    config: ChannelConfig


class Broken(Exception):
    """Ends the checks of a block at its first fault."""

    def __init__(self, check: str, detail: object, transaction: int | None = None) -> None:
        super().__init__(str(detail))
        self.fault = Fault(check, str(detail), transaction)


@dataclass(slots=True)
class BlockReport:
    """What an audit found of one block. Without a fault everything was checked but what `notes` says."""

    number: int | None = None  # None: the bytes are no block
    header_hash: bytes = b""
    channel_id: str = ""
    config_sequence: int = 0  # in force after the block
    orderers: tuple[str, ...] = ()  # MSP ids of those who signed it
    tx_ids: tuple[TxId, ...] = ()
    verdicts: tuple[TxCode, ...] | None = None  # as stored; None: as an orderer delivered it, not judged yet
    commit_hash: bytes = b""  # as stored
    commit_hash_checked: bool = False
    notes: list[str] = field(default_factory=list)
    fault: Fault | None = None
    reading: Reading | None = None  # None: the genesis block, or a fault before its transactions

    def as_dict(self) -> dict[str, object]:
        """For a line of JSON."""
        return {
            "block": self.number,
            "ok": self.fault is None,
            "hash": self.header_hash.hex(),
            "channel": self.channel_id,
            "config_sequence": self.config_sequence,
            "orderers": list(self.orderers),
            "transactions": len(self.tx_ids),
            "verdicts": None if self.verdicts is None else [code.name for code in self.verdicts],
            "commit_hash": self.commit_hash.hex(),
            "commit_hash_checked": self.commit_hash_checked,
            "notes": self.notes,
            "fault": None if self.fault is None else {"check": self.fault.check, "detail": self.fault.detail},
        }


def verify_chain(genesis: Block, blocks: Iterable[bytes]) -> Iterator[BlockReport]:
    """Check consecutive blocks, the genesis block among them or not; the first report with a fault is the last."""
    try:
        audit = ChainAudit(genesis)
    except (Broken, ProtocolError) as error:
        fault = error.fault if isinstance(error, Broken) else Fault("genesis", str(error))
        yield BlockReport(number=genesis.header.number, fault=fault)
        return
    for raw in blocks:
        report = audit.check(raw)
        yield report
        if report.fault is not None:
            return


class ChainAudit:
    """What an audit knows after the blocks so far. The genesis block is taken on trust, once it is whole."""

    def __init__(self, genesis: Block) -> None:
        if genesis.header.number != 0:
            raise Broken("genesis", f"block {genesis.header.number} is no genesis block")
        _guard("data", check_data, genesis)
        self._genesis = genesis
        self._config = ChannelConfig.from_block(genesis)
        self._config_block = 0
        self._height = 1
        self._tip = header_hash(genesis.header)
        self._ids = {read_transaction(envelope).tx_id for envelope in genesis.data}
        self._state = _State()
        self._commit_hash = b""
        self._all_judged = True  # no block so far came without verdicts, so the state is known
        self._has_commit_hashes = True

    def check(self, raw: bytes) -> BlockReport:
        """The next block, or the genesis block before any other."""
        report = BlockReport(channel_id=self._config.channel_id, config_sequence=self._config.sequence)
        try:
            block = _guard("encoding", parse_block, raw)
            report.number, report.header_hash = block.header.number, header_hash(block.header)
            if encode_block(block) != raw:
                raise Broken("encoding", "the bytes hold something that is no part of a block")
            if block.header.number == 0 and self._height == 1:
                self._check_genesis(block, report)
            else:
                self._check_next(block, report)
        except Broken as broken:
            report.fault = broken.fault
        return report

    def _check_genesis(self, block: Block, report: BlockReport) -> None:
        """A copy of the genesis block, which a peer has given a verdict."""
        if block.header != self._genesis.header or block.data != self._genesis.data:
            raise Broken("genesis", "block 0 is not the genesis block of this chain")
        _guard("metadata", check_metadata, block)
        for index in (MetadataIndex.SIGNATURES, MetadataIndex.LAST_CONFIG, MetadataIndex.ORDERER):
            if metadata_entry(block, index) != metadata_entry(self._genesis, index):
                raise Broken("metadata", f"entry {index.name} is not the genesis block's")
        if metadata_entry(block, MetadataIndex.COMMIT_HASH):
            raise Broken("commit_hash", "commit hashes begin at block 1")
        report.tx_ids = tuple(read_transaction(envelope).tx_id for envelope in block.data)
        report.verdicts = _stored_verdicts(block)
        if report.verdicts is not None and report.verdicts != (TxCode.VALID,):
            raise Broken("filter", "the genesis block is not marked as valid")

    def _check_next(self, block: Block, report: BlockReport) -> None:
        _guard("header", check_link, block.header, self._height, self._tip)
        _guard("metadata", check_metadata, block)
        _check_metadata_form(block)
        _guard("data", check_data, block)
        self._check_orderers(block, report)
        transactions = [read_transaction(envelope) for envelope in block.data]
        report.tx_ids = tuple(tx.tx_id for tx in transactions)
        signers = verify_all(transactions, self._config.channel_id, self._config.msps)
        report.reading = Reading(tuple(transactions), tuple(signers), self._config)
        report.verdicts = _stored_verdicts(block)
        accepted = self._check_transactions(report.reading, report)
        self._follow_config(block, transactions, accepted)
        report.config_sequence = self._config.sequence
        self._check_commit_hash(block, transactions, report)
        self._height += 1
        self._tip = report.header_hash
        self._ids.update(report.tx_ids)

    def _check_orderers(self, block: Block, report: BlockReport) -> None:
        """Stricter than a peer, which passes bad signatures over if the good ones suffice."""
        _guard("orderer_signature", check_signatures, block, self._config)
        signers = block_signers(block, self._config)
        report.orderers = tuple(signer.msp_id for signer in signers)
        if len(signers) != len(parse_orderer_metadata(block).signatures):
            raise Broken("orderer_signature", "a signature in the block's metadata is not its orderer's")

    def _check_transactions(self, reading: Reading, report: BlockReport) -> list[bool]:
        """Every transaction by itself; whether each may have an effect."""
        accepted = []
        valid_ids: set[TxId] = set()
        for index, (tx, signers) in enumerate(zip(reading.transactions, reading.signers, strict=True)):
            derived = self._derived_verdict(tx, signers)
            if report.verdicts is None:
                if derived is not TxCode.VALID:
                    report.notes.append(f"transaction {index} will be {derived.name}")
            else:
                _check_verdict(index, derived, report.verdicts[index])
                if report.verdicts[index] is TxCode.VALID and tx.endorsed is not None:
                    if tx.tx_id in valid_ids:
                        raise Broken(
                            "tx_id", f"transaction {index} is marked as valid, and so is its twin before it", index
                        )
                    valid_ids.add(tx.tx_id)
                    self._check_endorsements(index, tx.endorsed, signers, report)
            stored = derived if report.verdicts is None else report.verdicts[index]
            accepted.append(stored is TxCode.VALID)
        return accepted

    def _derived_verdict(self, tx: ReadTransaction, signers: Signers) -> TxCode:
        verdict = formal_verdict(tx, signers)
        if verdict is not TxCode.VALID or tx.endorsed is None:
            return verdict
        return TxCode.DUPLICATE_TXID if tx.tx_id in self._ids else tx.endorsed.fault

    def _check_endorsements(self, index: int, tx: EndorsedAction, signers: Signers, report: BlockReport) -> None:
        """A peer passes bad endorsements over too, and a policy may need none: only all of them bad is a fault."""
        found, good = len(tx.transaction.endorsements), len(signers.endorsers)
        if found and not good:
            raise Broken("endorsement", f"transaction {index} is marked as valid, but no endorser signed it", index)
        if good < found:
            report.notes.append(f"transaction {index}: {good} of {found} endorsements count")

    def _follow_config(self, block: Block, transactions: Sequence[ReadTransaction], accepted: Sequence[bool]) -> None:
        for tx, effective in zip(transactions, accepted, strict=True):
            if effective and tx.type == HeaderType.CONFIG:
                self._config = _guard("config", update.validate, self._config, tx.data)
                self._config_block = block.header.number
        metadata = parse_orderer_metadata(block)
        if metadata.value and metadata.last_config != self._config_block:
            raise Broken(
                "last_config",
                f"the block names {metadata.last_config} as the last configuration block, not {self._config_block}",
            )

    def _check_commit_hash(self, block: Block, transactions: Sequence[ReadTransaction], report: BlockReport) -> None:
        number = block.header.number
        report.commit_hash = parse_commit_hash(metadata_entry(block, MetadataIndex.COMMIT_HASH))
        self._all_judged &= report.verdicts is not None
        if not self._all_judged or report.verdicts is None:
            report.notes.append("commit hash not checked: the verdicts so far are not all known")
            return
        if number == 1:
            self._has_commit_hashes = bool(report.commit_hash)
        updates = self._state.commit(number, transactions, report.verdicts)
        verdicts = metadata_entry(block, MetadataIndex.TRANSACTIONS_FILTER)
        expected = next_commit_hash(number, self._commit_hash, verdicts, updates) if self._has_commit_hashes else b""
        if report.commit_hash != expected:
            raise Broken("commit_hash", f"commit hash is {report.commit_hash.hex()}, expected {expected.hex()}")
        report.commit_hash_checked = self._has_commit_hashes
        self._commit_hash = expected


class _State:
    """As much of the state as commit hashes depend on: a write of metadata alone hashes the value it leaves."""

    def __init__(self) -> None:
        self._public: dict[tuple[str, str], VersionedValue] = {}
        self._hashed: dict[tuple[str, str, bytes], VersionedValue] = {}

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        """A public key."""
        return self._public.get((namespace, key))

    def get_hashed(self, namespace: str, collection: str, key_hash: bytes) -> VersionedValue | None:
        """A key of a collection's hashed space."""
        return self._hashed.get((namespace, collection, key_hash))

    def may_have_metadata(self, namespace: str, collection: str = "") -> bool:
        """To look costs nothing here."""
        return True

    def commit(self, number: int, transactions: Sequence[ReadTransaction], verdicts: Sequence[TxCode]) -> UpdateBatch:
        """Apply the block's valid transactions. Configurations change no key that a commit hash covers."""
        updates = BlockUpdates(self)
        for index, (tx, verdict) in enumerate(zip(transactions, verdicts, strict=True)):
            if verdict is TxCode.VALID and tx.endorsed is not None:
                updates.apply(tx.endorsed.rwset, Version(number, index))
        batch = updates.batch()
        for namespace, keys in batch.public.items():
            for key, changed in keys.items():
                _put(self._public, (namespace, key), changed)
        for place, hashes in batch.hashed.items():
            for key_hash, changed in hashes.items():
                _put(self._hashed, (*place, key_hash), changed)
        return batch


def _put(values: dict[K, VersionedValue], place: K, changed: Update) -> None:
    if changed.value is None:
        values.pop(place, None)
    else:
        values[place] = VersionedValue(changed.value, changed.version, changed.metadata)


def _guard(check: str, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one check of the protocol; what it refuses is a fault of that name."""
    try:
        return step(*args, **kwargs)
    except ProtocolError as error:
        raise Broken(check, error) from None


def _check_metadata_form(block: Block) -> None:
    """Entries hold nothing but what they are read for: no signature covers them all."""
    orderers = _guard("metadata", parse_orderer_metadata, block)
    last_config = metadata_entry(block, MetadataIndex.LAST_CONFIG)
    commit_hash = metadata_entry(block, MetadataIndex.COMMIT_HASH)
    if encode_orderer_metadata(orderers.value, orderers.signatures) != block.metadata[MetadataIndex.SIGNATURES]:
        raise Broken("metadata", "entry SIGNATURES holds something else")
    if last_config and _guard("metadata", parse_last_config, last_config) != orderers.last_config:
        raise Broken("metadata", "entry LAST_CONFIG contradicts entry SIGNATURES")
    if encode_commit_hash(_guard("metadata", parse_commit_hash, commit_hash)) != commit_hash:
        raise Broken("metadata", "entry COMMIT_HASH holds something else")


def _stored_verdicts(block: Block) -> tuple[TxCode, ...] | None:
    """What a peer made of the block; None when none has judged it."""
    entry = metadata_entry(block, MetadataIndex.TRANSACTIONS_FILTER)
    if not entry:
        return None
    verdicts = _guard("filter", parse_filter, entry)
    if len(verdicts) != len(block.data):
        raise Broken("filter", f"{len(verdicts)} verdicts on {len(block.data)} transactions")
    return verdicts


def _check_verdict(index: int, derived: TxCode, stored: TxCode) -> None:
    """A verdict on form follows from the bytes, both ways; the others also depend on what was committed before."""
    if derived is not TxCode.VALID:
        if stored is not derived:
            check = _CHECKS.get(derived, "filter")
            raise Broken(check, f"transaction {index} is {derived.name}, but marked as {stored.name}", index)
    elif stored in FORMAL_CODES:
        raise Broken("filter", f"transaction {index} is marked as {stored.name}, which it is not", index)

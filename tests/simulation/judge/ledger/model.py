"""The serial model of a channel: feed it blocks in order, then ask it what every peer must say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.judge.invocations import Invocation
from tests.simulation.judge.ledger import chain
from tests.simulation.judge.ledger.channel import ChannelConfig, NotNext, genesis_config, next_config
from tests.simulation.judge.ledger.codes import BadBlock, Code, Wrong
from tests.simulation.judge.ledger.endorsement import Endorsements, Halted
from tests.simulation.judge.ledger.messages import Unreadable, chaincode, chaincode_event, common, proposals, read
from tests.simulation.judge.ledger.reads import conflict
from tests.simulation.judge.ledger.state import Entry, Place, State, Updates, Version, commit_hash
from tests.simulation.judge.ledger.transactions import CONFIG, Transaction, read_transaction
from tests.simulation.judge.operations import Block as ToldBlock
from tests.simulation.judge.operations import Place as TxPlace

SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a public key's history (kvledger/history). Peers tell no version: the id says it."""

    tx_id: str
    is_delete: bool
    value: bytes
    timestamp_ns: int | None
    version: Version | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class JudgedBlock:
    """A block and what it comes to. `config` was in force before it, and `link` is what it had to follow."""

    number: int
    header: bytes  # as hashed
    data: tuple[bytes, ...]
    codes: tuple[Code, ...]
    tx_ids: tuple[str, ...]
    commit_hash: bytes
    config: ChannelConfig | None = field(repr=False)
    link: chain.Link | None = field(repr=False)


class LedgerModel:
    """One channel from its genesis block on. Raises BadBlock for a block that no honest ordering service makes."""

    def __init__(self, genesis: bytes) -> None:
        block = chain.read_block(genesis)
        chain.check_genesis(block)
        try:
            payload = read(common.Payload, read(common.Envelope, block.data.data[0]).payload)
            self.channel_id: str = read(common.ChannelHeader, payload.header.channel_header).channel_id
            self.config = genesis_config(self.channel_id, payload.data)
        except Unreadable as error:
            raise BadBlock(Wrong.WRONG_CONFIG, 0, str(error)) from error
        self.blocks: list[JudgedBlock] = []
        self.valid: list[tuple[Transaction, Version]] = []  # transactions, in order
        self.invocations: list[Invocation] = []  # what they called
        self.state = State()
        self._places: dict[str, list[TxPlace]] = {}
        self._history: dict[tuple[str, str], list[Change]] = {}
        self._link = chain.Link(0, chain.header_hash(block.header), 0, -1)
        transaction = read_transaction(block.data.data[0], self.config)
        updates = Updates(self.state)
        updates.put_config(transaction.data, (0, 0))
        self._record(block, [transaction], [Code.VALID], updates, None, None)

    @property
    def height(self) -> int:
        return len(self.blocks)

    def append(self, raw: bytes) -> JudgedBlock:
        """Judge the next block. Whatever a peer wrote into it is not looked at."""
        block, config, link = chain.read_block(raw), self.config, self._link
        following = chain.check_next(block, link, config)
        transactions = [read_transaction(each, config) for each in block.data.data]
        try:
            codes = self._judge_alone(transactions)
        except Halted as error:
            raise BadBlock(Wrong.HALTED, block.header.number, str(error)) from error
        self._configure(block.header.number, transactions, codes)
        updates = self._judge_in_order(block.header.number, transactions, codes)
        self._link = following
        return self._record(block, transactions, codes, updates, config, link)

    def places(self, tx_id: str) -> Sequence[TxPlace]:
        """Where in the chain an id is, valid or not."""
        return self._places.get(tx_id, ())

    def times_valid(self, tx_id: str) -> int:
        """How often a transaction happened: once, or never."""
        return sum(place.code == Code.VALID.name for place in self.places(tx_id))

    def told_blocks(self) -> list[ToldBlock]:
        """Ids and verdicts of every block, as the judge of histories wants them."""
        return [
            ToldBlock(
                block.number, tuple((tx_id, code.name) for tx_id, code in zip(block.tx_ids, block.codes, strict=True))
            )
            for block in self.blocks
        ]

    def history(self, namespace: str, key: str, height: int | None = None) -> list[Change]:
        """What valid transactions did to a public key, oldest first."""
        below = self.height if height is None else height
        return [each for each in self._history.get((namespace, key), ()) if each.version and each.version[0] < below]

    def keys_with_history(self) -> Iterator[tuple[str, str]]:
        yield from self._history

    def state_at(self, height: int) -> dict[Place, Entry]:
        """What stands where after that many blocks."""
        return dict(self.state.at(height))

    def _judge_alone(self, transactions: Sequence[Transaction]) -> list[Code]:
        """Each by itself on the state before the block; then, of those that are valid so far, the twins.

        TxValidator Validate, markTXIdDuplicates: one that failed its policy does not use up its id within the block,
        though in every later one it does.
        """
        endorsements = Endorsements(self.config, self.state)
        codes = []
        for transaction in transactions:
            code = transaction.form
            if code is Code.VALID and transaction.is_endorsed:
                code = Code.DUPLICATE_TXID if transaction.tx_id in self._places else transaction.content
                code = endorsements.judge(transaction) if code is Code.VALID else code
            codes.append(code)
        seen: set[str] = set()
        for index, transaction in enumerate(transactions):
            if codes[index] is Code.VALID and transaction.is_endorsed:
                if transaction.tx_id in seen:
                    codes[index] = Code.DUPLICATE_TXID
                seen.add(transaction.tx_id)
        return codes

    def _configure(self, number: int, transactions: Sequence[Transaction], codes: Sequence[Code]) -> None:
        """Put a new configuration in force. One that does not follow halts every peer."""
        for transaction, code in zip(transactions, codes, strict=True):
            if code is Code.VALID and transaction.header.type == CONFIG:
                if len(transactions) > 1:
                    raise BadBlock(Wrong.CONFIG_IN_COMPANY, number)
                try:
                    self.config = next_config(self.config, transaction.data)
                except (NotNext, Unreadable) as error:
                    raise BadBlock(Wrong.WRONG_CONFIG, number, str(error)) from error

    def _judge_in_order(self, number: int, transactions: Sequence[Transaction], codes: list[Code]) -> Updates:
        """What each read must still hold after the valid ones before it (validateAndPrepareBatch)."""
        updates = Updates(self.state)
        for index, transaction in enumerate(transactions):
            if codes[index] is not Code.VALID:
                continue
            if not transaction.is_endorsed:
                updates.put_config(transaction.data, (number, index))
                continue
            codes[index] = conflict(transaction.namespaces, updates, self.state)
            if codes[index] is Code.VALID:
                updates.apply(transaction.namespaces, (number, index))
        return updates

    def _record(
        self,
        block: Any,
        transactions: Sequence[Transaction],
        codes: Sequence[Code],
        updates: Updates,
        config: ChannelConfig | None,
        link: chain.Link | None,
    ) -> JudgedBlock:
        number = block.header.number
        previous = self.blocks[-1].commit_hash if self.blocks else b""
        hashed = commit_hash(number, previous, bytes(codes), updates.entries)
        self.state.apply(updates.entries)
        for index, (transaction, code) in enumerate(zip(transactions, codes, strict=True)):
            self._places.setdefault(transaction.tx_id, []).append(TxPlace(number, index, code.name))
            if code is Code.VALID and transaction.is_endorsed:
                self._record_history(transaction, (number, index))
                self.valid.append((transaction, (number, index)))
                self.invocations.append(_invocation(transaction, (number, index)))
        ids = tuple(transaction.tx_id for transaction in transactions)
        header = chain.header_bytes(block.header)
        judged = JudgedBlock(number, header, tuple(block.data.data), tuple(codes), ids, hashed, config, link)
        self.blocks.append(judged)
        return judged

    def _record_history(self, transaction: Transaction, version: Version) -> None:
        for namespace in transaction.namespaces:
            # The first write of a key is what Fabric finds when it is asked for its history.
            for write in reversed(namespace.public.writes):
                is_delete = write.is_delete or not write.value
                change = Change(transaction.tx_id, is_delete, write.value, timestamp(transaction.header), version)
                found = self._history.setdefault((namespace.name, write.key), [])
                if found and found[-1].version == version:
                    found.pop()
                found.append(change)


def _invocation(transaction: Transaction, version: Version) -> Invocation:
    """What a valid transaction was, for whoever knows its contract."""
    action, creator, header = transaction.action, transaction.creator, transaction.header
    assert creator is not None
    name = action.chaincode_id.name
    function, *args = _arguments(transaction.proposal) or (b"",)
    event = read(chaincode_event.ChaincodeEvent, action.events) if action.events else None
    return Invocation(
        tx_id=transaction.tx_id,
        block=version[0],
        index=version[1],
        chaincode=name,
        function=function.decode(errors="replace"),
        args=tuple(args),
        msp_id=creator.msp_id,
        common_name=creator.common_name,
        timestamp_ns=timestamp(header) or 0,
        payload=action.response.payload,
        writes={
            write.key: None if write.is_delete or not write.value else write.value
            for namespace in transaction.namespaces
            if namespace.name == name
            for write in namespace.public.writes
        },
        event=(event.event_name, event.payload) if event else None,
        units=creator.units,
        role=creator.attributes.get("role", ""),
    )


def timestamp(header: Any) -> int | None:
    """When a client says that it made a transaction."""
    if not header.HasField("timestamp"):
        return None
    return int(header.timestamp.seconds * SECOND_NS + header.timestamp.nanos)


def _arguments(proposal: bytes) -> Sequence[bytes]:
    try:
        called = read(proposals.ChaincodeProposalPayload, proposal).input
        return list(read(chaincode.ChaincodeInvocationSpec, called).chaincode_spec.input.args)
    except Unreadable:
        return ()

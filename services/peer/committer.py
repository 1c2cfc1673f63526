"""A channel's pipeline: read -> verify signatures -> judge -> find private data -> store -> tell.

One block overtakes no other.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codes import HeaderType, TxCode
from privysharing.protocol.lifecycle import LIFECYCLE
from privysharing.protocol.reading import ReadTransaction, read_transaction
from privysharing.protocol.signers import Signers, Vouched, verify_all
from privysharing.protocol.transactions import ChaincodeId
from services.peer.backlog import Backlog
from services.peer.commits import make_commit
from services.peer.ledger.types import AppendTimes, Commit, LedgerPort
from services.peer.metrics import LedgerMetrics
from services.peer.notifier import CommitNotifier
from services.peer.private_data.needed import NOTHING, PrivatePart
from services.peer.private_data.resolving import kept_sets
from services.peer.private_data.store import PrivateStore
from services.peer.private_data.types import Missing, Place, PrivateSet, Resolver
from services.peer.validation.validate import accept_genesis, read_block, validate_block
from services.peer.verifier import Answer, Verifier, WrongAnswer, signers_of

# Submitting a job costs about 50 us, verifying one transaction's signatures about 100: a block is shared between
# threads when each gets at least this many.
TRANSACTIONS_PER_JOB_MIN = 25
BLOCKS_AHEAD_MAX = 4  # begun, besides the one that is stored: enough for threads and another process
FIND_SECONDS_MAX = 30.0  # for private sets of a block, whatever a resolver itself allows

# Verdicts on transactions whose endorsers vouch for the chaincode that they name: labels must not grow at will.
_ENDORSED_CODES = frozenset((TxCode.VALID, TxCode.MVCC_READ_CONFLICT, TxCode.PHANTOM_READ_CONFLICT))

_log = logging.getLogger(__name__)


# Takes a block that is stored, its transactions as they were read, and the verdicts on them.
OnBlock = Callable[[Block, Sequence[ReadTransaction], Sequence[TxCode]], None]


@dataclass(frozen=True, slots=True)
class Workers:
    """Threads for work that would hold up the event loop. `store` has one, so that blocks are stored in order.

    `verifier` may be another process, for a peer that does not keep up.
    """

    crypto: Executor
    store: Executor
    verifier: Verifier
    parts: int = 1  # among how many crypto threads one block is shared, while others check and store its neighbours


@dataclass(frozen=True, slots=True)
class VerifiedBlock:
    """A block that has been read, with the signers of each transaction."""

    block: Block
    transactions: tuple[ReadTransaction, ...]
    signers: tuple[Signers, ...]
    seconds: float  # of reading and verifying: of the part that took longest, or of both processes


@dataclass(frozen=True, slots=True)
class JudgedBlock:
    """A block that is not stored yet: somebody has to look for its private sets."""

    commit: Commit
    config: ChannelConfig | None
    judging: float  # seconds
    part: PrivatePart
    kept: Mapping[Place, PrivateSet]  # what is here already
    lacking: Sequence[Missing]


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block on the ledger, and the configuration that it puts in force, if any."""

    commit: Commit
    config: ChannelConfig | None
    judging: float  # seconds
    times: AppendTimes


class Committer:
    """Judges and stores the blocks of one channel, which somebody else has found to be the channel's next ones."""

    def __init__(
        self,
        ledger: LedgerPort,
        config: ChannelConfig,
        notifier: CommitNotifier,
        workers: Workers,
        metrics: LedgerMetrics,
        on_config: Callable[[ChannelConfig], None],
        private: PrivateStore,
        resolver: Resolver,
        vouched: Vouched = (),
        on_block: OnBlock | None = None,
    ) -> None:
        """`vouched` holds endorsements whose signatures nobody needs to verify; `on_block` is told before anybody.

        `resolver` finds the private sets that `private` is to hold.
        """
        self._ledger = ledger
        self._config = config
        self._notifier = notifier
        self._workers = workers
        self._metrics = metrics
        self._on_config = on_config
        self._private = private
        self._resolver = resolver
        self._on_block = on_block
        self._vouched = vouched

    async def follow(self, blocks: AsyncIterator[Block]) -> None:
        """Commit blocks as they come; the next ones are verified while one is being stored.

        Whoever yields the blocks waits for the commit of a configuration block before yielding the next: what
        follows is verified under the new configuration.
        """
        # From `verify` to the loop below, in order.
        pipeline: asyncio.Queue[asyncio.Task[VerifiedBlock] | None] = asyncio.Queue(BLOCKS_AHEAD_MAX)
        waiting = self._metrics.waiting.of(self._ledger.channel_id)
        waiting.set(0)

        async def verify() -> None:
            backlog = Backlog()
            async for block in blocks:
                behind = backlog.is_behind(pipeline_full=pipeline.full())
                verifying = group.create_task(self._verify(block, behind=behind))
                waiting.inc()
                await pipeline.put(verifying)
            await pipeline.put(None)

        async with asyncio.TaskGroup() as group:
            group.create_task(verify())
            while (verifying := await pipeline.get()) is not None:
                block = await verifying
                waiting.dec()
                await self._store(block)

    async def commit(self, block: Block) -> tuple[TxCode, ...]:
        """Commit one block and return its verdicts."""
        return await self._store(await self._verify(block))

    async def _verify(self, block: Block, *, behind: bool = False) -> VerifiedBlock:
        config = self._config
        loop, crypto = asyncio.get_running_loop(), self._workers.crypto
        if behind and (answer := await self._workers.verifier.ask(block.data, config)) is not None:
            try:
                return await loop.run_in_executor(crypto, _read_answered, block, answer, config)
            except WrongAnswer as error:
                self._workers.verifier.pause(error)
        jobs = [
            loop.run_in_executor(crypto, self._read_and_verify, part, config)
            for part in _parts(block.data, self._workers.parts)
        ]
        parts = [await jobs[0]] if len(jobs) == 1 else await asyncio.gather(*jobs)
        transactions = tuple(tx for part, _, _ in parts for tx in part)
        signers = tuple(by for _, part, _ in parts for by in part)
        return VerifiedBlock(block, transactions, signers, max(seconds for _, _, seconds in parts))

    def _read_and_verify(
        self, envelopes: Sequence[bytes], config: ChannelConfig
    ) -> tuple[list[ReadTransaction], list[Signers], float]:
        """One job of a block: while it verifies a signature, another may read. The last is how many seconds it took."""
        started = time.perf_counter()
        transactions = [read_transaction(envelope) for envelope in envelopes]
        signers = verify_all(transactions, config.channel_id, config.msps, self._vouched)
        return transactions, signers, time.perf_counter() - started

    async def _store(self, verified: VerifiedBlock) -> tuple[TxCode, ...]:
        started = time.perf_counter()
        loop = asyncio.get_running_loop()
        stored = await loop.run_in_executor(self._workers.store, self._judge_and_store, verified)
        if isinstance(stored, JudgedBlock):
            found = await self._find(stored)
            stored = await loop.run_in_executor(self._workers.store, self._store_with, stored, {**stored.kept, **found})
        if stored.config is not None:
            self._config = stored.config
            self._private.set_config(stored.config)
            self._on_config(stored.config)
        commit = stored.commit
        number = commit.block.header.number
        if self._on_block is not None:
            self._on_block(commit.block, verified.transactions, commit.verdicts)
        self._notifier.committed(number)
        seconds = verified.seconds + time.perf_counter() - started
        _count(self._metrics, self._ledger.channel_id, verified, stored, seconds)
        _log.info(
            "committed block",
            extra={
                "channel": self._ledger.channel_id,
                "block": number,
                "transactions": len(commit.verdicts),
                "invalid": sum(code is not TxCode.VALID for code in commit.verdicts),
                "milliseconds": round(seconds * 1000),
                "commit_hash": commit.commit_hash.hex(),
            },
        )
        return commit.verdicts

    async def _find(self, judged: JudgedBlock) -> Mapping[Place, PrivateSet]:
        """What can be had of a block's private sets without waiting long. The block is stored without the others."""
        number = judged.commit.block.header.number
        try:
            async with asyncio.timeout(FIND_SECONDS_MAX):
                return await self._resolver.find(number, judged.lacking)
        except TimeoutError:
            _log.warning(
                "private data was not found in time", extra={"channel": self._ledger.channel_id, "block": number}
            )
            return {}

    def _judge_and_store(self, verified: VerifiedBlock) -> StoredBlock | JudgedBlock:
        """The moves after reading in one job, as far as nobody has to be asked for private data."""
        ledger, number = self._ledger, verified.block.header.number
        started = time.perf_counter()
        judgement = validate_block(number, verified.transactions, verified.signers, self._config, ledger.state)
        commit = make_commit(
            verified.block,
            verified.transactions,
            judgement.verdicts,
            judgement.updates,
            ledger.commit_hash,
            judgement.fresh,
        )
        part = NOTHING
        if judgement.updates.hashed or LIFECYCLE in judgement.updates.public:
            part = self._private.part(number, verified.transactions, judgement.verdicts)
        judging = time.perf_counter() - started
        needed = [each.missing for each in part.needed]
        kept, lacking = kept_sets(self._private.transient, needed)
        judged = JudgedBlock(commit, judgement.config, judging, part, kept, lacking)
        if lacking:
            return judged
        return self._store_with(judged, kept) if needed else self._append(judged)

    def _store_with(self, judged: JudgedBlock, found: Mapping[Place, PrivateSet]) -> StoredBlock:
        """Private sets first: a block that is on the ledger has them."""
        self._private.add(judged.commit.block, judged.part, found)
        return self._append(judged)

    def _append(self, judged: JudgedBlock) -> StoredBlock:
        commit = judged.commit
        times = self._ledger.append(commit)
        self._private.settle(commit.block.header.number, judged.part, commit.tx_ids)
        return StoredBlock(commit, judged.config, judged.judging, times)


def store_genesis(ledger: LedgerPort, block: Block) -> None:
    """Begin a channel's ledger. The block is taken on trust: whoever joins a channel chooses it."""
    judgement = accept_genesis(block)
    ledger.append(make_commit(block, read_block(block), judgement.verdicts, judgement.updates, ledger.commit_hash))


def _read_answered(block: Block, answer: Answer, config: ChannelConfig) -> VerifiedBlock:
    """A block of which another process has found who signed. Raises WrongAnswer."""
    started = time.perf_counter()
    transactions = read_block(block)
    signers = tuple(signers_of(transactions, answer, config.msps))
    return VerifiedBlock(block, transactions, signers, answer.seconds + time.perf_counter() - started)


def _parts(envelopes: Sequence[bytes], parts_max: int) -> list[Sequence[bytes]]:
    """The envelopes in order, in parts that are about equally large."""
    size = max(TRANSACTIONS_PER_JOB_MIN, -(-len(envelopes) // parts_max))
    return [envelopes[start : start + size] for start in range(0, len(envelopes), size)]


def _count(
    metrics: LedgerMetrics, channel_id: str, verified: VerifiedBlock, stored: StoredBlock, seconds: float
) -> None:
    metrics.set_height(channel_id, stored.commit.block.header.number + 1)
    metrics.processing_time.of(channel_id).observe(stored.judging)
    metrics.validation_time.of(channel_id).observe(verified.seconds + stored.judging)
    metrics.append_time.of(channel_id).observe(stored.times.block_file + stored.times.state)
    metrics.commit_time.of(channel_id).observe(seconds)
    metrics.block_file_time.of(channel_id).observe(stored.times.block_file)
    metrics.block_and_private_time.of(channel_id).observe(stored.times.block_file)
    metrics.state_time.of(channel_id).observe(stored.times.state)
    pairs = zip(verified.transactions, stored.commit.verdicts, strict=True)
    for (kind, chaincode, code), count in Counter(
        [(tx.type, _chaincode(tx, code), code) for tx, code in pairs]
    ).items():
        name = "unknown" if chaincode is None else f"{chaincode.name}:{chaincode.version}"
        metrics.transactions.of(channel_id, _type_name(kind), name, code.name).inc(count)


def _type_name(kind: int | None) -> str:
    try:
        return HeaderType(-1 if kind is None else kind).name
    except ValueError:
        return "unknown"


def _chaincode(tx: ReadTransaction, code: TxCode) -> ChaincodeId | None:
    """Name and version are labels of kvledger's. Only of transactions that passed: others may have made them up."""
    if code not in _ENDORSED_CODES or tx.endorsed is None or tx.endorsed.action is None:
        return None
    return tx.endorsed.action.chaincode

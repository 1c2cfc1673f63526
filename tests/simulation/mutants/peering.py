"""Peers that are broken elsewhere: taking blocks, committing, endorsing, telling."""

from typing import Final

from tests.simulation.mutants.mutation import Mutant, mutant

FEED = "services.peer.block_feed.feed:BlockFeed"
CROSSCHECK = "services.peer.block_feed.crosscheck:CrossCheck"
COMMITTER = "services.peer.committer:Committer"
ENDORSER = "services.peer.endorsement.endorser:Endorser"
CHECKS = "services.peer.endorsement.checks"
RWSET = "services.peer.chaincode_host.rwset:RwSetBuilder"
SIMULATOR = "services.peer.chaincode_host.simulator:TxSimulator"
DELIVERY = "services.peer.events.delivery"
FILTERED = "services.peer.events.filtered"
STREAM = "services.runtime.batching:_Stream"

MUTANTS: Final[tuple[Mutant, ...]] = (
    mutant(
        "A peer takes its last block once more from whom it turns to",
        (f"{FEED}._follow", "self._behind.clear()", "self._behind.clear(); yield self._last"),
    ),
    mutant(
        "A peer begins behind the block that it lacks",
        (
            f"{FEED}._follow",
            "SeekPosition.at(self._last.header.number)",
            "SeekPosition.at(self._last.header.number + 1)",
        ),
        (f"{FEED}._follow", "check_same(self._last, await self._parsed(first), source.address, self._config)", "pass"),
    ),
    mutant(
        "A peer stays with an orderer that has fallen silent",
        (f"{FEED}._next", "call_later(silence,", "call_later(10**9,"),
    ),
    mutant("A peer never turns to another orderer", (f"{FEED}.blocks", "turn += 1", "turn += 0")),
    mutant(
        "Nobody compares blocks", (f"{CROSSCHECK}._compare", "raise ForkedChain(", "raise BadBlock('') or ForkedChain(")
    ),
    mutant(
        "A fork is no reason to stop",
        ("services.peer.channel:Channel._stop_forked", "paths = ", "return\n        paths = "),
    ),
    mutant(
        "A commit is told before it is durable",
        (
            f"{COMMITTER}._store",
            "loop = asyncio.get_running_loop()",
            "loop = asyncio.get_running_loop(); self._notifier.committed(verified.block.header.number)",
        ),
    ),
    mutant(
        "A block is judged before the one before it is stored",
        (
            f"{COMMITTER}._judge_and_store",
            "self._config, ledger.state)",
            (
                "self._config, self.__class__._store.__dict__.setdefault(id(self), []).append(ledger.snapshot()) or "
                "self.__class__._store.__dict__[id(self)][max(-2, -len(self.__class__._store.__dict__[id(self)]))])"
            ),
        ),
    ),
    mutant(
        "Endorsers look at an old snapshot",
        (
            "services.peer.chaincode_host.host:simulate",
            "channel.ledger.view",
            "channel.__dict__.setdefault('old', channel.ledger.view)",
        ),
    ),
    mutant(
        "Two simulations share what they write",
        (
            f"{RWSET}.__init__",
            "self._namespaces: dict[str, _Namespace] = {}",
            "self._namespaces = RwSetBuilder.__init__.__dict__",
        ),
    ),
    mutant(
        "Now and then a read is not recorded",
        (f"{SIMULATOR}.read", "self._rwset.read(namespace, key,", "len(key) % 5 and self._rwset.read(namespace, key,"),
    ),
    mutant(
        "Ranges are not recorded",
        (f"{SIMULATOR}.results", "self._rwset.range_query(namespace, recorded.recorded())", "pass"),
    ),
    mutant(
        "A deleted key is recorded as written",
        (f"{SIMULATOR}.delete", 'self.put(namespace, key, b"")', 'self.put(namespace, key, b"{}")'),
    ),
    mutant(
        "A read of a key that does not exist is not recorded",
        (f"{SIMULATOR}.read", "self._rwset.read(", "stored and self._rwset.read("),
    ),
    mutant(
        "Whoever proposes need not have signed",
        (f"{CHECKS}:identify_creator", "or not identity.verify(signed.proposal, signed.signature)", ""),
    ),
    mutant(
        "A proposal may be of any age",
        (f"{CHECKS}:check_time_window", "if abs(claimed_ns - now_ns) >", "if False and abs(claimed_ns - now_ns) >"),
        ("services.orderer.admission:judge_normal_claim", "if refusal is None and clock is not None", "if False"),
        ("privysharing.contract.instants:now", "if peer_ns is not None and", "if False and"),
    ),
    mutant(
        "A transaction happens when its endorser thinks",
        ("privysharing.contract.instants:now", "return instant_ns", "return peer_ns or instant_ns"),
    ),
    mutant(
        "What was refused is endorsed",
        (f"{ENDORSER}._sign", "if response.status >= ERROR:", "if False:"),
        (f"{ENDORSER}._sign", "if response.status >= ERROR_THRESHOLD:", "if False:"),
    ),
    mutant(
        "Listeners are told that everything is valid",
        (f"{FILTERED}:_read", "return _transaction(tx.raw, code)", "return _transaction(tx.raw, TxCode.VALID)"),
    ),
    mutant(
        "Who listens again is told that everything was valid",
        (f"{FILTERED}:filtered_block", "TxCode(code)", "TxCode(0)"),
    ),
    mutant(
        "Listeners miss a block now and then",
        (
            f"{DELIVERY}:Deliveries._blocks",
            "range(chosen.first, chosen.last + 1):",
            "(each for each in range(chosen.first, chosen.last + 1) if each % 7 or each == chosen.first):",
        ),
    ),
    mutant(
        "Listeners are told another block's verdicts",
        (f"{DELIVERY}:NewestBlocks._make", "self._ledger.block(number)", "self._ledger.block(max(number - 1, 0))"),
    ),
    mutant(
        "Only the newest block is filtered for those who listen",
        (
            f"{DELIVERY}:NewestBlocks.answer",
            "made = self._made.get(number)",
            "made = self._made.get(number - 1) or self._made.get(number)",
        ),
    ),
    mutant(
        "Two answers of a batch are swapped",
        (
            f"{STREAM}._admit",
            "self._open.update(",
            (
                "if len(calls) > 1:\n"
                "            calls[0].id, calls[1].id = calls[1].id, calls[0].id\n"
                "        self._open.update("
            ),
        ),
    ),
    mutant(
        "Answers of a batch are lost when there are many",
        (
            f"{STREAM}._next",
            "self._unsent_bytes.give_back(size)",
            "self._unsent_bytes.give_back(size); answers = answers[:1]",
        ),
    ),
    mutant(
        "An answer that comes too late is an answer to the next call",
        ("privysharing.rpc.batch:BatchStream._next", "next(self._ids)", "len(self._unanswered) + 1"),
    ),
)

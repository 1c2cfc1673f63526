"""Whether the chains that the nodes hold keep what clients were told. Shares no code with peers and orderers."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from privysharing.protocol.blocks import MetadataIndex, header_hash
from privysharing.protocol.codec.blocks import metadata_entry, parse_block, parse_commit_hash, parse_filter
from privysharing.protocol.codec.envelopes import parse_envelope, parse_payload
from privysharing.protocol.codes import TxCode
from privysharing.protocol.envelopes import TxId
from tests.chaos.records import Records, digest

# What a transaction may be found to be without anybody's fault, if others wrote what it read.
OVERTAKEN = frozenset({TxCode.MVCC_READ_CONFLICT, TxCode.PHANTOM_READ_CONFLICT})


@dataclass(frozen=True, slots=True)
class Copy:
    """An envelope in a block. An orderer gives no verdicts."""

    digest: bytes
    tx_id: TxId
    block_num: int
    code: TxCode | None


@dataclass(frozen=True, slots=True)
class Chain:
    """What one node holds."""

    node: str
    headers: tuple[bytes, ...]
    commit_hashes: tuple[bytes, ...]  # empty ones of an orderer
    copies: tuple[Copy, ...]

    @classmethod
    def read(cls, node: str, blocks: Iterable[bytes], *, judged: bool) -> "Chain":
        """From marshalled blocks, in order; `judged` by a peer."""
        headers, commit_hashes, copies = [], [], []
        for raw in blocks:
            block = parse_block(raw)
            headers.append(header_hash(block.header))
            commit_hashes.append(parse_commit_hash(metadata_entry(block, MetadataIndex.COMMIT_HASH)))
            codes: Sequence[TxCode | None] = [None] * len(block.data)
            if judged:
                codes = parse_filter(metadata_entry(block, MetadataIndex.TRANSACTIONS_FILTER))
            for envelope, code in zip(block.data, codes, strict=True):
                tx_id = parse_payload(parse_envelope(envelope).payload).header.channel.tx_id
                copies.append(Copy(digest(envelope), tx_id, block.header.number, code))
        return cls(node, tuple(headers), tuple(commit_hashes), tuple(copies))


@dataclass(slots=True)
class Findings:
    """What is wrong, in words, by transaction or by height; all empty when all is well."""

    lost: dict[TxId, str] = field(default_factory=dict)
    duplicated: dict[TxId, str] = field(default_factory=dict)
    forks: dict[int, str] = field(default_factory=dict)
    unexplained: dict[TxId, str] = field(default_factory=dict)  # a verdict that nothing excuses
    untrue: dict[TxId, str] = field(default_factory=dict)  # a client was told another verdict than the chain has


def judge(records: Records, orderers: Sequence[Chain], peers: Sequence[Chain], *, repeated: bool = False) -> Findings:
    """Compare what clients were told with what every node holds. A log may have `repeated` what was sent once."""
    findings = Findings()
    _compare(orderers, peers, findings)
    for chain in (*orderers, *peers):
        _count(records, chain, findings, repeated)
    for chain in peers:
        _judge_verdicts(records, chain, findings)
    return findings


def _compare(orderers: Sequence[Chain], peers: Sequence[Chain], findings: Findings) -> None:
    """Header by header; and what peers made of each block."""
    for kind, chains in (("header", (*orderers, *peers)), ("commit hash", peers)):
        for number in range(max(len(chain.headers) for chain in chains)):
            by_hash: dict[str, list[str]] = defaultdict(list)
            for chain in chains:
                hashes = chain.headers if kind == "header" else chain.commit_hashes
                if number < len(hashes):
                    by_hash[hashes[number].hex()].append(chain.node)
            if len(by_hash) > 1:
                findings.forks.setdefault(number, f"{kind} of block {number}: {dict(by_hash)}")


def _count(records: Records, chain: Chain, findings: Findings, repeated: bool) -> None:
    """As many copies as were acknowledged at least, and as were sent at most."""
    found = Counter(copy.digest for copy in chain.copies)
    for name, tx_id in records.ids.items():
        acknowledged, sent = records.acknowledged[name], records.sends[name]
        if found[name] < acknowledged:
            findings.lost[tx_id] = f"{chain.node} has {found[name]} of {acknowledged} acknowledged copies"
        if found[name] > sent and not repeated:
            findings.duplicated[tx_id] = f"{chain.node} has {found[name]} copies, of {sent} that were sent"


def _judge_verdicts(records: Records, chain: Chain, findings: Findings) -> None:
    """The first copy counts, and every later one is a duplicate; whoever was told a verdict was told that."""
    copies: dict[TxId, list[Copy]] = defaultdict(list)
    for copy in chain.copies:
        copies[copy.tx_id].append(copy)
    for tx_id in records.told.keys() | set(records.ids.values()):
        verdicts = records.told.get(tx_id, [])
        if not copies[tx_id]:
            if verdicts:
                findings.lost[tx_id] = f"{chain.node} has none, and a client was told {verdicts[0]}"
            continue
        first, *later = copies[tx_id]
        if [copy.code for copy in copies[tx_id]].count(TxCode.VALID) > 1:
            findings.duplicated[tx_id] = f"{chain.node} has it as valid more than once"
        excused = first.code in OVERTAKEN and tx_id in records.contested
        if (first.code is not TxCode.VALID and not excused) or any(
            copy.code not in (TxCode.DUPLICATE_TXID, TxCode.VALID) for copy in later
        ):
            findings.unexplained[tx_id] = f"{chain.node} has {copies[tx_id]}"
        for told in verdicts:
            if (told.code, told.block_num) != (first.code, first.block_num):
                findings.untrue[tx_id] = f"a client was told {told}, and {chain.node} has {first}"

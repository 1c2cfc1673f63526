"""What a network leaves behind: every node's chain, every peer's state; and whether that is as it should be."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from deploy.manifest import NodeEntry
from privysharing.protocol.audit import verify_chain
from privysharing.protocol.codec.blocks import parse_block
from tests.chaos.judging import Chain, Findings, judge
from tests.chaos.records import Records
from tests.support.live import LiveNetwork, privy

CHECKING_SECONDS_MAX = 1_800.0  # of one stopped peer: every signature of a long run


@dataclass(frozen=True, slots=True)
class Evidence:
    """Marshalled blocks by node."""

    genesis: bytes
    ordered: dict[str, list[bytes]]
    stored: dict[str, list[bytes]]

    @classmethod
    def collect(cls, network: LiveNetwork) -> "Evidence":
        """From nodes that run, and have had the time to agree."""
        return cls(
            genesis=network.genesis.read_bytes(),
            ordered={network.orderer.name: network.blocks(network.orderer)},
            stored={peer.name: network.blocks(peer) for peer in network.peers},
        )

    @property
    def height(self) -> int:
        """Of the longest chain."""
        return max(map(len, self._chains.values()))

    def findings(self, records: Records) -> Findings:
        """Compared with what clients were told."""
        orderers = [Chain.read(node, blocks, judged=False) for node, blocks in self.ordered.items()]
        peers = [Chain.read(node, blocks, judged=True) for node, blocks in self.stored.items()]
        return judge(records, orderers, peers)

    def faults(self) -> dict[str, str]:
        """What an auditor objects to, by node: signatures, hashes, ids, and whatever else follows from the blocks.

        Of nodes that hold the same to the byte, as peers should, the last.
        """
        found = {}
        for node, blocks in {tuple(blocks): (node, blocks) for node, blocks in self._chains.items()}.values():
            for report in verify_chain(parse_block(self.genesis), blocks):
                if report.fault is not None:
                    found[node] = f"block {report.number}: {report.fault.check}: {report.fault.detail}"
        return found

    def codes(self) -> dict[str, int]:
        """Verdicts of the first peer, by name."""
        node, blocks = next(iter(self.stored.items()))
        return dict(
            Counter(copy.code.name for copy in Chain.read(node, blocks, judged=True).copies if copy.code is not None)
        )

    def keep(self, folder: Path, findings: dict[str, Any]) -> None:
        """One file for each block, and the findings."""
        for node, blocks in self._chains.items():
            (folder / "blocks" / node).mkdir(parents=True)
            for number, raw in enumerate(blocks):
                (folder / "blocks" / node / f"{number:06}.block").write_bytes(raw)
        (folder / "findings.json").write_text(json.dumps(findings, indent=2))

    @property
    def _chains(self) -> dict[str, list[bytes]]:
        return {**self.ordered, **self.stored}


def states(network: LiveNetwork) -> dict[str, list[str]]:
    """Of stopped peers, a line of JSON for each key."""
    return {peer.name: _of_stopped(network, "dump-state", peer).stdout.splitlines() for peer in network.peers}


def unsound(network: LiveNetwork) -> dict[str, str]:
    """Stopped peers whose own check of their data objects to anything."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        checks = list(threads.map(lambda peer: _of_stopped(network, "verify", peer), network.peers))
    return {
        peer.name: check.stdout + check.stderr
        for peer, check in zip(network.peers, checks, strict=True)
        if check.returncode != 0
    }


def _of_stopped(network: LiveNetwork, command: str, peer: NodeEntry) -> "CompletedProcess[str]":
    return privy("peer", command, peer.name, "--network", network.network.folder, timeout_s=CHECKING_SECONDS_MAX)


def resident_mb(network: LiveNetwork) -> dict[str, float]:
    """Memory of each node that runs."""
    running: Sequence[tuple[str, Any]] = [
        (node.name, network.processes.process(node)) for node in network.network.nodes
    ]
    return {name: round(process.memory_info().rss / 1e6, 1) for name, process in running if process is not None}

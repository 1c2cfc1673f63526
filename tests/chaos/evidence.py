"""What a network leaves behind: every node's chain, every peer's state; and whether that is as it should be."""

import json
import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import psutil

from deploy.manifest import NodeEntry
from privysharing.protocol.audit import verify_chain
from privysharing.protocol.codec.blocks import parse_block
from tests.chaos.judging import Chain, Findings, judge
from tests.chaos.records import Records as Told
from tests.support.live import CHANNEL, LiveNetwork, privy
from tests.support.topics import Records, contradictions, differences, read_topic

SETTLING_SECONDS_MAX = 30.0  # for orderers to have the same blocks
CHECKING_SECONDS_MAX = 1_800.0  # of one stopped peer: every signature of a long run


@dataclass(frozen=True, slots=True)
class Evidence:
    """Marshalled blocks by node."""

    genesis: bytes
    ordered: dict[str, list[bytes]]
    stored: dict[str, list[bytes]]
    topic: Records = ()  # where there is one

    @classmethod
    def collect(cls, network: LiveNetwork) -> "Evidence":
        """From nodes that run, and have had the time to agree; orderers have some more."""
        deadline = time.monotonic() + SETTLING_SECONDS_MAX
        ordered = _ordered(network)
        while len({len(blocks) for blocks in ordered.values()}) > 1 and time.monotonic() < deadline:
            time.sleep(1)
            ordered = _ordered(network)
        brokers = network.network.ordering.brokers
        return cls(
            genesis=network.genesis.read_bytes(),
            ordered=ordered,
            stored={peer.name: network.blocks(peer) for peer in network.peers},
            topic=read_topic(brokers, CHANNEL) if brokers else (),
        )

    @property
    def height(self) -> int:
        """Of the longest chain."""
        return max(map(len, self._chains.values()))

    def findings(self, records: Told) -> Findings:
        """Compared with what clients were told."""
        orderers = [Chain.read(node, blocks, judged=False) for node, blocks in self.ordered.items()]
        peers = [Chain.read(node, blocks, judged=True) for node, blocks in self.stored.items()]
        return judge(records, orderers, peers, repeated=bool(self.topic))

    def differing_orderers(self) -> list[int]:
        """Blocks that orderers made otherwise than each other: header, data, and metadata but for signatures."""
        return differences(list(self.ordered.values()))

    def contradicted(self) -> dict[str, list[str]]:
        """What orderers made otherwise than the topic says, by node."""
        if not self.topic:
            return {}
        found = {node: contradictions(self.topic, blocks) for node, blocks in self.ordered.items()}
        return {node: what for node, what in found.items() if what}

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
    dumped = {peer.name: _of_stopped(network, "dump-state", peer, "--channel", CHANNEL) for peer in network.peers}
    return {peer: dump.stdout.splitlines() for peer, dump in dumped.items()}


def unsound(network: LiveNetwork) -> dict[str, str]:
    """Stopped peers whose own check of their data objects to anything."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        checks = list(threads.map(lambda peer: _of_stopped(network, "verify", peer), network.peers))
    return {
        peer.name: check.stdout + check.stderr
        for peer, check in zip(network.peers, checks, strict=True)
        if check.returncode != 0
    }


def _ordered(network: LiveNetwork) -> dict[str, list[bytes]]:
    return {orderer.name: network.blocks(orderer) for orderer in network.orderers}


def _of_stopped(network: LiveNetwork, command: str, peer: NodeEntry, *options: str) -> "CompletedProcess[str]":
    where = ("--network", network.network.folder)
    return privy("peer", command, peer.name, *where, *options, timeout_s=CHECKING_SECONDS_MAX)


def resident_mb(network: LiveNetwork) -> dict[str, float]:
    """Memory of each node that runs."""
    pids = network.processes.pids()
    return {name: round(psutil.Process(pid).memory_info().rss / 1e6, 1) for name, pid in pids.items()}

"""A network of real processes for tests, with everybody who may use it."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from deploy.generate import generate
from deploy.manifest import Network, NodeEntry
from deploy.ordering import Wish
from deploy.topology import Topology, load_topology
from deploy.wallets import ADMIN_PREFIX, fill_wallet, network_wallet
from privysharing.sdk import Contract, connect
from privysharing.sdk import Network as Connection
from privysharing.sdk.errors import ContractRefused
from services.client.network.contracts import bring_up
from services.client.network.identities import profile_of
from services.client.network.processes import Processes
from services.client.network.status import Row, network_status
from tests.support import foreign_client as foreign
from tests.support.foreign_client import Signer, Tls

CHANNEL, CONTRACT = "health", "privysharing"
DENIED = "access denied: not enough permissions"
AGREEING_SECONDS_MAX = 30.0
PROGRAMS = Path(sys.executable).parent
_MISSING = "privysharing_private_data_missing{"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # nodes are asked directly


def privy(*arguments: str | Path, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    command = [str(PROGRAMS / "privy"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)


class GeneratedNetwork:
    """The keys of a network that need not run."""

    def __init__(self, topology: str | Topology, folder: Path, ordering: Wish = Wish()) -> None:
        """`topology`: one of deploy/network.yaml by its name, or any."""
        described = load_topology(topology) if isinstance(topology, str) else topology
        self.network: Network = generate(described.ordered(ordering), folder)
        fill_wallet(self.network)

    def node(self, name: str) -> NodeEntry:
        return self.network.node(name)

    @property
    def peers(self) -> list[NodeEntry]:
        return [node for node in self.network.nodes if node.role == "peer"]

    @property
    def endorsers(self) -> list[NodeEntry]:
        return [node for node in self.peers if node.endorses]

    @property
    def orderers(self) -> list[NodeEntry]:
        return [node for node in self.network.nodes if node.role == "orderer"]

    @property
    def orderer(self) -> NodeEntry:
        return self.orderers[0]

    @property
    def genesis(self) -> Path:
        return self.network.path(self.network.channel(CHANNEL).genesis)

    def signer(self, label: str) -> Signer:
        """A person, as the wallet calls him, or a node by its name."""
        for node in self.network.nodes:
            if node.name == label:
                return Signer.load(self.network.path(node.msp), node.msp_id)
        org, user = self._person(label)
        return Signer.load(self.network.path(self.network.user(org, user).msp), self.network.organisation(org).msp_id)

    def tls(self, label: str) -> Tls:
        """What somebody shows when he connects to a node."""
        return Tls.load(self.network.path(self.network.user(*self._person(label)).tls), self.tls_roots)

    @property
    def tls_roots(self) -> bytes:
        """The authorities of all nodes' TLS certificates."""
        return b"".join(self.network.path(org.tls_ca).read_bytes() for org in self.network.organisations)

    def party(self, label: str) -> str:
        """Somebody as the contract names him."""
        org, user = self._person(label)
        return f"{user}@{self.network.organisation(org).msp_id}"

    def _person(self, label: str) -> tuple[str, str]:
        if label.startswith(ADMIN_PREFIX):
            return label.removeprefix(ADMIN_PREFIX), "Admin"
        return next((org.name, label) for org in self.network.organisations for user in org.users if user.name == label)


class LiveNetwork(GeneratedNetwork):
    """A network whose nodes run, until `stop` or the end of this process. `ready_s`: how long that took.

    `prepare` has the network before its nodes start, and says how it is now.
    """

    def __init__(
        self,
        topology: str | Topology,
        folder: Path,
        ordering: Wish = Wish(),
        prepare: Callable[[Network], Network] = lambda network: network,
    ) -> None:
        super().__init__(topology, folder, ordering)
        self.network = prepare(self.network)
        self.processes = Processes(self.network, stop_with=os.getpid())
        began = time.monotonic()
        asyncio.run(bring_up(self.processes))
        self.ready_s = time.monotonic() - began

    def stop(self) -> None:
        self.processes.stop()

    @contextlib.asynccontextmanager
    async def connect(self, label: str) -> AsyncIterator[Connection]:
        """The network through the SDK."""
        entry = network_wallet(self.network).get(label)
        async with connect(profile_of(self.network, entry.msp_id), entry.signing_identity()) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def people(self, *labels: str) -> AsyncIterator[list["Person"]]:
        """Some people, connected."""
        async with contextlib.AsyncExitStack() as stack:
            connections = [await stack.enter_async_context(self.connect(label)) for label in labels]
            yield [
                Person(self.party(label), connection.contract(CHANNEL, CONTRACT))
                for label, connection in zip(labels, connections, strict=True)
            ]

    @contextlib.contextmanager
    def dial(self, node: NodeEntry, label: str = "alice") -> Iterator[grpc.Channel]:
        """A connection that belongs to nobody's software."""
        with foreign.connected(node.address, self.tls(label)) as channel:
            yield channel

    def seek(self, who: Signer, start: Any, stop: Any, *, connected_as: str = "alice") -> Any:
        """A request for blocks that fits the connection of `connected_as`."""
        return foreign.seek(who, CHANNEL, start, stop, self.tls(connected_as).certificate_hash)

    def blocks(self, node: NodeEntry, who: str = "admin.citizens") -> list[bytes]:
        """Every block that a node has."""
        fetch = foreign.ordered_blocks if node.role == "orderer" else foreign.stored_blocks
        with self.dial(node) as channel:
            answers = list(fetch(channel, self.seek(self.signer(who), foreign.OLDEST, foreign.NEWEST)))
        assert answers[-1].status == foreign.common.SUCCESS, answers[-1]
        return [answer.block.SerializeToString() for answer in answers[:-1]]

    async def agreement(self) -> Row:
        """What all peers say of their ledgers, once they say the same."""
        deadline = time.monotonic() + AGREEING_SECONDS_MAX
        while True:
            _, ledgers = await network_status(self.network, self.processes)
            tips = {(row["height"], row["block_hash"], row["commit_hash"]) for row in ledgers}
            if len(tips) == 1 and ledgers[0]["commit_hash"]:
                return ledgers[0]
            assert time.monotonic() < deadline, ledgers
            await asyncio.sleep(0.1)

    async def completeness(self) -> dict[str, float]:
        """How many private sets each peer lacks that it should hold: none, or those that nobody gave it in time."""
        deadline = time.monotonic() + AGREEING_SECONDS_MAX
        while True:
            lacking = {peer.name: _missing(peer) for peer in self.peers}
            if not any(lacking.values()) or time.monotonic() > deadline:
                return {name: number for name, number in lacking.items() if number}
            await asyncio.sleep(0.1)

    @contextlib.contextmanager
    def stopped(self, names: Iterable[str]) -> Iterator[None]:
        """Some nodes do not run for a while."""
        names = list(names)
        self.processes.stop(names)
        yield
        self.processes.start(names)
        asyncio.run(self.processes.ready())

    def dump_state(self, peer: NodeEntry) -> list[dict[str, Any]]:
        """The state of a stopped peer."""
        dumped = privy("peer", "dump-state", peer.name, "--network", self.network.folder)
        assert dumped.returncode == 0, dumped.stderr
        return [json.loads(line) for line in dumped.stdout.splitlines()]


def _missing(peer: NodeEntry) -> float:
    with _OPENER.open(f"http://{peer.operations_address}/metrics", timeout=5) as page:
        lines = page.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(_MISSING))


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who calls the contract."""

    party: str
    contract: Contract = field(repr=False)

    async def does(self, function: str, *args: Any) -> Any:
        """Commit a transaction on every peer: whoever asks next may ask a peer that would be a block behind."""
        channel = self.contract.channel
        peers = [await channel.commits(node) for node in channel.nodes.event_sources]
        receipt = await self.contract.submit(function, *map(_argument, args))
        await asyncio.gather(*(peer.verdict(receipt.tx_id, channel.timeouts.commit) for peer in peers))
        return json.loads(receipt.payload) if receipt.payload else None

    async def asks(self, function: str, *args: Any) -> Any:
        """Ask one peer."""
        return json.loads(await self.contract.evaluate(function, *map(_argument, args)))

    async def is_denied(self, function: str, *args: Any) -> None:
        """The contract says no, to a question and to a transaction."""
        for call in (self.contract.evaluate, self.contract.submit):
            with pytest.raises(ContractRefused) as refused:
                await call(function, *map(_argument, args))
            assert refused.value.refusal.message == DENIED, (self.party, function)


def _argument(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

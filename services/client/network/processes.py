"""The nodes of a network as processes: start, readiness, stop."""

import asyncio
import http.client
import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy import running
from deploy.kafka.cluster import Cluster
from deploy.manifest import Network, NodeEntry
from deploy.ports import PortTaken, is_taken
from deploy.prometheus.server import Prometheus
from deploy.running import Running

READY_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 12.0  # a node drains for 10 s at most
_PROBE_INTERVAL_S = 0.05
_HEALTH_BYTES_MAX = 100_000

# Nodes are asked directly, whatever proxy the environment names.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NodeFault(Exception):
    """A node is not as it should be."""

    def __init__(self, node: str, what: str, log: Path) -> None:
        super().__init__(f"{node} {what}; its log {log} ends with:\n{running.last_words(log) or '(nothing)'}")


class NodeEnded(NodeFault):
    """A node's process ended by itself."""


class NodeNotReady(NodeFault):
    """A node runs, but does not serve in time."""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a node's process runs, and what its operations port says: why it does not serve, where it does not."""

    pid: int | None
    serves: bool
    reason: str = ""


NOT_RUNNING = Health(None, serves=False, reason="not running")


class Processes:
    """The processes of one network. With `stop_with`, nodes end when that process does, however it ends.

    `kafka` is the network's own cluster, where it has one: its members start before the nodes and end after them.
    `prometheus` watches the nodes, where somebody has asked for it, until all are stopped.
    """

    def __init__(self, network: Network, stop_with: int | None = None) -> None:
        self.network = network
        self.kafka = Cluster.load(network.path(network.ordering.cluster)) if network.ordering.cluster else None
        self.prometheus = Prometheus.load(network)
        self._stop_with = stop_with
        self._running = {
            node.name: Running(network.path(node.config).parent / "process.json", self.log(node))
            for node in network.nodes
        }

    @property
    def names(self) -> tuple[str, ...]:
        """What can be started and stopped: the members of the network's own cluster, and the nodes."""
        return (*(self.kafka.names if self.kafka else ()), *self._running)

    def start(self, names: Collection[str] | None = None) -> None:
        """Start the nodes that do not run yet, all or some, in order; PortTaken when one could not listen."""
        wanted = [node for node in self.network.nodes if names is None or node.name in names]
        absent = [node for node in wanted if self.process(node) is None]
        for node in absent:
            for address in filter(None, (node.address, node.operations_address)):
                if is_taken(address):
                    raise PortTaken(node.name, address)
        if self.kafka is not None:
            self.kafka.start(names, stop_with=self._stop_with)
        for node in sorted(absent, key=lambda node: node.order):
            self._start(node)

    def watch(self) -> str:
        """Start a Prometheus that scrapes the nodes, or find it running; gives its address."""
        if self.prometheus is None or self.prometheus.running.process is None:
            self.prometheus = Prometheus.make(self.network)
        self.prometheus.start()
        return self.prometheus.address

    async def ready(self, timeout_s: float = READY_SECONDS_MAX) -> None:
        """Return once every node serves; NodeEnded or NodeNotReady name the first that does not."""
        if self.kafka is not None:
            await asyncio.to_thread(self.kafka.ready)
        deadline = asyncio.get_running_loop().time() + timeout_s
        await asyncio.gather(*(self._ready(node, deadline) for node in self.network.nodes))

    async def health(self, node: NodeEntry) -> Health:
        """How a node is now."""
        process = self.process(node)
        if process is None:
            return NOT_RUNNING
        reason = await asyncio.to_thread(_ask, node)
        return Health(process.pid, serves=not reason, reason=reason)

    async def members(self) -> dict[str, Health]:
        """How each member of the network's own cluster is now."""
        kafka = self.kafka
        if kafka is None:
            return {}
        pids = kafka.pids()
        reasons = await asyncio.gather(*(asyncio.to_thread(kafka.why_not, member) for member in kafka.members))
        return {
            member.name: Health(pid, not reason, reason) if (pid := pids.get(member.name)) else NOT_RUNNING
            for member, reason in zip(kafka.members, reasons, strict=True)
        }

    def pids(self) -> dict[str, int]:
        """Process id of everything that runs."""
        found = ((name, each.process) for name, each in self._running.items())
        nodes = {name: process.pid for name, process in found if process is not None}
        return nodes | (self.kafka.pids() if self.kafka is not None else {})

    def running(self, name: str) -> Running:
        """What was started as a node, or as a member of the network's own cluster; KeyError when there is none such."""
        if self.kafka is not None and name in self.kafka.names:
            return self.kafka.running(self.kafka.member(name))
        return self._running[name]

    def process(self, node: NodeEntry) -> psutil.Process | None:
        """The process that was started for a node, if it still runs."""
        return self._running[node.name].process

    def stop(self, names: Collection[str] | None = None) -> None:
        """Ask nodes to drain and end, all or some; those that do not are killed after 12 s."""
        if self.prometheus is not None and names is None:
            self.prometheus.stop()
        wanted = [each for name, each in self._running.items() if names is None or name in names]
        running.stop(wanted, STOP_SECONDS_MAX)
        if self.kafka is not None:
            self.kafka.stop(names)

    def log(self, node: NodeEntry) -> Path:
        """What a node prints."""
        return self.network.path(node.config).parent / "log"

    def _start(self, node: NodeEntry) -> None:
        arguments = [*_command(node)]
        if self._stop_with is not None:
            arguments += ["--stop-with", str(self._stop_with)]
        self._running[node.name].start(arguments, self.network.folder)

    async def _ready(self, node: NodeEntry, deadline: float) -> None:
        while True:
            health = await self.health(node)
            if health.serves:
                return
            if health.pid is None:
                raise NodeEnded(node.name, "ended", self.log(node))
            if asyncio.get_running_loop().time() > deadline:
                raise NodeNotReady(node.name, f"does not serve yet: {health.reason}", self.log(node))
            await asyncio.sleep(_PROBE_INTERVAL_S)


def _command(node: NodeEntry) -> list[str]:
    """The node's command, from the environment that this program runs in before any other."""
    program, *arguments = node.command
    search = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    found = shutil.which(program, path=search)
    if found is None:
        raise FileNotFoundError(2, "not found; install the distribution privysharing", program)
    return [found, *arguments]


def _ask(node: NodeEntry) -> str:
    """Why a node does not serve; nothing when it does."""
    try:
        with _OPENER.open(f"http://{node.operations_address}/healthz", timeout=1):
            return ""
    except urllib.error.HTTPError as answer:
        return _failed_checks(answer) or f"{node.operations_address} answers with status {answer.code}"
    except (OSError, http.client.HTTPException):
        return f"{node.operations_address} does not answer"


def _failed_checks(answer: urllib.error.HTTPError) -> str:
    try:
        failed = json.loads(answer.read(_HEALTH_BYTES_MAX))["failed_checks"]
        return "; ".join(f"{check['component']}: {check['reason']}" for check in failed)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return ""

"""The nodes of a network as processes: start, readiness, stop."""

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.manifest import Network, NodeEntry
from services.client.network.ports import PortTaken, is_taken

READY_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 12.0  # a node drains for 10 s at most
_PROBE_INTERVAL_S = 0.05
_LOG_TAIL_BYTES = 2_000
_HEALTH_BYTES_MAX = 100_000

# Nodes are asked directly, whatever proxy the environment names.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NodeFault(Exception):
    """A node is not as it should be."""

    def __init__(self, node: str, what: str, log: Path) -> None:
        super().__init__(f"{node} {what}; its log {log} ends with:\n{_tail(log) or '(nothing)'}")


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


class Processes:
    """The processes of one network. With `stop_with`, nodes end when that process does, however it ends."""

    def __init__(self, network: Network, stop_with: int | None = None) -> None:
        self.network = network
        self._stop_with = stop_with
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, names: Collection[str] | None = None) -> None:
        """Start the nodes that do not run yet, all or some, in order; PortTaken when one could not listen."""
        wanted = [node for node in self.network.nodes if names is None or node.name in names]
        absent = [node for node in wanted if self.process(node) is None]
        for node in absent:
            for address in filter(None, (node.address, node.operations_address)):
                if is_taken(address):
                    raise PortTaken(node.name, address)
        for node in sorted(absent, key=lambda node: node.order):
            self._start(node)

    async def ready(self, timeout_s: float = READY_SECONDS_MAX) -> None:
        """Return once every node serves; NodeEnded or NodeNotReady name the first that does not."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        await asyncio.gather(*(self._ready(node, deadline) for node in self.network.nodes))

    async def health(self, node: NodeEntry) -> Health:
        """How a node is now."""
        process = self.process(node)
        if process is None:
            return Health(None, serves=False, reason="not running")
        reason = await asyncio.to_thread(_ask, node)
        return Health(process.pid, serves=not reason, reason=reason)

    def pids(self) -> dict[str, int]:
        """Process id of each node that runs."""
        found = ((node.name, self.process(node)) for node in self.network.nodes)
        return {name: process.pid for name, process in found if process is not None}

    def process(self, node: NodeEntry) -> psutil.Process | None:
        """The process that was started for a node, if it still runs."""
        try:
            record = json.loads(self._record(node).read_text())
            process = psutil.Process(record["pid"])
            same = process.create_time() == record["started"] and _runs(process)
        except (FileNotFoundError, ValueError, KeyError, TypeError, psutil.NoSuchProcess):
            return None
        return process if same else None

    def stop(self, names: Collection[str] | None = None) -> None:
        """Ask nodes to drain and end, all or some; those that do not are killed after 12 s."""
        wanted = [node for node in self.network.nodes if names is None or node.name in names]
        running = {process.pid: process for node in wanted if (process := self.process(node)) is not None}
        for process in running.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        alive = _alive_after(STOP_SECONDS_MAX, list(running.values()))
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        _alive_after(STOP_SECONDS_MAX, alive)
        for node in wanted:
            self._record(node).unlink(missing_ok=True)
            if node.name in self._children:
                self._children.pop(node.name).wait()

    def log(self, node: NodeEntry) -> Path:
        """What a node prints."""
        return self.network.path(node.config).parent / "log"

    def _start(self, node: NodeEntry) -> None:
        arguments = [*_command(node)]
        if self._stop_with is not None:
            arguments += ["--stop-with", str(self._stop_with)]
        with self.log(node).open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 - the command comes from the network's own manifest
                arguments,
                cwd=self.network.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C at the terminal is for whoever started the network
            )
        self._children[node.name] = child
        record = {"pid": child.pid, "started": psutil.Process(child.pid).create_time()}
        self._record(node).write_text(json.dumps(record))

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

    def _record(self, node: NodeEntry) -> Path:
        return self.network.path(node.config).parent / "process.json"


def _command(node: NodeEntry) -> list[str]:
    """The node's command, from the environment that this program runs in before any other."""
    program, *arguments = node.command
    search = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    found = shutil.which(program, path=search)
    if found is None:
        raise FileNotFoundError(2, "not found; install the distribution privysharing", program)
    return [found, *arguments]


def _alive_after(seconds: float, processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run when the time is over; returns as soon as none does."""
    deadline = time.monotonic() + seconds
    while (alive := [process for process in processes if _runs(process)]) and time.monotonic() < deadline:
        time.sleep(_PROBE_INTERVAL_S)
    return alive


def _runs(process: psutil.Process) -> bool:
    """Not so of one that has ended and that nobody has buried: some containers never do."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


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


def _tail(log: Path) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        skipped = max(0, log.stat().st_size - _LOG_TAIL_BYTES)
        file.seek(skipped)
        if skipped:
            file.readline()  # the rest of a line
        return file.read().decode(errors="replace").strip()

"""A Kafka cluster and its ZooKeeper ensemble as processes: start, readiness, stop."""

import json
import os
import sys
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from deploy import running
from deploy.kafka import programs
from deploy.kafka.settings import (
    BROKER,
    BROKER_PORTS,
    SESSION_MS,
    ZOOKEEPER,
    ZOOKEEPER_PORTS,
    HostOf,
    Member,
    broker_settings,
    properties,
    zookeeper_settings,
)
from deploy.ports import PortTaken, choose_ports, is_taken
from deploy.running import Running

FORMAT: Final = 1
DESCRIPTION: Final = "cluster.json"
BROKERS_MAX, ZOOKEEPERS_MAX = 16, 7
READY_SECONDS_MAX: Final = 90.0
STOP_SECONDS_MAX: Final = 20.0  # a broker hands over what it leads, and flushes
_PROBE_INTERVAL_S = 0.1
_USUAL_PORTS = {BROKER: BROKER_PORTS, ZOOKEEPER: ZOOKEEPER_PORTS}
CONFIGURATION: Final = {BROKER: "server.properties", ZOOKEEPER: "zoo.cfg"}


class MemberFault(Exception):
    """A broker or an ensemble node is not as it should be."""

    def __init__(self, member: Member, what: str, log: Path) -> None:
        last = running.last_words(log) or "(nothing)"
        super().__init__(f"{member.name} {what}; its log {log} ends with:\n{last}")


class MemberEnded(MemberFault):
    """Its process ended by itself."""


class MemberNotReady(MemberFault):
    """It runs, but does not serve in time."""


class NotACluster(ValueError):
    """The folder holds no cluster, or one of another format."""


@dataclass(frozen=True)
class Cluster:
    """A cluster in a folder, whether it runs or not. Without ensemble nodes it is one that needs none (KRaft)."""

    folder: Path
    brokers: tuple[Member, ...]
    ensemble: tuple[Member, ...]

    @classmethod
    def make(
        cls,
        folder: Path,
        brokers: int = 1,
        zookeepers: int = 1,
        *,
        base_port: int | None = None,
        host_of: HostOf | None = None,
    ) -> "Cluster":
        """Write a cluster's configurations into a folder.

        Its ports are free ones of this machine, or follow one another. With `host_of`, a member by its kind and number,
        every one has a machine of its own, and the usual ports.
        Without ZooKeeper nodes the brokers keep the cluster's metadata themselves (KRaft).
        """
        if not 1 <= brokers <= BROKERS_MAX or not 0 <= zookeepers <= ZOOKEEPERS_MAX:
            raise ValueError(
                f"found {brokers} brokers and {zookeepers} ZooKeeper nodes; "
                f"needed: 1 to {BROKERS_MAX}, and at most {ZOOKEEPERS_MAX}"
            )
        kinds = [*[(BROKER, n) for n in range(brokers)], *[(ZOOKEEPER, n) for n in range(zookeepers)]]
        if host_of is not None:
            members = [Member(kind, n, *_USUAL_PORTS[kind], host=host_of(kind, n)) for kind, n in kinds]
        else:
            uses = ("port", "quorum", "election")
            ports = choose_ports([f"{use} {kind}{n}" for use in uses for kind, n in kinds], base_port)
            members = [Member(kind, n, *(ports[f"{use} {kind}{n}"] for use in uses)) for kind, n in kinds]
        cluster = cls(folder, tuple(members[:brokers]), tuple(members[brokers:]))
        for member in members:
            cluster._write(member)
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "a")
        for member in cluster.brokers if not zookeepers else ():
            programs.format_storage(CONFIGURATION[BROKER], cluster_id, cluster.home(member))
        described = {"format": FORMAT, "brokers": _facts(cluster.brokers), "ensemble": _facts(cluster.ensemble)}
        (folder / DESCRIPTION).write_text(json.dumps(described, indent=2) + "\n")
        return cluster

    @classmethod
    def load(cls, folder: Path) -> "Cluster":
        """Read the cluster in a folder; NotACluster when there is none."""
        try:
            facts = json.loads((folder / DESCRIPTION).read_text())
            if facts["format"] != FORMAT:
                raise NotACluster(f"{folder / DESCRIPTION} is not of format {FORMAT}; make the cluster again")
            brokers, ensemble = (tuple(Member(**each) for each in facts[kind]) for kind in ("brokers", "ensemble"))
        except FileNotFoundError:
            raise NotACluster(f"no cluster in {folder}: {folder / DESCRIPTION} does not exist") from None
        except (ValueError, KeyError, TypeError) as error:
            raise NotACluster(f"{folder / DESCRIPTION} is damaged ({error}); make the cluster again") from None
        return cls(folder, brokers, ensemble)

    @property
    def members(self) -> tuple[Member, ...]:
        """All, in the order in which they start."""
        return (*self.ensemble, *self.brokers)

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names."""
        return tuple(member.name for member in self.members)

    def member(self, name: str) -> Member:
        """A member by name; KeyError when there is none such."""
        return {member.name: member for member in self.members}[name]

    @property
    def bootstrap(self) -> tuple[str, ...]:
        """Where brokers serve."""
        return tuple(member.address for member in self.brokers)

    @property
    def zookeepers(self) -> tuple[str, ...]:
        """Where ensemble nodes serve."""
        return tuple(member.address for member in self.ensemble)

    def home(self, member: Member) -> Path:
        """A member's configuration, data and log."""
        return self.folder / member.name

    def start(self, names: Collection[str] | None = None, *, stop_with: int | None = None) -> None:
        """Start what does not run yet, all or some; PortTaken when one could not listen.

        With `stop_with`, all ends when that process does.
        """
        absent = [member for member in self._named(names) if self.running(member).process is None]
        for member in absent:
            if is_taken(member.address):
                raise PortTaken(member.name, member.address)
        for member in absent:
            if member.kind == BROKER:
                self._until_forgotten(member)
            self.running(member).start(programs.command(member.kind, CONFIGURATION[member.kind]), self.home(member))
        if stop_with is not None and self._guard.process is None:
            arguments = [sys.executable, "-m", "deploy.kafka.guard", str(self.folder.absolute()), str(stop_with)]
            self._guard.start(arguments, Path.cwd())

    def ready(self, timeout_s: float = READY_SECONDS_MAX) -> None:
        """Return once every member serves; MemberEnded or MemberNotReady name the first that does not."""
        deadline = time.monotonic() + timeout_s
        for member in self.members:
            while reason := self.why_not(member):
                if self.running(member).process is None:
                    raise MemberEnded(member, "ended", self.running(member).log)
                if time.monotonic() > deadline:
                    raise MemberNotReady(member, f"does not serve yet: {reason}", self.running(member).log)
                time.sleep(_PROBE_INTERVAL_S)

    def why_not(self, member: Member) -> str:
        """Why a member does not serve; nothing when it does."""
        from deploy.kafka import probes  # Kafka's client takes a third of a second to import

        if member.kind == BROKER:
            return probes.why_no_broker(member.address, len(self.brokers))
        return "" if self.mode(member) else f"{member.address} is no part of an ensemble"

    def mode(self, member: Member) -> str:
        """What an ensemble node is now: standalone, leader, follower; nothing where it does not serve."""
        from deploy.kafka import probes

        return probes.ensemble_mode(member.address)

    def stop(self, names: Collection[str] | None = None) -> None:
        """Ask members to end, all or some, brokers first; those that do not are killed."""
        wanted = self._named(names)
        if names is None:
            running.kill([self._guard])
        for kind in (BROKER, ZOOKEEPER):
            running.stop([self.running(member) for member in wanted if member.kind == kind], STOP_SECONDS_MAX)

    def kill(self, names: Collection[str] | None = None) -> None:
        """End members at once, all or some."""
        running.kill([self.running(member) for member in self._named(names)])
        if names is None:
            running.kill([self._guard])

    def running(self, member: Member) -> Running:
        """A member's process."""
        return self._running[member.name]

    def pids(self) -> dict[str, int]:
        """Process id of each member that runs."""
        found = ((member.name, self.running(member).process) for member in self.members)
        return {name: process.pid for name, process in found if process is not None}

    @cached_property
    def _running(self) -> dict[str, Running]:
        return {each.name: Running(self.home(each) / "process.json", self.home(each) / "log") for each in self.members}

    @cached_property
    def _guard(self) -> Running:
        return Running(self.folder / "guard.json", self.folder / "guard.log")

    def _named(self, names: Collection[str] | None) -> list[Member]:
        return [member for member in self.members if names is None or member.name in names]

    def _until_forgotten(self, broker: Member) -> None:
        """A broker that was killed stays registered for a while, and does not start beside itself."""
        from deploy.kafka import probes

        if not self.ensemble or not (self.home(broker) / "data" / "meta.properties").exists():
            return  # nobody knew it
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not any(map(self.mode, self.ensemble)) and time.monotonic() < deadline:
            time.sleep(_PROBE_INTERVAL_S)
        probes.forgotten(broker.number, self.zookeepers, 2 * SESSION_MS / 1000)

    def _write(self, member: Member) -> None:
        home = self.home(member)
        (home / "data").mkdir(parents=True)
        if member.kind == ZOOKEEPER:
            settings = zookeeper_settings(member, self.ensemble)
            (home / "data" / "myid").write_text(f"{member.number + 1}\n")
        else:
            settings = broker_settings(member, self.brokers, self.ensemble, kraft=not self.ensemble)
        (home / CONFIGURATION[member.kind]).write_text(properties(settings))


def start(
    brokers: int = 1,
    zookeepers: int = 1,
    *,
    folder: Path,
    stop_with: int | None = None,
) -> Cluster:
    """Make a cluster in a folder, and return once it serves; it ends with this process, or the one that is named."""
    cluster = Cluster.make(folder, brokers, zookeepers)
    try:
        cluster.start(stop_with=stop_with or os.getpid())
        cluster.ready()
    except BaseException:
        cluster.kill()
        raise
    return cluster


def _facts(members: Sequence[Member]) -> list[dict[str, object]]:
    return [asdict(member) for member in members]

"""A network's containers as a project of Docker Compose: write, start, ask, stop."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from deploy import packages
from deploy.compose.document import CITY, DEMO, compose_document, contracts_of, kept_folder
from deploy.generate import generate
from deploy.images.base import has
from deploy.images.build import ROLES, image_name
from deploy.images.engine import DockerFault, Engine
from deploy.kafka.cluster import Cluster
from deploy.manifest import Network
from deploy.ordering import OwnKafka
from deploy.packages import Missing
from deploy.places import contained
from deploy.topology import Topology, TopologyError
from deploy.wallets import fill_wallet

COMPOSE_FILE: Final = "compose.yaml"
USER: Final = 10001  # as in the images, where whoever starts a network is root
DEFINED_SECONDS_MAX: Final = 120.0
_STOP_SECONDS: Final = "20"
_POLL_INTERVAL_S = 0.3


@dataclass(frozen=True, slots=True)
class Project:
    """A network in a folder, as containers."""

    folder: Path
    engine: Engine

    @classmethod
    def make(cls, topology: Topology, folder: Path, engine: Engine) -> "Project":
        """Generate a network for containers."""
        if isinstance(topology.ordering, OwnKafka) and not topology.ordering.zookeepers:
            raise TopologyError("brokers in containers keep their metadata in ZooKeeper; needed: one or more")
        network = generate(topology, folder, contained(topology))
        fill_wallet(network)
        for node in network.nodes:
            network.path(node.data).mkdir(mode=0o700)
        for org in network.organisations:
            network.path(str(kept_folder(org.name))).mkdir(mode=0o700, parents=True)
        cluster = Cluster.load(network.path(network.ordering.cluster)) if network.ordering.cluster else None
        owner = (USER, USER) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
        document = compose_document(network, cluster, ":".join(map(str, owner)))
        (folder / COMPOSE_FILE).write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        if os.geteuid() == 0:
            _hand_over(folder, *owner)
        return cls(folder, engine)

    @property
    def network(self) -> Network:
        """What runs in it."""
        return Network.load(self.folder)

    @property
    def name(self) -> str:
        """As containers and networks are prefixed with it: another folder's never meet these."""
        where = hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:8]
        return f"privysharing-{where}"

    def up(self) -> None:
        """Start what does not run, and return once contracts are defined; what failed is taken down again."""
        self._need_images()
        try:
            self.compose("up", "--detach")
            self._wait_for_contracts()
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        """Stop and remove containers and networks. The folder keeps keys and ledgers.

        An engine may count containers in a network that are no longer there, and keep it: this tells so, and goes on.
        """
        try:
            self.compose("--profile", DEMO, "down", "--timeout", _STOP_SECONDS)
        except DockerFault as fault:
            if self._containers():
                raise
            print(f"all containers are gone, but not all networks: {fault}", file=sys.stderr)  # noqa: T201

    def compose(self, *arguments: str) -> str:
        """What a command of Docker Compose's prints."""
        return self.engine.call([*self._command(), *arguments])

    def container(self, service: str) -> str:
        """The id of a service's container."""
        found = self._containers(_of_service(service))
        if len(found) != 1:
            raise DockerFault(f"{service} of {self.folder} has {len(found)} containers; needed: one")
        return found[0]

    def play(self) -> int:
        """Play the demo's story, at this terminal; its exit status."""
        self._need_running(*(node.name for node in self.network.nodes))
        return self._interact("run", "--rm", CITY)

    def privy(self, service: str, *arguments: str) -> int:
        """Run the command line in a client's container, at this terminal; its exit status."""
        self._need_running(service)
        return self._interact("exec", service, "privy", *arguments)

    def exec(self, service: str, *command: str) -> str:
        """What a command in a running container prints."""
        return self.engine.docker("exec", self.container(service), *command)

    def _containers(self, *filters: str) -> list[str]:
        """The ids of the project's containers, whether they run or not."""
        ours = f"--filter=label=com.docker.compose.project={self.name}"
        return self.engine.docker("ps", "--all", "--quiet", ours, *filters).split()

    def _need_images(self) -> None:
        """Compose would ask a registry for ours, and none has them."""
        services = yaml.safe_load((self.folder / COMPOSE_FILE).read_text(encoding="utf-8"))["services"]
        ours = {image_name(role) for role in ROLES} & {service["image"] for service in services.values()}
        if missing := [image for image in sorted(ours) if not has(self.engine, image)]:
            raise Missing(f"needed: {', '.join(missing)} in the Docker engine; try: make images")

    def _need_running(self, *services: str) -> None:
        """Compose's own words about what does not run depend on its version: some have none."""
        away = [each for each in services if not self._containers(_of_service(each), "--filter=status=running")]
        if away:
            raise DockerFault(f"{', '.join(away)} of {self.folder}: not running; start it with: make compose-up")

    def _wait_for_contracts(self) -> None:
        deadline = time.monotonic() + DEFINED_SECONDS_MAX
        members = dict.fromkeys(name for channel in self.network.channels for name in channel.members)
        for service in map(contracts_of, members):
            container = self.container(service)
            while not self._has_done(container):
                if time.monotonic() > deadline:
                    raise DockerFault(f"{service} does not end; it said last: {self._last_words(container)}")
                time.sleep(_POLL_INTERVAL_S)

    def _has_done(self, container: str) -> bool:
        state = json.loads(self.engine.docker("inspect", "--format", "{{json .State}}", container))
        return bool(state["Status"] == "exited" and state["ExitCode"] == 0)

    def _last_words(self, container: str) -> str:
        return self.engine.docker("logs", "--tail", "20", container).strip() or "(nothing)"

    def _interact(self, verb: str, *arguments: str) -> int:
        plain = [] if os.isatty(0) and os.isatty(1) else ["-T"]
        command = [*self._command(), verb, *plain, *arguments]
        return subprocess.run(command, env=self.engine.environment, check=False).returncode  # noqa: S603

    def _command(self) -> list[str]:
        place = ["--project-name", self.name, "--file", str(self.folder / COMPOSE_FILE)]
        return [*compose_program(self.engine), *place]


def _of_service(service: str) -> str:
    return f"--filter=label=com.docker.compose.service={service}"


def compose_program(engine: Engine) -> list[str]:
    """Docker's own plugin where it is installed, else the program of Debian's."""
    docker = shutil.which("docker")
    if docker is not None:
        try:
            engine.call([docker, "compose", "version"])
        except DockerFault:
            pass
        else:
            return [docker, "compose"]
    return [packages.program("docker-compose", "containers")]


def _hand_over(folder: Path, user: int, group: int) -> None:
    """Make everything the user's as whom containers run."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, group)

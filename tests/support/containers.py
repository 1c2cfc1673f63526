"""Containers of a project, asked from inside and outside."""

import json
from dataclasses import dataclass
from typing import Any

from deploy.compose.project import Project

CONNECT = """
import json, socket, sys
def is_open(address):
    host, port = address
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True
from concurrent.futures import ThreadPoolExecutor
wanted = json.loads(sys.argv[1])
with ThreadPoolExecutor(32) as pool:
    print(json.dumps(list(pool.map(is_open, wanted))))
"""

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Container:
    """One of a project's containers that run Python."""

    project: Project
    service: str

    @property
    def facts(self) -> dict[str, Any]:
        """What the engine knows of it."""
        (found,) = json.loads(self.project.engine.docker("inspect", self.project.container(self.service)))
        return dict(found)

    @property
    def addresses(self) -> dict[str, str]:
        """Its address in each of its networks, whose names are without the project's."""
        networks = self.facts["NetworkSettings"]["Networks"]
        return {name.removeprefix(f"{self.project.name}_"): each["IPAddress"] for name, each in networks.items()}

    @property
    def gateways(self) -> list[str]:
        """Where its networks would have their host."""
        return [each["Gateway"] for each in self.facts["NetworkSettings"]["Networks"].values() if each["Gateway"]]

    def python(self, program: str, *arguments: str, user: str | None = None) -> str:
        """What a Python program prints in it."""
        options = [] if user is None else ["--user", user]
        container = self.project.container(self.service)
        return self.project.engine.docker("exec", *options, container, "python3", "-c", program, *arguments)

    def reaches(self, wanted: list[Address]) -> set[Address]:
        """To which of some addresses it can connect."""
        answers = json.loads(self.python(CONNECT, json.dumps(wanted)))
        return {address for address, is_open in zip(wanted, answers, strict=True) if is_open}

    def privy(self, *arguments: str) -> Any:
        """What the command line in it answers, as JSON."""
        return json.loads(self.project.exec(self.service, "privy", *arguments, "--json"))


def containers(project: Project) -> list[Container]:
    """All that run."""
    return [
        Container(project, name) for name in project.compose("ps", "--services", "--filter", "status=running").split()
    ]

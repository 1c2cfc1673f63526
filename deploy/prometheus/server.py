"""A Prometheus beside a local network, in its folder: it starts and stops with the network."""

import http.client
import json
import time
import urllib.request
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from deploy import layout, running
from deploy.manifest import Network
from deploy.ports import HOST, choose_ports, is_taken
from deploy.prometheus import programs, scraping
from deploy.running import Running

READY_SECONDS_MAX: Final = 30.0
STOP_SECONDS_MAX: Final = 10.0
_POLL_INTERVAL_S: Final = 0.05
_CONFIGURATION, _ADDRESS, _DATA = "prometheus.yml", "address.json", "data"

# It is asked directly, whatever proxy the environment names.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class PrometheusFault(Exception):
    """It ended, or does not serve in time."""


@dataclass(frozen=True)
class Prometheus:
    """The Prometheus of a network, whether it runs or not."""

    folder: Path
    address: str

    @classmethod
    def make(
        cls, network: Network, rules: Path = scraping.ALERTS, interval_s: float = scraping.INTERVAL_S
    ) -> "Prometheus":
        """Write its configuration into the network's folder; its address stays, unless somebody else is there now."""
        before = cls.load(network)
        if before is None or is_taken(before.address):
            address = f"{HOST}:{choose_ports(['prometheus'])['prometheus']}"
        else:
            address = before.address
        folder = network.path(str(layout.PROMETHEUS))
        folder.mkdir(exist_ok=True)
        (folder / _CONFIGURATION).write_text(scraping.configuration(network, rules, interval_s))
        (folder / _ADDRESS).write_text(json.dumps(address))
        return cls(folder, address)

    @classmethod
    def load(cls, network: Network) -> "Prometheus | None":
        """The one that a network has, if it has one."""
        folder = network.path(str(layout.PROMETHEUS))
        if not (folder / _ADDRESS).exists():
            return None
        return cls(folder, json.loads((folder / _ADDRESS).read_text()))

    @cached_property
    def running(self) -> Running:
        """Its process."""
        return Running(self.folder / "process.json", self.folder / "log")

    def start(self) -> None:
        """Start it if it does not run, and return once it serves. Raises Missing, PrometheusFault."""
        if self.running.process is None:
            prometheus = programs.program(programs.PROMETHEUS)
            arguments = [
                prometheus,
                f"--config.file={_CONFIGURATION}",
                f"--storage.tsdb.path={_DATA}",
                f"--web.listen-address={self.address}",
                *programs.pages(prometheus),
            ]
            self.running.start(arguments, self.folder)
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not self._serves():
            if self.running.process is None or time.monotonic() > deadline:
                self.stop()
                raise PrometheusFault(
                    f"prometheus does not serve; its log ends with:\n{running.last_words(self.running.log)}"
                )
            time.sleep(_POLL_INTERVAL_S)

    def stop(self) -> None:
        """End it, if it runs."""
        running.stop([self.running], STOP_SECONDS_MAX)

    def _serves(self) -> bool:
        try:
            with _OPENER.open(f"http://{self.address}/-/ready", timeout=1):
                return True
        except (OSError, http.client.HTTPException):
            return False

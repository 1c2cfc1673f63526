"""A Docker engine: the one that answers on this machine, or else one that we start, where we may."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from deploy import packages, running
from deploy.packages import Missing
from deploy.running import Running

FOLDER: Final = Path(__file__).parents[2] / "var" / "docker"  # of an engine of our own: its images stay between starts
READY_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 30.0  # it stops its containers first
_ASK_SECONDS_MAX: Final = 10.0
_POLL_INTERVAL_S = 0.2
_LAST_WORDS = 3_000
_ADVICE: Final = "install and start one with: apt-get install docker.io && systemctl start docker"


class DockerFault(Exception):
    """The engine did not do what it was asked."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One that answers. `environment` is what `docker`, and whoever else calls it, is to be started with."""

    environment: Mapping[str, str] = field(repr=False)
    process: Running | None = field(default=None, repr=False)  # where this program has started it

    def docker(self, *arguments: str, timeout_s: float | None = None) -> str:
        """What a command of Docker's prints; DockerFault with what it complained about."""
        return self.call([packages.program("docker", "containers"), *arguments], timeout_s=timeout_s)

    def call(self, arguments: Sequence[str], timeout_s: float | None = None) -> str:
        """What a program that talks to this engine prints."""
        try:
            done = subprocess.run(  # noqa: S603
                arguments, env=self.environment, capture_output=True, text=True, check=False, timeout=timeout_s
            )
        except subprocess.TimeoutExpired:
            raise DockerFault(f"{_shown(arguments)}: no answer in {timeout_s:g} s") from None
        if done.returncode:
            said = (done.stdout + done.stderr).strip()[-_LAST_WORDS:]
            raise DockerFault(f"{_shown(arguments)} ended with {done.returncode}: {said}")
        return done.stdout


def engine() -> Engine:
    """The engine that answers already, or one of our own, which runs on until `stop`."""
    return found() or start()


def found() -> Engine | None:
    """The engine that answers: the one that Docker's own variables name, or else ours."""
    return _answering(os.environ) or _answering(_own_environment())


@contextmanager
def engine_for_a_while() -> Iterator[Engine]:
    """As `engine`, and one that was started for this is stopped at the end."""
    there = found()
    if there is not None:
        yield there
        return
    started = start()
    assert started.process is not None
    try:
        yield started
    finally:
        _end(started.process)


def start() -> Engine:
    """Start an engine of our own; Missing when that is not for us to do."""
    environment = _own_environment()
    if os.geteuid() != 0:
        raise Missing(f"needed: a Docker engine that answers; {_ADVICE}")
    dockerd = packages.program("dockerd", "containers")
    FOLDER.mkdir(parents=True, exist_ok=True)
    own = _own()
    own.start([dockerd, *_options()], FOLDER)
    deadline = time.monotonic() + READY_SECONDS_MAX
    while _answering(environment) is None:
        if own.process is None or time.monotonic() > deadline:
            own.forget()
            raise DockerFault(
                f"the Docker engine does not start; its log {own.log} ends with:\n{running.last_words(own.log)}"
            )
        time.sleep(_POLL_INTERVAL_S)
    return Engine(environment, own)


def stop() -> None:
    """Stop the engine of our own, and its containers, if it runs."""
    _end(_own())


def _end(process: Running) -> None:
    """It leaves a name of its network mounted below its folder, which could not be removed like that."""
    running.stop([process], STOP_SECONDS_MAX)
    for mount in psutil.disk_partitions(all=True):
        if Path(mount.mountpoint).is_relative_to(FOLDER):
            subprocess.run(["umount", mount.mountpoint], check=True)  # noqa: S603, S607


def _own() -> Running:
    return Running(FOLDER / "process.json", FOLDER / "log")


def _options() -> list[str]:
    """Everything that it keeps is below its folder; networks are made as they are needed."""
    return [
        f"--host={_own_host()}",
        f"--data-root={FOLDER / 'data'}",
        f"--exec-root={FOLDER / 'exec'}",
        f"--pidfile={FOLDER / 'pid'}",
        "--bridge=none",
    ]


def _own_host() -> str:
    return f"unix://{FOLDER / 'docker.sock'}"


def _own_environment() -> dict[str, str]:
    return os.environ | {"DOCKER_HOST": _own_host()}


def _answering(environment: Mapping[str, str]) -> Engine | None:
    if shutil.which("docker") is None:
        return None
    asked = Engine(environment)
    try:
        asked.docker("version", "--format", "{{.Server.Version}}", timeout_s=_ASK_SECONDS_MAX)
    except DockerFault:
        return None
    return asked


def _shown(arguments: Sequence[str]) -> str:
    name = Path(arguments[0]).name
    return " ".join((name, *arguments[1:3]))

"""`privy doctor`: find what usually goes wrong on a machine, and say what to do about it."""

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import psutil
from cryptography import x509

from deploy.layout import MANIFEST, UNSETTLED
from deploy.manifest import Network, NotANetwork
from deploy.ports import holder, is_taken
from services.client.cli.output import EXIT_REFUSED, Output
from services.client.cli.session import network_option, with_network, with_output
from services.client.demo.recordings import RecordingMissing, heart_rates
from services.client.network.processes import Processes

DISK_FREE_MIN = 1_000_000_000  # bytes
MEMORY_FREE_MIN = 1_000_000_000  # bytes: five nodes and a client
EXPIRY_WARNING = timedelta(days=30)
CLOCK_YEAR_MIN = 2025  # a clock before this project existed is wrong


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `remedy` says what to do when it is not well."""

    check: str
    well: bool
    found: str
    remedy: str = ""


@click.command("doctor")
@with_network
@with_output
def command(folder: Path, output: Output) -> None:
    """Look at Python, programs, disk, memory, clock, and, where there is a network, its ports and certificates."""
    findings = [*_machine(folder), *_network(folder)]
    rows = [asdict(finding) | ({"remedy": ""} if finding.well else {}) for finding in findings]
    output.rows("findings", ("check", "well", "found", "remedy"), rows)
    if not all(finding.well for finding in findings):
        sys.exit(EXIT_REFUSED)


def _machine(folder: Path) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer")
    for program in ("privy-orderer", "privy-peer"):
        found = shutil.which(program, path=str(Path(sys.executable).parent)) or shutil.which(program)
        yield Finding(f"program {program}", found is not None, found or "not found", "make demo installs it into .venv")
    written = (folder / UNSETTLED if _is_part(folder) else folder).absolute()
    place = next(parent for parent in (written, *written.parents) if parent.exists())
    writable = os.access(place, os.W_OK | os.X_OK, effective_ids=True)
    yield Finding(
        "folder",
        writable,
        f"{place} is {'' if writable else 'not '}writable",
        f"permission denied: chmod u+rwx {place}",
    )
    free = shutil.disk_usage(place).free
    yield Finding("disk", free >= DISK_FREE_MIN, f"{free / 1e9:.1f} GB free", "free at least 1 GB")
    memory = psutil.virtual_memory().available
    yield Finding("memory", memory >= MEMORY_FREE_MIN, f"{memory / 1e9:.1f} GB available", "free at least 1 GB")
    now = datetime.now(UTC)
    yield Finding("clock", now.year >= CLOCK_YEAR_MIN, now.isoformat(timespec="seconds"), "set the clock")
    try:
        yield Finding("heart recordings", well=True, found=f"{len(heart_rates())} readings")
    except RecordingMissing as error:
        yield Finding("heart recordings", well=False, found="missing", remedy=str(error))


def _network(folder: Path) -> Iterator[Finding]:
    up = f"privy network up{network_option(folder)}"
    if not (folder / MANIFEST).exists():
        yield Finding("network", well=True, found=f"none in {folder}; make one with: {up}")
        return
    try:
        network = Network.load(folder)
    except NotANetwork as error:
        yield Finding("network", well=False, found=str(error), remedy=f"remove {folder}, then: {up}")
        return
    if _runs_elsewhere(network):
        yield Finding("network", well=True, found=f"{folder} is a part of one, whose nodes run elsewhere")
        return
    processes = Processes(network)
    running = processes.pids()
    if not running:
        yield Finding("network", well=True, found=f"{folder} is not running; start it with: {up}")
    for node in network.nodes:
        health = asyncio.run(processes.health(node))
        if health.pid is not None:
            found = f"process {health.pid}" + (f": {health.reason}" if health.reason else "")
            yield Finding(node.name, health.serves, found, f"read its log {processes.log(node)}")
            continue
        if running:
            yield Finding(node.name, well=False, found="not running, though others are", remedy=up)
        yield from (_port(node.name, address) for address in (node.address, node.operations_address))
    for org in network.organisations:
        yield _certificate(f"TLS CA of {org.msp_id}", network.path(org.tls_ca))
        for authority in sorted((network.path(org.folder) / "ca").glob("*-cert.pem")):
            yield _certificate(f"CA of {org.msp_id}", authority)
    for node in network.nodes:
        yield _certificate(f"TLS certificate of {node.name}", network.path(node.tls) / "server.crt")
        for signing in (network.path(node.msp) / "signcerts").iterdir():
            yield _certificate(f"signing certificate of {node.name}", signing)


def _is_part(folder: Path) -> bool:
    """Whether this is what a client has of a network, in which nothing is written but what clients keep."""
    try:
        return _runs_elsewhere(Network.load(folder))
    except NotANetwork:
        return False


def _runs_elsewhere(network: Network) -> bool:
    return not any(network.path(node.tls).exists() for node in network.nodes)


def _port(node: str, address: str) -> Finding:
    taken = is_taken(address)
    who = f" by {by}" if taken and (by := holder(address)) else ""
    remedy = f"stop what listens on {address}, or generate the network again"
    return Finding(f"port of {node}", not taken, f"{address} is {'taken' if taken else 'free'}{who}", remedy)


def _certificate(check: str, path: Path) -> Finding:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    now = datetime.now(UTC)
    well = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - EXPIRY_WARNING
    span = f"valid {certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
    return Finding(check, well, span, "set the clock, or have the certificate renewed")

"""What a process tells of itself, as long as it has something to tell."""

import asyncio
import logging
import re
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.runtime.config import Address, ConfigError
from services.runtime.reporting import Reporting, ReportingConfig


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def address() -> Address:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return Address("127.0.0.1", server.getsockname()[1])


async def ask(address: Address, path: str) -> tuple[int, str]:
    def get() -> tuple[int, str]:
        connection = HTTPConnection(address.host, address.port, timeout=5)
        connection.request("GET", path)
        answer = connection.getresponse()
        found = answer.status, answer.read().decode()
        connection.close()
        return found

    return await asyncio.to_thread(get)


async def test_it_is_asked_for_health_and_figures_while_there_is_something_to_run(address: Address) -> None:
    reporting = Reporting(ReportingConfig(operations=address))
    async with reporting.answering({"disk": lambda: "full"}):
        assert (await ask(address, "/healthz"))[0] == 503
        status, page = await ask(address, "/metrics")
        assert (status, 'fabric_version{version="' in page) == (200, True)
    with pytest.raises(ConnectionRefusedError):
        await ask(address, "/healthz")


async def test_figures_say_which_components_are_well_now(address: Address) -> None:
    full = ["full"]
    async with Reporting(ReportingConfig(operations=address)).answering(
        {"disk": lambda: full[0] if full else None, "channels": lambda: None}
    ):
        page = (await ask(address, "/metrics"))[1]
        assert 'privysharing_component_healthy{component="disk"} 0' in page
        assert 'privysharing_component_healthy{component="channels"} 1' in page
        full.clear()
        assert 'privysharing_component_healthy{component="disk"} 1' in (await ask(address, "/metrics"))[1]


async def test_figures_say_what_time_it_is_here(address: Address) -> None:
    async with Reporting(ReportingConfig(operations=address)).answering({}):
        before, page, after = time.time(), (await ask(address, "/metrics"))[1], time.time()
    (told,) = re.findall(r"^privysharing_clock_timestamp_seconds ([\d.]+)$", page, re.MULTILINE)
    assert before <= float(told) <= after


def test_figures_say_when_the_first_certificate_of_each_chain_expires() -> None:
    reporting = Reporting(ReportingConfig())
    first, last = datetime(2039, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
    reporting.certificates(signing=self_signed(last), tls=self_signed(last) + self_signed(first), client=None)
    told = [line for line in reporting.registry.render().splitlines() if line.startswith("privysharing_certificate")]
    name = "privysharing_certificate_expiry_timestamp_seconds"
    assert told == [
        f'{name}{{certificate="signing"}} {last.timestamp():.0f}',
        f'{name}{{certificate="tls"}} {first.timestamp():.0f}',
    ]


def self_signed(ends: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "node")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, ends - timedelta(days=3650), ends)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


async def test_without_figures_there_is_health(address: Address) -> None:
    async with Reporting(ReportingConfig(operations=address, metrics=False)).answering({}):
        assert (await ask(address, "/metrics"))[0] == 404
        assert (await ask(address, "/healthz"))[0] == 200


async def test_what_cannot_be_answered_on_is_a_bad_setting(address: Address) -> None:
    with socket.create_server((address.host, address.port)), pytest.raises(ConfigError, match="with a free port"):
        async with Reporting(ReportingConfig(operations=address)).answering({}):
            pass


def test_settings_without_a_meaning_are_logged(capfd: pytest.CaptureFixture[str]) -> None:
    Reporting(ReportingConfig(unused_keys=("Consensus", "General.Cluster")))
    told = capfd.readouterr().err.splitlines()
    assert ["this setting means nothing here" in line for line in told] == [True, True]
    assert "Consensus" in told[0]
    assert "General.Cluster" in told[1]

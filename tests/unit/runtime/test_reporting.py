"""What a process tells of itself, as long as it has something to tell."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

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

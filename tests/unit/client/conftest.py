"""What the tests of the client share: the command line in this process, and somebody who may not write everywhere."""

import os
from collections.abc import Iterator

import pytest

from deploy.generate import generate
from deploy.manifest import Network
from deploy.topology import load_topology
from deploy.wallets import fill_wallet
from services.client.cli import main as program
from tests.support.commandline import Run

NOBODY = 65_534


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `privy`: exit status, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exited:
            program.main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert isinstance(exited.value.code, int)
        assert "Traceback" not in printed.out + printed.err
        return exited.value.code, printed.out, printed.err

    return run


@pytest.fixture(scope="session")
def resting(tmp_path_factory: pytest.TempPathFactory) -> Network:
    """A generated network whose nodes do not run."""
    made = generate(load_topology("demo"), tmp_path_factory.mktemp("network") / "demo")
    fill_wallet(made)
    return made


@pytest.fixture
def nobody() -> Iterator[None]:
    """Not root for the length of a test: root may write anywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)

"""Networks of real processes. Whoever stops a node of a shared one starts it again."""

from collections.abc import Iterator

import pytest

from tests.support.live import GeneratedNetwork, LiveNetwork


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveNetwork]:
    """Topology `demo`: doors closed."""
    network = LiveNetwork("demo", tmp_path_factory.mktemp("demo") / "network")
    yield network
    network.stop()


# Limits of time that a test can wait for; the others are as everywhere.
IMPATIENT = {"LIMITS_UNREADTIME": "2s", "LIMITS_REQUESTTIME": "2s"}


@pytest.fixture(scope="session")
def besieged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveNetwork]:
    """Topology `demo` again, for whoever means it ill."""
    with pytest.MonkeyPatch.context() as patch:
        for prefix in ("ORDERER", "CORE"):
            for key, value in IMPATIENT.items():
                patch.setenv(f"{prefix}_PRIVYSHARING_{key}", value)
        patch.setenv("ORDERER_GENERAL_CONNECTIONTIMEOUT", "2s")
        patch.setenv("CORE_PEER_CONNECTIONTIMEOUT", "2s")
        network = LiveNetwork("demo", tmp_path_factory.mktemp("besieged") / "network")
    yield network
    network.stop()


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> GeneratedNetwork:
    """Another network of the same names, with keys of its own."""
    return GeneratedNetwork("demo", tmp_path_factory.mktemp("elsewhere") / "network")

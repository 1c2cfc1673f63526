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


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> GeneratedNetwork:
    """Another network of the same names, with keys of its own."""
    return GeneratedNetwork("demo", tmp_path_factory.mktemp("elsewhere") / "network")

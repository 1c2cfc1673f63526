"""The overlays that ship, each made once."""

import pytest

from tests.support.cluster import TOPOLOGIES, Rendered


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    return Rendered.make("demo", tmp_path_factory.mktemp("demo") / "k8s")


@pytest.fixture(scope="session")
def on_kafka(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    return Rendered.make("ordering4", tmp_path_factory.mktemp("ordering4") / "k8s")


@pytest.fixture(params=TOPOLOGIES)
def rendered(request: pytest.FixtureRequest) -> Rendered:
    """Each of them."""
    found: Rendered = request.getfixturevalue({"demo": "demo", "ordering4": "on_kafka"}[request.param])
    return found

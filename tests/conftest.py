"""What tests of several folders share."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

from deploy.kafka.cluster import Cluster, start

E2E = Path(__file__).parent / "e2e"
LONG = 60

settings.register_profile("untimed", deadline=None)  # no test fails because the machine was busy
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def kafka_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One broker and one ZooKeeper node. Whoever stops one of them starts it again: `start`, then `ready`."""
    cluster = start(folder=tmp_path_factory.mktemp("kafka"))
    yield cluster
    cluster.kill()


@pytest.hookimpl(tryfirst=True)  # before the marks are read
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Two processes run the tests, and what shares real processes stays in one of them, one test after another."""
    for item in items:
        if item.get_closest_marker("xdist_group") is not None:
            continue
        if item.path.is_relative_to(E2E):
            item.add_marker(pytest.mark.xdist_group("processes"))
        elif "kafka_cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("kafka"))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Whatever is long is not spelt out: certificates differ from process to process, and names may not."""
    return argname if isinstance(val, (bytes, str)) and len(val) > LONG else None

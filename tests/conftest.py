"""What tests of several folders share."""

from collections.abc import Iterator

import pytest

from deploy.kafka.cluster import Cluster, start


@pytest.fixture(scope="session")
def kafka_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One broker and one ZooKeeper node. Whoever stops one of them starts it again: `start`, then `ready`."""
    cluster = start(folder=tmp_path_factory.mktemp("kafka"))
    yield cluster
    cluster.kill()

"""Two organisations with a peer each, and a contract that both run."""

from collections.abc import Iterator

import pytest

from tests.support.endorsing import Network


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    made = Network()
    made.define()
    yield made
    made.close()

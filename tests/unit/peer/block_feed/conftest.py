"""Chains to follow, and threads to verify them on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.following import OrderedChain
from tests.support.following_peer import GENESIS
from tests.support.ordering import SIGNER, envelope


@pytest.fixture
def crypto() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture
def chain() -> OrderedChain:
    made = OrderedChain(GENESIS, SIGNER)
    for number in range(1, 6):
        made.cut(envelope(b"%d" % number))
    return made

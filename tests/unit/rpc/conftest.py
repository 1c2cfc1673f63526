"""No exception of a task or future may get lost in these rooms."""

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from tests.support.nodes import LostErrors


@pytest.fixture(autouse=True)
async def nothing_lost() -> AsyncIterator[None]:
    lost = LostErrors(asyncio.get_running_loop())
    yield
    gc.collect(1)
    await asyncio.sleep(0)
    assert lost.found == []

"""Private values by their hash: the same from memory and from disk."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.peer.private_data import MemoryPrivateValues, PrivateValues, StoredPrivateValues

Open = Callable[[], PrivateValues]


@pytest.fixture(params=["memory", "disk"])
def values(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PrivateValues]:
    if request.param == "memory":
        yield MemoryPrivateValues()
        return
    stored = StoredPrivateValues(tmp_path / "values")
    yield stored
    stored.close()


def test_a_value_is_found_by_its_hash_alone(values: PrivateValues) -> None:
    values.keep([b"one", b"two"])
    assert values.get(hashlib.sha256(b"two").digest()) == b"two"
    assert values.get(hashlib.sha256(b"three").digest()) is None
    assert values.get(b"two") is None


def test_values_outlive_the_process(tmp_path: Path) -> None:
    first = StoredPrivateValues(tmp_path / "values")
    first.keep([b"one"])
    first.close()
    second = StoredPrivateValues(tmp_path / "values")
    assert second.get(hashlib.sha256(b"one").digest()) == b"one"
    second.close()

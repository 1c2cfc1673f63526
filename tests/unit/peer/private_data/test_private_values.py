"""Private values by their hash: the same from memory and from disk."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import plyvel
import pytest

from services.peer.private_data import MemoryPrivateValues, PrivateValues, StoredPrivateValues
from services.peer.private_data.values import PrivateValuesFault

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "values"
    stored = StoredPrivateValues(folder)
    stored.keep([b"one" * 100])
    stored.close()
    with plyvel.DB(str(folder)) as db:
        db.compact_range()
    return folder


def test_without_current_the_values_that_are_there_are_not_forgotten(folder: Path) -> None:
    current = (folder / "CURRENT").read_bytes()
    (folder / "CURRENT").unlink()
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(PrivateValuesFault, match=f"private values {folder}: CURRENT is missing"):
        StoredPrivateValues(folder)
    assert sorted(path.name for path in folder.iterdir()) == before
    (folder / "CURRENT").write_bytes(current)
    stored = StoredPrivateValues(folder)
    assert stored.get(hashlib.sha256(b"one" * 100).digest()) == b"one" * 100
    stored.close()


@pytest.mark.parametrize("harmed", ["*.ldb", "MANIFEST-*"])
def test_damage_is_a_fault_that_names_the_folder_and_is_never_cleared_away(folder: Path, harmed: str) -> None:
    path = next(iter(folder.glob(harmed)))
    raw = bytearray(path.read_bytes())
    raw[10:30] = bytes(20)
    path.write_bytes(raw)
    for _ in range(2):
        with pytest.raises(PrivateValuesFault, match=f"private values {folder}: .*restore"):
            StoredPrivateValues(folder).get(hashlib.sha256(b"one" * 100).digest())
    assert path.read_bytes() == raw

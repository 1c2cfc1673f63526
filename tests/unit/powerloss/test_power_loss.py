"""After a power cut every store has what it promised; the long form is `python -m tests.powerloss`."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.runtime.segment import Segment
from tests.powerloss.running import SCRATCH, STORES, run

CUTS = 150


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        yield Path(folder)


@pytest.mark.parametrize("name", STORES)
def test_what_was_promised_survives_cuts_behind_what_was_synced(name: str, folder: Path) -> None:
    outcomes = list(run(name, folder, CUTS, seed=1))
    assert [str(outcome) for outcome in outcomes if outcome.wrong is not None] == []
    assert len(outcomes) == CUTS


@pytest.mark.parametrize("name", STORES)
def test_a_store_that_forgets_to_sync_is_found_out(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Segment, "sync", lambda _segment: None)
    assert any(outcome.wrong is not None for outcome in run(name, folder, 20, seed=1))

"""What the demo tells: real heart beats, and refusals in the contract's own words."""

import io
import math
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from services.client.demo.narrator import Narrator, StoryBroken, sparkline
from services.client.demo.recordings import BEAT_SECONDS, heart_rates, readings
from tests.support.commandline import Run

HERTZ = 117


def wave(bpm: float, seconds: float, noise: float = 0.0) -> tuple[list[float], list[float]]:
    """A pulse wave: a narrow peak for each beat, and a lower, later one."""
    draw = random.Random(1)
    times = [sample / HERTZ for sample in range(int(seconds * HERTZ))]
    phases = [(time * bpm / 60) % 1 for time in times]
    peaks = [math.exp(-(((p - 0.3) / 0.06) ** 2)) + 0.3 * math.exp(-(((p - 0.6) / 0.08) ** 2)) for p in phases]
    return times, [500 + 100 * peak + draw.gauss(0, noise) for peak in peaks]


@settings(max_examples=15)
@given(st.integers(50, 150))
def test_a_steady_pulse_is_read_as_what_it_is(bpm: int) -> None:
    found = readings(*wave(bpm, 20))
    assert len(found) >= 2
    assert all(abs(rate.bpm - bpm) <= 2 for rate in found)
    assert [rate.at_s for rate in found] == sorted(rate.at_s for rate in found)


def test_a_little_noise_changes_little() -> None:
    found = readings(*wave(72, 30, noise=3))
    assert len(found) >= 4
    assert all(abs(rate.bpm - 72) <= 4 for rate in found)


@pytest.mark.parametrize("pulse", [[], [500.0] * 2000, [float(sample % 2) for sample in range(2000)]])
def test_where_no_heart_beats_there_is_no_reading(pulse: list[float]) -> None:
    assert readings([sample / HERTZ for sample in range(len(pulse))], pulse) == []


def test_the_recording_that_ships_is_a_persons_pulse() -> None:
    found = heart_rates()
    assert len(found) > 10
    assert all(60 / BEAT_SECONDS[1] <= rate.bpm <= 60 / BEAT_SECONDS[0] for rate in found)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_a_sparkline_has_a_bar_for_each_value_and_the_highest_is_highest(values: list[float]) -> None:
    bars = sparkline(values)
    assert len(bars) == len(values)
    assert bars[values.index(max(values))] == max(bars)
    assert bars[values.index(min(values))] == min(bars)


def test_a_terminal_without_unicode_gets_other_marks_and_bars() -> None:
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding="ascii"), width=80, highlight=False)
    narrator = Narrator(console)
    narrator.scene("Morning")
    narrator.expect(True, "the sun is up")
    narrator.refused("Bob", "tries", "access denied")
    narrator.says(narrator.curve([1, 2, 3]))
    console.file.flush()
    assert "+ the sun is up" in raw.getvalue().decode("ascii")


def told(narrator_of: Console) -> str:
    file = narrator_of.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_claim_that_is_so_is_told_and_one_that_is_not_ends_the_story_in_its_scene() -> None:
    console = Console(file=io.StringIO(), width=80, highlight=False)
    narrator = Narrator(console)
    narrator.scene("Morning")
    narrator.expect(True, "the sun is up")
    assert "1. Morning" in told(console)
    assert "✓ the sun is up" in told(console)
    narrator.scene("Night")
    with pytest.raises(StoryBroken, match="it is not so that the sun is up"):
        narrator.expect(0, "the sun is up")
    assert narrator.place == "scene 2 (Night)"


def test_a_play_on_a_network_that_is_there_begins_no_other(run: Run, tmp_path: Path) -> None:
    status, _, err = run("demo", "--on", str(tmp_path), "--keep", str(tmp_path / "kept"))
    assert status == 2
    assert "--on is for a network that is there: it goes with no other option" in err
    status, _, err = run("demo", "--on", str(tmp_path))
    assert status == 1
    assert f"no network in {tmp_path}" in err
    assert not list(tmp_path.iterdir())

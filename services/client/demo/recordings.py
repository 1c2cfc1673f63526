"""Real heart recordings: the photoplethysmogram that ships with the PyPI package heartpy, as beats per minute.

Only the data file is read. heartpy itself and the scientific libraries that it needs are neither imported nor required.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from statistics import median

SOURCE = "heartpy 1.2.7, data2.csv (a person's pulse, 117 samples a second)"
_PACKAGE, _FILE = "heartpy", "heartpy/data/data2.csv"

BEAT_SECONDS = (0.33, 1.5)  # 180 to 40 beats a minute: nothing else is taken for a beat
_BASELINE_SAMPLES = 176  # a second and a half of the wave
_RISE = 1.0  # standard deviations above the moving average: high enough to pass over the second, smaller wave of a beat
_BEATS_PER_READING = 4
_GAP_SPREAD_MAX = 0.4  # of the median gap


@dataclass(frozen=True, slots=True)
class HeartRate:
    """One reading: seconds since the recording began, and beats per minute."""

    at_s: float
    bpm: int


class RecordingMissing(Exception):
    """The package with the recordings is not installed."""


def heart_rates() -> list[HeartRate]:
    """A reading for every few beats of the recording."""
    return readings(*_samples())


def readings(times_s: Sequence[float], pulse: Sequence[float]) -> list[HeartRate]:
    """Beats per minute from a pulse wave, by the median distance of neighbouring beats."""
    beats = _beats(times_s, pulse)
    rates = []
    for first in range(0, len(beats) - _BEATS_PER_READING, _BEATS_PER_READING):
        gaps = [b - a for a, b in pairwise(beats[first : first + _BEATS_PER_READING + 1])]
        if _steady(gaps):
            rates.append(HeartRate(beats[first], round(60 / median(gaps))))
    return rates


def _steady(gaps: Sequence[float]) -> bool:
    """Whether these are beats. A sensor that has slipped shows gaps of every length."""
    low, middle, high = min(gaps), median(gaps), max(gaps)
    return BEAT_SECONDS[0] <= low and high <= BEAT_SECONDS[1] and high - low <= _GAP_SPREAD_MAX * middle


def _samples() -> tuple[list[float], list[float]]:
    try:
        path = Path(str(metadata.distribution(_PACKAGE).locate_file(_FILE)))
        with path.open(newline="") as file:
            rows = [(float(row["timer"]) / 1000, float(row["hr"])) for row in csv.DictReader(file)]
    except (metadata.PackageNotFoundError, FileNotFoundError):
        raise RecordingMissing(
            "needed: the heart recordings of the package heartpy; not found; "
            "install them with: pip install --require-hashes --no-deps -r recordings.lock"
        ) from None
    return [time for time, _ in rows], [value for _, value in rows]


def _beats(times_s: Sequence[float], pulse: Sequence[float]) -> list[float]:
    """Where the wave peaks: the highest sample of each stretch above the moving average."""
    sums, squares = [0.0], [0.0]
    for value in pulse:
        sums.append(sums[-1] + value)
        squares.append(squares[-1] + value * value)
    beats: list[float] = []
    peak: int | None = None
    for i, value in enumerate(pulse):
        low, high = max(0, i - _BASELINE_SAMPLES // 2), min(len(pulse), i + _BASELINE_SAMPLES // 2)
        mean = (sums[high] - sums[low]) / (high - low)
        deviation = math.sqrt(max(0.0, (squares[high] - squares[low]) / (high - low) - mean * mean))
        if value > mean + _RISE * deviation:
            peak = i if peak is None or value > pulse[peak] else peak
        elif peak is not None:
            if not beats or times_s[peak] - beats[-1] >= BEAT_SECONDS[0]:
                beats.append(times_s[peak])
            peak = None
    return beats

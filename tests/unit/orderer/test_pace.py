"""Blocks follow each other as fast as those who make and take them keep up, and never slower than the channel wants."""

import pytest

from services.orderer.pace import ENVELOPES, Pace

TIMEOUT_S = 2.0


def after_a_block(took_s: float, envelopes: int = ENVELOPES, least_s: float = 0.01) -> Pace:
    pace = Pace(least_s)
    pace.asked(100.0)
    pace.stored(100.0 + took_s, envelopes)
    return pace


def test_the_first_block_waits_for_nothing() -> None:
    assert Pace(0.01).due(waiting_since=100.0, timeout_s=TIMEOUT_S) <= 100.0


@pytest.mark.parametrize("took_s", [0.008, 0.02, 0.1])
def test_the_longer_a_block_took_and_the_more_it_holds_the_later_comes_the_next(took_s: float) -> None:
    some, many = ENVELOPES, 4 * ENVELOPES
    assert after_a_block(took_s).due(100.1, TIMEOUT_S) == pytest.approx(100.0 + 2 * took_s * (some - 1) / some)
    assert after_a_block(took_s, many).due(100.1, TIMEOUT_S) == pytest.approx(100.0 + 5 * took_s * (many - 1) / many)


def test_a_block_of_one_keeps_nobody_waiting_however_far_away_the_log_is() -> None:
    assert after_a_block(0.5, envelopes=1).due(100.5, TIMEOUT_S) <= 100.5


def test_blocks_that_cost_nothing_keep_the_least_distance() -> None:
    assert after_a_block(0.0, least_s=0.05).due(100.0, TIMEOUT_S) == pytest.approx(100.05)


def test_nothing_waits_longer_than_the_batch_timeout() -> None:
    assert after_a_block(30.0).due(100.1, TIMEOUT_S) == pytest.approx(102.1)


def test_a_system_that_has_rested_adds_no_waiting() -> None:
    assert after_a_block(0.02).due(200.0, TIMEOUT_S) <= 200.0


def test_a_block_that_was_full_before_anybody_asked_keeps_the_distance_of_the_last() -> None:
    pace = after_a_block(0.02)
    distance = pace.due(100.0, TIMEOUT_S) - 100.0
    pace.stored(101.0, 500)
    assert pace.due(101.0, TIMEOUT_S) == pytest.approx(101.0 + distance)

"""When a peer does not keep up."""

from services.peer.backlog import BEHIND_BLOCKS, Backlog


def test_a_hiccup_is_not_to_be_behind() -> None:
    backlog = Backlog()
    assert not any(backlog.is_behind(pipeline_full=True) for _ in range(BEHIND_BLOCKS))
    assert not any(backlog.is_behind(pipeline_full=full) for full in [False, True] * 500)


def test_many_blocks_that_find_the_pipeline_full_are_and_a_moment_of_room_changes_nothing() -> None:
    backlog = Backlog()
    for _ in range(2 * BEHIND_BLOCKS):
        backlog.is_behind(pipeline_full=True)
    assert all(backlog.is_behind(pipeline_full=full) for full in [False, True] * 500)


def test_it_is_over_after_as_many_that_find_room_however_long_it_lasted() -> None:
    backlog = Backlog()
    for _ in range(10_000):
        backlog.is_behind(pipeline_full=True)
    assert [backlog.is_behind(pipeline_full=False) for _ in range(BEHIND_BLOCKS)] == [True] * (BEHIND_BLOCKS - 1) + [
        False
    ]

"""What the trial of a cluster makes of what its peers have and say."""

from tests.cluster.__main__ import newest_block
from tests.cluster.load import Found

SAID = """
2026-11-23T13:01:04 INFO [services.peer.committer] committed block channel=health block=9 invalid=0 commit_hash=aa
2026-11-23T13:01:05 INFO [services.peer.committer] committed block channel=health block=10 invalid=0 commit_hash=bb
2026-11-23T13:01:06 INFO [services.peer.committer] committed block channel=transport block=2 invalid=0 commit_hash=cc
2026-11-23T13:01:07 INFO [services.runtime.process] stopping reason=SIGTERM
"""


def test_a_peer_that_has_everything_once_is_well() -> None:
    assert Found.judge([1, 2, 3], [3, 1, 2]).well
    assert Found.judge([], []).well


def test_what_is_missing_twice_there_or_there_though_refused_is_told_apart() -> None:
    found = Found.judge([1, 2, 3], [2, 2, 3, 4])
    assert (found.missing, found.doubled, found.unacknowledged) == ([1], [2], [4])
    assert not found.well
    assert not Found.judge([1], []).well
    assert not Found.judge([1], [1, 1]).well
    assert not Found.judge([], [1]).well


def test_a_peer_says_what_its_newest_block_is() -> None:
    assert newest_block(SAID, "health") == "10 bb"
    assert newest_block(SAID, "transport") == "2 cc"
    assert newest_block(SAID, "energy") == ""

"""What a member keeps of private data, through purges, expiry, crashes and backups, and what becomes of its files."""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from privysharing.protocol.codec.policies import encode_signature_policy
from privysharing.protocol.codec.private_sets import encode_private_set, parse_private_set
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.policies import parse_policy
from privysharing.protocol.rwsets import PrivateRwSet, Write
from services.peer.commits import replay
from services.peer.ledger.errors import LedgerFault
from services.peer.private_data.store import PrivateStore
from services.peer.private_data.types import Place, PrivateSet, PurgedKey
from services.peer.validation.validate import read_block
from services.runtime.database import LevelDatabases
from services.runtime.disk import RealDisk
from services.runtime.memorydatabase import MemoryDatabases
from services.runtime.memorydisk import MemoryDisk
from tests.support.judging import CONFIG
from tests.support.private_chain import (
    BOTH,
    CHAINCODE,
    ORG1,
    ORG2_ONLY,
    Member,
    PrivateChain,
    Put,
    member,
    stored_member,
    tx_id_at,
)

POLICY = encode_signature_policy(parse_policy("OR('Org1MSP.peer')"))
CANARY = b"blood alcohol 0.8 per mille: " + bytes(range(200, 232))


@pytest.fixture
def chain() -> PrivateChain:
    return PrivateChain()


@pytest.fixture
def peer() -> Iterator[Member]:
    disk = MemoryDisk()
    opened = stored_member(disk, MemoryDatabases(disk))
    yield opened
    opened.close()


@pytest.fixture(params=["memory", "disk"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Member]:
    """A member in memory, and one on a real disk."""
    if request.param == "memory":
        yield request.getfixturevalue("peer")
        return
    opened = on_disk(tmp_path)
    yield opened
    opened.close()


def on_disk(root: Path) -> Member:
    return stored_member(RealDisk(), LevelDatabases(), root)


def in_memory(chain: PrivateChain) -> Member:
    """A member that has the chain and none of its private data."""
    disk = MemoryDisk()
    return member(disk, MemoryDatabases(disk), chain)


def sha256(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def files_with(root: Path, what: bytes) -> list[str]:
    return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and what in path.read_bytes()]


def purged(peer: Member, key: str) -> PurgedKey | None:
    return peer.private.purged(CHAINCODE, "kept", sha256(key))


def test_a_value_is_read_under_the_newest_version_of_its_hash(chain: PrivateChain, either: Member) -> None:
    chain.put("k", b"one")
    chain.put("other", b"1")
    chain.put("k", b"two")
    for height, value in ((2, None), (3, b"one"), (4, b"one"), (5, b"two")):
        either.follow(chain, to=height)
        assert either.read("k") == value
    chain.add([Put("k")])
    either.follow(chain)
    assert either.read("k") is None


def test_what_other_members_hold_is_neither_kept_nor_missed(chain: PrivateChain, peer: Member) -> None:
    place = chain.put("k", b"theirs", "others")
    peer.follow(chain)
    assert peer.private.get_set(place) is None
    assert peer.private.missing_count() == {}
    assert peer.private.sets_of_block(place.block_num) == {}


def test_what_is_not_found_is_missing_and_the_block_is_stored_all_the_same(chain: PrivateChain, peer: Member) -> None:
    first, second = chain.put("a", b"1"), chain.put("b", b"2")
    wrong = {first: PrivateSet(CHAINCODE, "kept", b"no set"), second: PrivateSet(CHAINCODE, "kept", b"")}
    peer.follow(chain, wrong)
    assert peer.ledger.height == chain.height
    assert [missing.place for missing in peer.private.missing(9)] == [second, first]
    assert [missing.place for missing in peer.private.missing(1)] == [second]
    (one,) = peer.private.missing(9, before=second)
    assert one.tx_id == tx_id_at(chain, first)
    assert one.rwset_hash == hashlib.sha256(chain.sets[first].rwset).digest()
    assert peer.private.missing_count() == {(CHAINCODE, "kept"): 2}
    assert peer.read("a") is None


def test_reconciled_sets_are_stored_if_they_are_right_and_wrong_ones_are_named(
    chain: PrivateChain, either: Member
) -> None:
    places = [chain.put(key, key.encode()) for key in ("a", "b", "c")]
    either.follow(chain, {})
    given = {
        places[0]: chain.sets[places[0]],
        places[1]: PrivateSet(CHAINCODE, "kept", encode_private_set(PrivateRwSet((Write("b", b"forged"),)))),
        places[2]: PrivateSet(CHAINCODE, "kept", encode_private_set(PrivateRwSet((Write("x", b"c"),)))),
        Place(99, 0, CHAINCODE, "kept"): chain.sets[places[0]],
    }
    assert either.private.reconciled(given) == [places[1], places[2]]
    assert [either.read(key) for key in ("a", "b", "c")] == [b"a", None, None]
    assert either.private.missing_count() == {(CHAINCODE, "kept"): 2}
    assert either.private.reconciled(chain.sets) == []
    assert [either.read(key) for key in ("a", "b", "c")] == [b"a", b"b", b"c"]
    assert either.private.missing_count() == {}
    assert either.private.missing(9) == ()


def test_a_purge_takes_a_key_out_of_every_set_up_to_it_and_leaves_the_others(
    chain: PrivateChain, either: Member
) -> None:
    first = Place(chain.add([Put("k", b"one"), Put("stays", b"here")]), 0, CHAINCODE, "kept")
    second = chain.put("k", b"two")
    purge = chain.purge("k")
    after = chain.put("k", b"anew")
    either.follow(chain)
    stays = encode_private_set(PrivateRwSet((Write("stays", b"here"),)))
    assert either.private.get_set(first) == (PrivateSet(CHAINCODE, "kept", stays), True)
    assert either.private.get_set(second) == (PrivateSet(CHAINCODE, "kept", b""), True)
    assert either.private.get_set(Place(purge, 0, CHAINCODE, "kept")) == (PrivateSet(CHAINCODE, "kept", b""), True)
    assert either.private.get_set(after) == (chain.sets[after], False)
    assert (either.read("k"), either.read("stays")) == (b"anew", b"here")


def test_what_is_written_behind_a_purge_in_its_own_block_stays(chain: PrivateChain, peer: Member) -> None:
    chain.add([Put("k", b"before")], [Put("k", purge=True)], [Put("k", b"after")])
    peer.follow(chain)
    kept = [peer.private.get_set(Place(2, tx_num, CHAINCODE, "kept")) for tx_num in range(3)]
    assert [found and found[1] for found in kept] == [True, True, False]
    assert peer.read("k") == b"after"


def test_a_purge_is_only_told_of_once_nothing_is_left_in_files(chain: PrivateChain, tmp_path: Path) -> None:
    peer = on_disk(tmp_path)
    chain.put("k", CANARY)
    chain.put("k", b"again " + CANARY)
    peer.private.transient.keep(
        tx_id_at(chain, Place(2, 0, CHAINCODE, "kept")), 2, [chain.sets[Place(2, 0, CHAINCODE, "kept")]]
    )
    peer.follow(chain)
    assert files_with(tmp_path, CANARY)
    assert peer.private.erase()  # nothing to do yet
    number = chain.purge("k")
    peer.follow(chain)
    assert purged(peer, "k") is None
    assert files_with(tmp_path, CANARY)
    assert peer.private.waiting_purges == 1
    assert peer.private.erase()
    assert files_with(tmp_path, CANARY) == []
    assert purged(peer, "k") == PurgedKey(CHAINCODE, "kept", sha256("k"), number, 0)
    assert purged(peer, "other") is None
    assert peer.private.waiting_purges == 0
    peer.close()
    peer = on_disk(tmp_path)
    assert files_with(tmp_path, CANARY) == []
    assert purged(peer, "k") == PurgedKey(CHAINCODE, "kept", sha256("k"), number, 0)
    peer.close()


def test_a_purge_that_a_crash_kept_from_the_files_is_finished_after_it(chain: PrivateChain, tmp_path: Path) -> None:
    peer = on_disk(tmp_path)
    chain.put("k", CANARY)
    peer.follow(chain)
    peer.close()  # the value is in tables now
    peer = on_disk(tmp_path)
    chain.purge("k")
    peer.follow(chain)
    copy = tmp_path / "copy"
    for folder in ("ledger", "private"):
        shutil.copytree(tmp_path / folder, copy / folder)
    peer.close()
    again = on_disk(copy)
    assert again.read("k") is None
    assert purged(again, "k") is None
    assert again.private.waiting_purges == 1
    assert again.private.erase()
    assert files_with(copy, CANARY) == []
    assert purged(again, "k") is not None
    again.close()


def test_while_somebody_reads_a_purge_is_not_over(chain: PrivateChain, tmp_path: Path) -> None:
    peer = on_disk(tmp_path)
    chain.put("k", CANARY)
    chain.purge("k")
    peer.follow(chain)
    reading = peer.private._side._database.scan(b"", b"\xff")
    next(reading)
    assert not peer.private.erase()
    assert purged(peer, "k") is None
    reading.close()
    assert peer.private.erase()
    assert purged(peer, "k") is not None
    peer.close()


def test_a_purge_takes_what_is_endorsed_and_not_committed_too_but_not_what_is_endorsed_later(
    chain: PrivateChain, tmp_path: Path
) -> None:
    peer = on_disk(tmp_path)
    before, after = (
        PrivateSet(CHAINCODE, "kept", encode_private_set(PrivateRwSet((Write("k", CANARY + end),))))
        for end in (b"<", b">")
    )
    peer.private.transient.keep(TxId("before"), chain.height, [before])
    chain.purge("k")
    peer.follow(chain)
    peer.private.transient.keep(TxId("after"), chain.height, [after])
    assert peer.private.erase()
    assert files_with(tmp_path, CANARY + b"<") == []
    assert [each.rwset for each in peer.private.transient.sets_of(TxId("before"))] == [b""]
    assert list(peer.private.transient.sets_of(TxId("after"))) == [after]
    peer.close()


def test_a_member_that_was_away_cannot_bring_a_purged_value_back(chain: PrivateChain, peer: Member) -> None:
    place = Place(chain.add([Put("k", CANARY), Put("stays", b"here")]), 0, CHAINCODE, "kept")
    alone = chain.put("k", CANARY)
    chain.purge("k")
    peer.follow(chain, {})
    # Nothing that anybody could have is missing of sets of purged keys alone, the purge's own among them.
    assert [missing.place for missing in peer.private.missing(9)] == [place]
    assert peer.private.get_set(alone) == (PrivateSet(CHAINCODE, "kept", b""), True)
    assert peer.private.reconciled({place: chain.sets[place], alone: chain.sets[alone]}) == []
    for each in (place, alone):
        found = peer.private.get_set(each)
        assert found is not None
        assert CANARY not in found[0].rwset
    assert peer.read("stays") == b"here"
    assert peer.private.missing_count() == {}


def test_a_fellow_that_has_purged_what_we_have_purged_too_is_right_though_its_hash_is_not(chain: PrivateChain) -> None:
    place = Place(chain.add([Put("k", CANARY), Put("stays", b"here")]), 0, CHAINCODE, "kept")
    fellow, peer = in_memory(PrivateChain()), in_memory(PrivateChain())
    chain.purge("k")
    disk = MemoryDisk()
    fellow = stored_member(disk, MemoryDatabases(disk))
    fellow.follow(chain)
    given = fellow.private.get_set(place)
    assert given is not None
    assert given[1]
    peer = in_memory(chain)
    assert peer.private.reconciled({place: given[0]}) == []
    assert peer.private.get_set(place) == given


def test_a_fellow_that_has_purged_more_is_not_wrong_and_another_may_have_the_rest(chain: PrivateChain) -> None:
    place = Place(chain.add([Put("k", b"value"), Put("stays", b"here")]), 0, CHAINCODE, "kept")
    peer = in_memory(chain)  # it does not know of the purge
    trimmed = PrivateSet(CHAINCODE, "kept", encode_private_set(PrivateRwSet((Write("stays", b"here"),))))
    assert peer.private.reconciled({place: trimmed}) == []
    assert peer.private.get_set(place) is None
    assert peer.private.reconciled({place: chain.sets[place]}) == []
    assert peer.private.get_set(place) == (chain.sets[place], False)


@pytest.mark.parametrize(
    "endorsed",
    [
        b"\xffno set at all",
        encode_private_set(PrivateRwSet((Write("other", CANARY),))),
        encode_private_set(PrivateRwSet((Write("k", b"value"), Write("other", CANARY)))),
        encode_private_set(PrivateRwSet((Write("k", CANARY),))),
    ],
    ids=["garbage", "another key", "one key more", "another value"],
)
def test_what_endorsers_agreed_on_is_not_kept_where_it_is_not_what_its_hashes_say(
    chain: PrivateChain, tmp_path: Path, endorsed: bytes
) -> None:
    peer = on_disk(tmp_path)
    bad = chain.put_badly("k", b"value", endorsed)
    chain.put("l", b"later")
    peer.follow(chain)
    assert [each.place for each in peer.private.missing(9)] == [bad]
    assert peer.private.reconciled({bad: chain.sets[bad]}) == [bad]
    assert peer.read("l") == b"later"
    chain.purge("other")
    peer.follow(chain)
    assert peer.private.erase()
    assert purged(peer, "other") is not None
    assert files_with(tmp_path, CANARY) == []
    peer.close()


def test_what_is_hidden_in_a_set_is_not_kept_with_it(chain: PrivateChain, tmp_path: Path) -> None:
    peer = on_disk(tmp_path)
    right = encode_private_set(PrivateRwSet((Write("k", b"value"),)))
    place = chain.put_badly("k", b"value", right + b"\xfa\x7f" + bytes([len(CANARY)]) + CANARY)
    peer.follow(chain)
    assert peer.read("k") == b"value"
    assert peer.private.get_set(place) == (PrivateSet(CHAINCODE, "kept", right), True)
    assert files_with(tmp_path, CANARY) == []
    peer.close()


def test_expired_sets_and_what_is_missing_of_them_go_with_the_block_that_is_one_too_far(
    chain: PrivateChain, either: Member
) -> None:
    found, missing = chain.put("a", b"1", "short"), chain.put("b", b"2", "short")
    kept = chain.put("k", b"3")
    either.follow(chain, {place: each for place, each in chain.sets.items() if place != missing})
    assert either.private.missing_count() == {(CHAINCODE, "short"): 1}
    assert either.read("a", "short") == b"1"
    chain.put("x", b"4")  # block 5: that of `a` is 2, and it lives 2 blocks
    either.follow(chain)
    assert either.private.get_set(found) is None
    assert either.read("a", "short") is None
    assert either.private.missing_count() == {(CHAINCODE, "short"): 1}
    chain.put("y", b"5")
    either.follow(chain)
    assert either.private.missing_count() == {}
    assert either.private.get_set(kept) == (chain.sets[kept], False)
    assert either.private.reconciled({missing: chain.sets[missing]}) == []
    assert either.private.get_set(missing) is None


def test_a_key_that_is_written_again_lives_on_from_then(chain: PrivateChain, peer: Member) -> None:
    chain.put("a", b"1", "short")
    chain.put("x", b"")  # nothing
    chain.put("a", b"2", "short")
    for _ in range(2):
        chain.put("x", b"more")
    peer.follow(chain)
    assert peer.read("a", "short") == b"2"
    chain.put("x", b"more")
    peer.follow(chain)
    assert peer.read("a", "short") is None


def test_what_has_expired_leaves_the_files_in_time(chain: PrivateChain, tmp_path: Path) -> None:
    peer = on_disk(tmp_path)
    chain.put("a", CANARY, "short")
    for _ in range(3):
        chain.put("x", b"more")
    peer.follow(chain)
    assert files_with(tmp_path, CANARY)
    assert peer.private.erase(expired_too=True)
    assert files_with(tmp_path, CANARY) == []
    peer.close()


def test_a_value_stays_readable_when_only_its_policy_changes(chain: PrivateChain, either: Member) -> None:
    chain.put("k", b"value")
    chain.add([Put("k", policy=POLICY)])
    chain.add([Put("k", policy=POLICY), Put("none", policy=POLICY)])
    either.follow(chain, to=4)
    assert either.read("k") == b"value"
    either.follow(chain)
    assert either.read("k") == b"value"
    chain.add([Put("k", b"new")], [Put("k2", b"2"), Put("k", policy=POLICY)])
    either.follow(chain)
    assert (either.read("k"), either.read("k2")) == (b"new", b"2")
    chain.purge("k")
    either.follow(chain)
    assert (either.read("k"), either.read("k2")) == (None, b"2")


def test_a_value_that_was_missing_is_readable_under_the_version_that_only_changed_its_policy(
    chain: PrivateChain, peer: Member
) -> None:
    place = Place(chain.add([Put("k", b"value"), Put("l", b"too")]), 0, CHAINCODE, "kept")
    chain.add([Put("k", policy=POLICY), Put("l", policy=POLICY)])
    peer.follow(chain, {other: each for other, each in chain.sets.items() if other != place})
    assert peer.read("k") is None
    assert peer.private.reconciled({place: chain.sets[place]}) == []
    assert (peer.read("k"), peer.read("l")) == (b"value", b"too")


def test_a_backup_that_is_older_than_the_blocks_replays_purges_and_knows_what_it_lacks(
    chain: PrivateChain, tmp_path: Path
) -> None:
    peer = on_disk(tmp_path)
    old, gone = chain.put("old", b"1"), chain.put("k", CANARY)
    peer.follow(chain)
    peer.close()
    shutil.copytree(tmp_path / "private", tmp_path / "backup")
    peer = on_disk(tmp_path)
    new = chain.put("new", b"2")
    chain.purge("k")
    peer.follow(chain)
    peer.close()
    shutil.rmtree(tmp_path / "private")
    (tmp_path / "backup").rename(tmp_path / "private")
    assert files_with(tmp_path, CANARY)
    peer = on_disk(tmp_path)
    assert peer.private.get_set(old) == (chain.sets[old], False)
    assert peer.private.get_set(gone) == (PrivateSet(CHAINCODE, "kept", b""), True)
    assert [missing.place for missing in peer.private.missing(9)] == [new]
    assert peer.private.erase()
    assert files_with(tmp_path, CANARY) == []
    assert purged(peer, "k") is not None
    peer.close()


def test_a_peer_that_lost_everything_private_misses_all_but_what_is_purged_or_expired(chain: PrivateChain) -> None:
    stays = chain.put("a", b"1")
    chain.put("k", b"2")
    chain.put("s", b"3", "short")
    chain.purge("k")
    for _ in range(3):
        chain.put("x", b"4", "others")
    peer = in_memory(chain)
    assert [missing.place for missing in peer.private.missing(9)] == [stays]
    assert peer.private.reconciled(chain.sets) == []
    assert peer.read("a") == b"1"


def test_sets_outlive_the_blocks_that_came_with_them_and_not_other_blocks(chain: PrivateChain, tmp_path: Path) -> None:
    """The blocks are moved away and fetched again; then another chain is."""
    places = [chain.put("a", b"1"), chain.put("b", b"2")]
    peer = on_disk(tmp_path)
    peer.follow(chain)
    peer.close()
    shutil.rmtree(tmp_path / "ledger")
    peer = on_disk(tmp_path)
    peer.follow(chain, {})
    assert [peer.private.get_set(place) for place in places] == [(chain.sets[place], False) for place in places]
    assert peer.private.missing_count() == {}
    peer.close()
    shutil.rmtree(tmp_path / "ledger")
    other = PrivateChain()
    other.put("a", b"1")
    other.put("c", b"3")
    peer = on_disk(tmp_path)
    peer.follow(other, {})
    assert [peer.private.get_set(place) for place in places] == [None, None]
    assert peer.private.missing_count() == {(CHAINCODE, "kept"): 2}
    peer.close()


def test_sets_that_were_stored_before_a_crash_took_their_block_are_there_when_it_comes_again(
    chain: PrivateChain, tmp_path: Path
) -> None:
    place = chain.put("a", b"1")
    peer = on_disk(tmp_path)
    peer.follow(chain, to=2)
    commit = replay(chain.block(2), peer.ledger.state, peer.ledger.commit_hash)
    part = peer.private.part(2, read_block(commit.block), commit.verdicts)
    peer.private.add(commit.block, part, chain.sets)
    peer.close()
    peer = on_disk(tmp_path)
    peer.follow(chain, {})
    assert peer.private.get_set(place) == (chain.sets[place], False)
    assert peer.private.missing_count() == {}
    peer.close()


def test_the_transient_store_is_emptied_by_commits_and_finds_blocks_sets(chain: PrivateChain, peer: Member) -> None:
    place = chain.put("a", b"1")
    tx_id = tx_id_at(chain, place)
    peer.private.transient.keep(tx_id, 2, [chain.sets[place]])
    peer.private.transient.keep(TxId("another"), 2, [chain.sets[place]])
    peer.follow(chain, {})
    assert peer.read("a") == b"1"
    assert list(peer.private.transient.sets_of(tx_id)) == []
    assert list(peer.private.transient.sets_of(TxId("another"))) == [chain.sets[place]]


def test_another_format_is_refused(tmp_path: Path) -> None:
    on_disk(tmp_path).close()
    mark = (tmp_path / "private" / "FORMAT").read_bytes()
    (tmp_path / "private" / "FORMAT").write_bytes(mark.replace(b"1", b"2"))
    with pytest.raises(LedgerFault, match="needed private data of format 1, found format 2; run the release"):
        on_disk(tmp_path)


def test_a_peer_that_becomes_a_member_misses_what_is_there_now_and_gets_it(chain: PrivateChain, peer: Member) -> None:
    chain.put("old", b"1", "others")
    chain.put("old", b"2", "others")
    chain.add([Put("a", b"3", "others"), Put("b", b"4", "others")])
    chain.put("gone", b"5", "others")
    chain.add([Put("gone", collection="others")])
    peer.follow(chain)
    assert peer.private.missing_count() == {}
    chain.redefine(BOTH)
    peer.follow(chain)
    assert [missing.place.block_num for missing in peer.private.missing(9)] == [4, 3]
    assert peer.private.missing_count() == {(CHAINCODE, "others"): 2}
    peer.private.reconciled(chain.sets)
    assert [peer.read(key, "others") for key in ("old", "a", "b")] == [b"2", b"3", b"4"]
    chain.put("new", b"6", "others")
    peer.follow(chain)
    assert peer.read("new", "others") == b"6"


def test_a_peer_that_is_no_member_any_more_waits_for_nothing(chain: PrivateChain, peer: Member) -> None:
    place = chain.put("a", b"1")
    chain.put("b", b"2")
    peer.follow(chain, {place: chain.sets[place]})
    assert peer.private.missing_count() == {(CHAINCODE, "kept"): 1}
    chain.redefine(ORG2_ONLY)
    chain.put("c", b"3")
    peer.follow(chain)
    assert peer.private.missing_count() == {}
    assert (peer.read("a"), peer.read("c")) == (b"1", None)


def test_looking_through_blocks_may_be_broken_off_and_goes_on_at_the_next_start(chain: PrivateChain) -> None:
    chain.put("a", b"1")
    chain.put("b", b"2")
    disk = MemoryDisk()
    databases = MemoryDatabases(disk)
    left = 3

    class Stopped(Exception):
        pass

    def between() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Stopped

    folder = Path("/private of a newcomer")
    with pytest.raises(Stopped):
        PrivateStore.open(in_memory(chain).ledger, folder, disk, databases, CONFIG, ORG1, between)
    store = PrivateStore.open(in_memory(chain).ledger, folder, disk, databases, CONFIG, ORG1)
    assert store.missing_count() == {(CHAINCODE, "kept"): 2}
    store.close()


def test_no_value_shows_in_what_is_printed(chain: PrivateChain, peer: Member) -> None:
    place = chain.put("k", CANARY)
    peer.follow(chain)
    assert str(CANARY)[2:20] not in repr((chain.sets[place], peer.private.get_set(place)))
    assert str(CANARY)[2:20] not in repr(parse_private_set(chain.sets[place].rwset))
    assert "rwset" not in repr(replace(chain.sets[place]))

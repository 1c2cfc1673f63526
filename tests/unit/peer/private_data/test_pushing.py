"""What is endorsed is with other members before the endorsement leaves, or is not endorsed."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest

from privysharing.protocol.channel.settings import AnchorPeer
from privysharing.protocol.private_data import PushAnswer, PushedTransaction
from services.peer.private_data import transient
from services.peer.private_data.dissemination import NotSpread
from services.peer.private_data.fellows import Fellow
from services.peer.private_data.lines import LineLimits, PushLine, Sending
from services.peer.private_data.metrics import REASON_LOGGED_MAX
from services.peer.private_data.transient import StoredTransient, TransientStoreFull
from services.peer.private_data.types import PrivateResults, ToKeep
from tests.support.fellows import (
    OURS,
    PEER1,
    PEER1B,
    PEER2,
    PEER2B,
    QUICK,
    SHARED,
    Peer,
    Purge,
    Secret,
    collection,
    town,
    until,
)

BOTH = "OR('Org1MSP.member', 'Org2MSP.member')"


async def test_what_is_endorsed_is_durable_with_another_member_and_committed_there() -> None:
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two) as network:
        secret = Secret(SHARED, "k", b"v")
        await one.spread(secret)
        assert one.kept(secret)
        assert two.kept(secret)
        await network.commit(secret.envelope)
        assert one.holds(secret)
        assert two.holds(secret)
        assert not one.kept(secret)
        assert not two.kept(secret)


async def test_nothing_is_pushed_to_who_is_no_member() -> None:
    one, two, three = Peer(PEER1), Peer(PEER1B), Peer(PEER2)
    async with town(one, two, three) as network:
        secret = Secret(OURS, "k", b"v")
        await one.spread(secret)
        assert two.kept(secret)
        assert not three.kept(secret)
        await network.commit(secret.envelope)
        assert two.holds(secret)
        assert not three.holds(secret)
        assert not three.store.missing(10)
        assert two.served("pull") == 0


async def test_one_peer_of_each_organisation_is_served_first() -> None:
    members = collection("shared", BOTH, required=2, maximum=2)
    one, two, three, four = Peer(PEER1), Peer(PEER1B), Peer(PEER2), Peer(PEER2B)
    async with town(one, two, three, four, collections=(members,)):
        for number in range(4):
            secret = Secret(members, f"k{number}", b"v")
            await one.spread(secret)
            assert two.kept(secret)
            assert three.kept(secret) != four.kept(secret)


async def test_peers_of_an_organisation_are_pushed_to_in_turns() -> None:
    members = collection("shared", BOTH, required=1, maximum=1)
    one, two, three = Peer(PEER1), Peer(PEER2), Peer(PEER2B)
    async with town(one, two, three, collections=(members,)):
        for number in range(4):
            await one.spread(Secret(members, f"k{number}", b"v"))
        assert (two.served("push"), three.served("push")) == (2, 2)


async def test_each_peer_gets_the_sets_that_it_may_have_of_one_transaction() -> None:
    one, two, three = Peer(PEER1), Peer(PEER1B), Peer(PEER2)
    async with town(one, two, three):
        ours, shared = Secret(OURS, "k", b"v"), Secret(SHARED, "l", b"w")
        both = PrivateResults(
            "city", ours.tx_id, 1, (ours.set, shared.set), {**ours.results.collections, **shared.results.collections}
        )
        await one.begin(both)
        assert set(two.store.transient.sets_of(ours.tx_id)) == {ours.set, shared.set}
        assert set(three.store.transient.sets_of(ours.tx_id)) == {shared.set}


async def test_too_few_peers_are_a_refusal_that_says_how_many() -> None:
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two):
        await two.stop()
        with pytest.raises(NotSpread, match=r"must reach at least 1 other peers .* and reached 0"):
            await one.spread(Secret(SHARED, "k", b"v"))


async def test_while_too_few_peers_are_there_nothing_is_kept() -> None:
    """Clients try again, under another id each time: that would fill the store, for as long as no block comes."""
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two):
        await two.stop()
        for each in one.fellows(SHARED):
            each.lose()
        for number in range(3):
            with pytest.raises(NotSpread, match="and reached 0"):
                await one.spread(Secret(SHARED, f"k{number}", b"v"))
        assert one.store.transient.waiting == 0


async def test_a_peer_with_two_addresses_counts_once() -> None:
    members = collection("shared", BOTH, required=2, maximum=2)
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two, collections=(members,)):
        orgs = {
            name: replace(org, anchor_peers=(*org.anchor_peers, AnchorPeer("localhost", two.port)))
            if org.msp_id == "Org2MSP"
            else org
            for name, org in one.config.application_orgs.items()
        }
        one.config = replace(one.config, application_orgs=orgs)

        def addresses() -> list[Fellow]:
            known = one.exchange._fellows._known.values()
            return [each for each in known if each.up and each.serialized == two.signer.serialized]

        await until(lambda: len(addresses()) == 2)
        addresses()[1].lose()  # and is back as soon as it is greeted
        with pytest.raises(NotSpread, match="and reached 1"):
            await one.spread(Secret(members, "k", b"v"))


async def test_nobody_else_is_needed_where_none_is_required() -> None:
    one, two = Peer(PEER1), Peer(PEER1B)
    async with town(one, two) as network:
        await two.stop()
        secret = Secret(OURS, "k", b"v")
        await one.spread(secret)
        await one.commit(network.order(secret.envelope))
        assert one.holds(secret)


async def test_who_is_no_member_endorses_nothing_of_a_collection() -> None:
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two):
        secret = Secret(OURS, "k", b"v")
        with pytest.raises(NotSpread, match="of Org2MSP, is not a member of collection ours of chaincode cc"):
            await two.spread(secret)
        assert not one.kept(secret)
        assert not two.kept(secret)


async def test_another_peer_is_tried_where_one_fails() -> None:
    one, two, three = Peer(PEER1), Peer(PEER2), Peer(PEER2B)
    async with town(one, two, three):
        await two.stop()
        for number in range(3):
            secret = Secret(SHARED, f"k{number}", b"v")
            await one.spread(secret)
            assert three.kept(secret)


async def test_a_peer_whose_disk_hangs_holds_up_nothing_for_long_where_it_is_not_needed() -> None:
    one, two, three = Peer(PEER1), Peer(PEER2), Peer(PEER2B)
    async with town(one, two, three):
        with two.store.transient._lock:  # whoever would write there waits
            began = asyncio.get_running_loop().time()
            secret = Secret(SHARED, "k", b"v")
            await one.spread(secret)
            assert three.kept(secret)
            assert asyncio.get_running_loop().time() - began < QUICK.push.ack_seconds
        await until(lambda: two.kept(secret))


async def test_a_peer_whose_disk_hangs_is_waited_for_until_the_time_is_over_where_it_is_needed() -> None:
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two):
        with two.store.transient._lock:
            began = asyncio.get_running_loop().time()
            with pytest.raises(NotSpread, match="and reached 0"):
                await one.spread(Secret(SHARED, "k", b"v"))
            assert asyncio.get_running_loop().time() - began >= QUICK.push.ack_seconds * 0.9


async def test_a_peer_that_is_back_is_pushed_to_again() -> None:
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two):
        await two.stop()
        with pytest.raises(NotSpread):
            await one.spread(Secret(SHARED, "k", b"v"))
        back = Peer(PEER2, before=two)
        await back.start([one])
        await until(lambda: one.fellows(SHARED))
        secret = Secret(SHARED, "l", b"v")
        await one.spread(secret)
        assert back.kept(secret)
        await back.stop()


async def test_a_peer_that_is_back_is_found_as_soon_as_it_shows_itself() -> None:
    """Its old connection would wait for seconds."""
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two):
        await two.stop()
        with pytest.raises(NotSpread):
            await one.spread(Secret(SHARED, "k", b"v"))
        await asyncio.sleep(1.0)  # one tries again and again, in vain, and more and more seldom
        back = Peer(PEER2, before=two)
        began = asyncio.get_running_loop().time()
        await back.start([one])
        await until(lambda: one.fellows(SHARED))
        assert asyncio.get_running_loop().time() - began < 0.6
        await back.stop()


async def test_an_endorsement_waits_until_others_have_been_greeted() -> None:
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two):
        await one.stop()
        back = Peer(PEER1, before=one)
        await back.start([two])
        secret = Secret(SHARED, "k", b"v")
        await back.spread(secret)  # it has met nobody yet
        assert two.kept(secret)
        await back.stop()


async def test_endorsements_that_wait_together_share_messages() -> None:
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two):
        secrets = [Secret(SHARED, f"k{number}", b"v") for number in range(100)]
        await asyncio.gather(*map(one.spread, secrets))
        assert all(map(two.kept, secrets))
        assert two.served("push") <= 10


async def test_what_others_follow_waits_for_them_and_not_for_long() -> None:
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two):
        secrets = [Secret(SHARED, f"k{number}", b"v") for number in range(3)]
        *first, last = [one.begin_to_spread(secret, more=secret is not secrets[-1]) for secret in secrets]
        await asyncio.gather(*first, last)
        assert all(map(two.kept, secrets))
        assert two.served("push") == 1
        alone = Secret(SHARED, "alone", b"v")
        await asyncio.wait_for(one.begin_to_spread(alone, more=True), QUICK.push.ack_seconds)
        assert two.kept(alone)


async def test_what_two_endorsers_push_to_each_other_is_written_once() -> None:
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two):
        before = two.store.transient._journal.size
        secret = Secret(SHARED, "k", b"v")
        await asyncio.gather(one.spread(secret), two.spread(secret))
        once = two.store.transient._journal.size - before
        await one.spread(Secret(SHARED, "l", b"v"))
        assert two.store.transient._journal.size - before == 2 * once
        other = PrivateResults("city", secret.tx_id, 1, (Secret(SHARED, "k", b"w").set,), secret.results.collections)
        await one.begin(other)
        assert len(set(two.store.transient.sets_of(secret.tx_id))) == 2  # endorsers differ: both are kept


async def test_a_transaction_that_is_refused_spoils_no_other_in_its_message() -> None:
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two):
        good = [Secret(SHARED, f"k{number}", b"v") for number in range(3)]
        unknown = Secret(collection("unknown", BOTH, required=1), "k", b"v")
        outcomes = await asyncio.gather(*map(one.spread, [*good[:2], unknown, good[2]]), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None), type(None), NotSpread, type(None)]
        assert all(map(two.kept, good))
        assert not two.kept(unknown)
        await until(lambda: two.refused("push", "not_a_member") == 1)


async def test_what_another_endorser_pushed_is_not_pushed_back_to_it() -> None:
    one, two, three = Peer(PEER1), Peer(PEER2), Peer(PEER2B)
    async with town(one, two, three):
        secret = Secret(SHARED, "k", b"v")
        await one.spread(secret)
        assert (two.served("push"), three.served("push")) == (1, 1)
        await two.begin(replace(secret.results, height=two.ledger.height))  # a block later
        assert (one.served("push"), three.served("push")) == (0, 2)
        await one.spread(Secret(SHARED, "l", b"v"))
        await two.spread(Secret(SHARED, "m", b"v"))  # which it was not pushed
        assert one.served("push") == 1


async def test_what_a_purge_may_have_taken_from_who_pushed_it_is_pushed_back() -> None:
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two) as network:
        secret = Secret(SHARED, "k", b"v")
        await one.spread(secret)
        await network.commit(Purge(SHARED, "k").envelope)
        again = replace(secret.results, height=two.ledger.height)
        await two.begin(again)
        assert one.served("push") == 1
        for peer in (one, two):
            assert peer.store.erase()
            assert peer.kept(secret)  # endorsed after the purge, too
        await network.commit(secret.envelope)
        assert one.holds(secret)
        assert two.holds(secret)


async def test_where_a_peer_has_room_for_some_the_others_go_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, three = Peer(PEER1), Peer(PEER2), Peer(PEER2B)
    members = collection("shared", BOTH, required=1, maximum=1)
    async with town(one, two, three, collections=(members,)):
        secrets = [Secret(members, f"k{number}", b"v" * 1000) for number in range(4)]

        def two_only(store: StoredTransient, all_to_keep: Sequence[ToKeep]) -> Sequence[TransientStoreFull | None]:
            return [*keep_all(store, all_to_keep[:2]), *[TransientStoreFull() for _ in all_to_keep[2:]]]

        keep_all = StoredTransient.keep_all
        for peer in (two, three):
            monkeypatch.setattr(peer.store.transient, "keep_all", partial(two_only, peer.store.transient))
        await asyncio.gather(*[one.begin_to_spread(each, more=each is not secrets[-1]) for each in secrets])
        assert sorted([peer.kept(each) for each in secrets] for peer in (two, three)) == [
            [False, False, True, True],
            [True, True, False, False],
        ]


async def test_a_push_that_has_next_to_no_time_left_spoils_no_other() -> None:
    """It would take their time from those in its message, and its peer would count as one that does not answer."""
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two):
        [fellow] = one.fellows(SHARED)
        line = PushLine(fellow, one.exchange._fellows, LineLimits(10, 10_000, 0.05))
        loop, told = asyncio.get_running_loop(), list[str | None]()
        now = loop.time()
        with two.store.transient._lock:  # a slow disk
            for key, seconds in (("late", 0.03), ("in time", 1)):
                secret = Secret(SHARED, key, b"v")
                pushed = PushedTransaction(secret.tx_id, 1, (secret.set,))
                line.put(Sending((pushed,), now + seconds, told.extend))
            await asyncio.sleep(0.08)
        await until(lambda: len(told) == 2)
        assert told == ["no time was left", None]
        assert fellow.up


async def test_a_set_for_which_there_is_no_room_spoils_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transient, "WAITING_BYTES_MAX", 26_000)
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two):
        [fellow] = one.fellows(SHARED)
        line = PushLine(fellow, one.exchange._fellows, LineLimits(10, 10_000_000, 0.05))
        until_then, told = asyncio.get_running_loop().time() + 1, list[str | None]()
        for size in (2_000_000, 1):  # too large for a message with others
            secret = Secret(SHARED, "k", b"v" * size)
            line.put(Sending((PushedTransaction(secret.tx_id, 1, (secret.set,)),), until_then, told.extend))
        await until(lambda: len(told) == 2)
        assert told == ["Org1MSP's share of the transient store of this peer is full; try again later", None]
        assert fellow.up


async def test_who_has_no_room_takes_none_from_those_who_come_while_he_is_being_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transient, "WAITING_BYTES_MAX", 26_000)
    one = Peer(PEER1)
    async with town(one):
        keeping = one.exchange.keeping
        flood = [Secret(SHARED, f"k{number}", b"v" * 1500) for number in range(7)]
        for each in flood[:-1]:
            await keeping.keep([PushedTransaction(each.tx_id, 1, (each.set,))], "Org2MSP")
        last = [PushedTransaction(flood[-1].tx_id, 1, (flood[-1].set,))]
        with one.store.transient._writing:
            theirs = asyncio.create_task(keeping.keep(last, "Org2MSP"))
            await until(lambda: not keeping._waiting and keeping._writing)  # it is being written
            ours = asyncio.create_task(keeping.keep(last, "Org1MSP"))
            await asyncio.sleep(0)
        assert [type(kept.fault) for [kept] in (await theirs, await ours)] == [TransientStoreFull, type(None)]
        assert one.kept(flood[-1])


async def test_a_peer_that_lies_fills_no_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two):
        told = PushAnswer(tuple(f"{number}" * 100_000 for number in range(3)))

        async def lie(*_: object) -> PushAnswer:
            return told

        monkeypatch.setattr(two.service, "_keep", lie)
        outcomes = [one.begin_to_spread(Secret(SHARED, key, b"v"), more=key != "c") for key in "abc"]
        assert [type(each) for each in await asyncio.gather(*outcomes, return_exceptions=True)] == [NotSpread] * 3
        [line] = [each for each in caplog.records if each.message == "a push of private data failed"]
        assert line.__dict__["transactions"] == 3
        assert len(line.__dict__["reason"]) == REASON_LOGGED_MAX

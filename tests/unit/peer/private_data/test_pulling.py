"""What a member lacks it gets from others: before the commit if it is quick, afterwards otherwise."""

import asyncio
from dataclasses import replace
from typing import Final

import pytest

from privysharing.protocol.private_data import Answer, PrivateSet
from services.peer.private_data.store import PrivateStore
from services.peer.private_data.types import Place
from tests.support.fellows import OURS, PEER1, PEER1B, PEER2, QUICK, SHARED, Peer, Purge, Secret, town, until
from tests.support.judging import ORG1_CA

LIAR: Final = ORG1_CA.issue("liar", "peer").signer("Org1MSP")


async def test_what_was_not_pushed_is_pulled_before_the_commit() -> None:
    one, two = Peer(PEER1), Peer(PEER1B)
    async with town(one, two) as network:
        secret = Secret(OURS, "k", b"v")
        one.keep(secret)
        block = network.order(secret.envelope)
        await two.commit(block)  # first: the other one has not committed it yet
        assert two.holds(secret)


async def test_what_the_transient_store_has_is_asked_of_nobody() -> None:
    one, two = Peer(PEER1), Peer(PEER1B)
    async with town(one, two) as network:
        secret = Secret(OURS, "k", b"v")
        one.keep(secret)
        two.keep(secret)
        await network.commit(secret.envelope)
        assert one.served("pull") == two.served("pull") == 0


async def test_a_set_that_is_not_the_endorsed_one_does_not_count_as_found() -> None:
    one, two = Peer(PEER1), Peer(PEER1B)
    async with town(one, two) as network:
        secret = Secret(OURS, "k", b"v")
        one.keep(secret)
        other = PrivateSet("cc", "ours", Secret(OURS, "k", b"other").set.rwset)
        two.store.transient.keep(secret.tx_id, 1, [other])
        await network.commit(secret.envelope)
        assert two.holds(secret)


async def test_a_commit_waits_for_nobody_and_what_it_lacks_comes_when_a_fellow_is_back() -> None:
    one, two = Peer(PEER1), Peer(PEER1B)
    async with town(one, two) as network:
        await one.stop()
        secrets = [Secret(OURS, f"k{number}", b"v") for number in range(3)]
        for secret in secrets:
            one.keep(secret)
            block = network.order(secret.envelope)
            await one.commit(block)
            await two.commit(block)
            assert not two.holds(secret)
        await until(lambda: two.missing() == 3)
        assert two.store.missing_count() == {("cc", "ours"): 3}
        back = Peer(PEER1, before=one)
        await back.start([two])
        await until(lambda: all(map(two.holds, secrets)))
        await until(lambda: two.missing() == 0)
        await back.stop()


async def test_a_peer_that_lost_everything_gets_everything_back() -> None:
    one, two = Peer(PEER1), Peer(PEER1B)
    async with town(one, two) as network:
        secrets = [Secret(OURS, f"k{number}", b"v") for number in range(5)]
        for secret in secrets:
            await one.spread(secret)
            await network.commit(secret.envelope)
        await two.stop()
        fresh = Peer(PEER1B)
        await fresh.start([one])
        await fresh.commit(*network.blocks)
        await until(lambda: all(map(fresh.holds, secrets)))
        await fresh.stop()


async def test_newer_sets_that_nobody_has_keep_none_from_asking_for_older_ones() -> None:
    one, two = Peer(PEER1), Peer(PEER1B)
    async with town(one, two) as network:
        await one.stop()
        had = Secret(OURS, "had", b"v")
        one.keep(had)
        nobodys = [Secret(OURS, f"k{number}", b"v") for number in range(QUICK.reconciler.looked_at_max)]
        blocks = [network.order(secret.envelope) for secret in (had, *nobodys)]
        await two.commit(*blocks)
        back = Peer(PEER1, before=one)
        await back.start([two])
        await back.commit(*blocks)
        await until(lambda: two.holds(had))
        assert two.store.missing_count() == {("cc", "ours"): len(nobodys)}
        await back.stop()


async def test_a_peer_that_becomes_a_member_gets_what_is_there_though_it_lacked_nothing_before() -> None:
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two) as network:
        secret = Secret(OURS, "k", b"v")
        one.keep(secret)
        await network.commit(secret.envelope)
        await asyncio.sleep(2 * QUICK.reconciler.pause_seconds_max)  # by now nothing is looked for
        everybodys = replace(OURS, member_orgs_policy=SHARED.member_orgs_policy)
        policy = "OR('Org1MSP.peer', 'Org2MSP.peer')"
        await network.commit(network.orderer.define("cc", policy, everybodys, SHARED, sequence=2))
        await until(lambda: two.holds(secret))


async def test_nobody_but_members_is_asked() -> None:
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two) as network:
        await network.commit(Secret(OURS, "k", b"v").envelope, Secret(SHARED, "l", b"v").envelope)
        await until(lambda: two.served("pull") > 0)  # about the shared one
        assert two.refused("pull", "not_a_member") == 0


async def test_a_peer_that_has_purged_some_keys_is_not_mistaken_for_a_liar() -> None:
    one, two = Peer(PEER1), Peer(PEER1B)
    async with town(one, two) as network:
        secret = Secret(OURS, "k", b"v", also="l")
        await one.spread(secret)
        await network.commit(secret.envelope)
        await network.commit(Purge(OURS, "k").envelope)
        assert one.store.erase()
        await two.stop()
        fresh = Peer(PEER1B)
        await fresh.start([one])
        await until(lambda: fresh.fellows(OURS))
        written, purged = network.blocks[1], network.blocks[2]
        await fresh.commit(network.blocks[0], written)
        await until(lambda: one.served("pull") > 1)  # before the commit, and afterwards: what is left of it
        assert fresh.store.missing_count() == {("cc", "ours"): 1}
        await fresh.commit(purged)
        await until(lambda: not fresh.store.missing_count())
        assert fresh.liars() == 0
        place = Place(written.header.number, 0, "cc", "ours")
        assert fresh.store.get_set(place) == one.store.get_set(place) == (Secret(OURS, "l", b"v").set, True)
        await fresh.stop()


async def test_a_silent_fellow_holds_up_one_commit_and_no_second_one() -> None:
    one, two = Peer(PEER1), Peer(PEER1B)
    async with town(one, two) as network:
        one.service._within_quota = forever  # type: ignore[method-assign]
        for number in range(2):
            began = asyncio.get_running_loop().time()
            await two.commit(network.order(Secret(OURS, f"k{number}", b"v").envelope))
            took = asyncio.get_running_loop().time() - began
            assert (took > QUICK.pull.seconds_max * 0.4) == (number == 0)


async def forever(*_: object) -> Answer:
    await asyncio.Event().wait()
    raise AssertionError


class LyingStore(PrivateStore):
    """Has something else for every set."""

    def get_set(self, place: Place) -> tuple[PrivateSet, bool] | None:
        found = super().get_set(place)
        return found and (Secret(OURS, "k", b"a lie").set, self.says_trimmed)

    says_trimmed = False


class SmoothlyLyingStore(LyingStore):
    """Says that a purge has changed it."""

    says_trimmed = True


@pytest.mark.parametrize("lies", [LyingStore, SmoothlyLyingStore])
async def test_a_peer_that_serves_wrong_data_is_found_out_and_asked_no_more(lies: type[PrivateStore]) -> None:
    liar, two = Peer(LIAR, store=lies), Peer(PEER1B)
    async with town(liar, two) as network:
        secret = Secret(OURS, "k", b"v")
        liar.keep(secret)
        block = network.order(secret.envelope)
        await liar.commit(block)
        await two.commit(block)
        await until(lambda: two.liars() == 1)
        assert not two.holds(secret)
        assert not two.fellows(OURS)
        honest = Peer(PEER1)
        await honest.start([liar, two])
        honest.keep(secret)
        await honest.commit(*network.blocks)
        two.meet([liar, honest])
        await until(lambda: two.holds(secret))
        assert two.liars() == 1
        await honest.stop()

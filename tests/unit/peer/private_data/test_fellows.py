"""Peers are found by the channel's configuration, and greeted until they answer."""

from dataclasses import replace

import pytest

from services.peer.private_data.fellows import FellowsConfig
from tests.support.fellows import HOST, OURS, PEER1, PEER1B, PEER2, SHARED, Peer, town, until


async def test_a_peer_does_not_take_itself_for_another() -> None:
    one, two = Peer(PEER1), Peer(PEER1B)
    async with town(one, two):
        await until(lambda: any(fellow.is_me for fellow in one.exchange._fellows._known.values()))
        assert [fellow.serialized for fellow in one.fellows(OURS)] == [PEER1B.serialized]


async def test_a_peer_that_knows_its_own_address_does_not_call_itself() -> None:
    """Where the network lets nobody call himself, that would be in vain for ever."""
    one, two = Peer(PEER1), Peer(PEER1B)
    settings = one.exchange._fellows._settings
    one.exchange._fellows._settings = replace(settings, address=f"{HOST}:{one.port}")
    async with town(one, two):
        await until(lambda: one.fellows(OURS))
        assert [source.address for source in one.exchange._fellows._known] == [f"{HOST}:{two.port}"]


async def test_who_is_not_of_the_organisation_that_names_him_is_no_fellow() -> None:
    one, two = Peer(PEER1), Peer(PEER2)
    async with town(one, two):
        stranger = Peer(PEER2)
        stranger.signer = PEER1B  # so it is listed
        one.meet([two, stranger])
        await stranger.server.start()
        await until(lambda: len(one.exchange._fellows._known) == 3)
        assert [fellow.serialized for fellow in one.fellows(SHARED)] == [PEER2.serialized]
        await stranger.stop()


async def test_a_peer_that_the_configuration_does_not_name_any_more_is_forgotten() -> None:
    one, two = Peer(PEER1), Peer(PEER1B)
    async with town(one, two):
        one.meet([])
        await until(lambda: not one.fellows(OURS))


@pytest.mark.parametrize("refused", [False, True])
def test_pauses_grow_to_a_limit_and_are_never_all_alike(refused: bool) -> None:
    settings = FellowsConfig()
    longest = settings.refused_seconds_max if refused else settings.pause_seconds_max
    pauses = [settings.pause(failures, 128, refused=refused) for failures in range(40)]
    assert pauses == sorted(pauses)
    assert pauses[0] == settings.pause_seconds_min
    assert pauses[-1] == longest
    spread = {settings.pause(5, chance, refused=refused) for chance in range(256)}
    assert len(spread) == 256
    assert max(spread) < 2 * min(spread)

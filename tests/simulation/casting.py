"""The liars of a run, each in the place of an honest one."""

import random
from collections.abc import Sequence
from typing import Final

import grpc

from services.orderer.log import LogPlace, OpenLog
from services.peer.endorsement.workers import Job
from tests.simulation import lying_fellows
from tests.simulation.computers import Program
from tests.simulation.liars import HONEST, Liars, Moods, Told
from tests.simulation.log import Cluster
from tests.simulation.loop import SimulatedLoop, current_life
from tests.simulation.lying_endorsers import LIES, LyingVoice, Say
from tests.simulation.lying_fellows import LyingFellow
from tests.simulation.lying_orderers import (
    FORBIDS_WHAT_IT_ORDERS,
    IN_ITS_LOG,
    OF_BLOCKS,
    BadBlocks,
    Forbidding,
    LyingLog,
    in_front,
)
from tests.simulation.nodes import log_of, orderer_program
from tests.simulation.town import Town
from tests.simulation.two_stories import BLOCKS_MAX, TwoStories


class Cast:
    """Who plays whom. Nodes go by their full names; what liars have in mind outlives their processes."""

    def __init__(
        self,
        liars: Liars,
        town: Town,
        cluster: Cluster,
        loop: SimulatedLoop,
        chance: random.Random,
        began: int,
        blocks_max: int | None = BLOCKS_MAX,
    ) -> None:
        """`began`: how many blocks there are when the run begins. `blocks_max`: see `two_stories.check_peers`."""
        self.told = Told()
        self.blocks_max = blocks_max
        self.alone: Final = liars.alone and liars.twins is None
        self.spoils: Final = (
            liars.orderer is not None and liars.twins is None
        )  # honest envelopes, for what they are worth
        self.endorser: Final = _name([peer.full_name for peer in town.topology.peers if peer.endorses], liars.endorser)
        # What is an organisation's own is with its peers alone: the one that all of it begins with is honest.
        self.fellow: Final = _name(town.members[1:], liars.fellow)
        self.orderer: Final = _name([each.full_name for each in town.topology.orderers], liars.orderer)
        self.equivocates: Final = liars.twins is not None
        self._town = town
        self._cluster = cluster
        self._loop = loop
        self._chance = chance
        self._liars = liars
        self._log_moods = self._moods(IN_ITS_LOG)
        self._voice: Say = Job.answer
        self._interceptors: list[grpc.aio.ServerInterceptor] = []
        if self.endorser:
            self._voice = LyingVoice(town.node_identity(self.endorser), chance, self._moods(LIES), self.told)
        if self.fellow:
            moods = self._moods(lying_fellows.OF_THE_REST, lying_fellows.HONESTY)
            moods_of_sets = self._moods(lying_fellows.OF_SETS)
            self._gossip = LyingFellow(town.node_identity(self.fellow), chance, moods, moods_of_sets, self.told)
        if self.orderer:
            signer = town.node_identity(self.orderer)
            if liars.twins is None:
                self._interceptors.append(BadBlocks(signer, chance, self._moods(OF_BLOCKS), self.told))
                self._interceptors.append(Forbidding(self._moods([FORBIDS_WHAT_IT_ORDERS]), self.told))
            else:
                first = began + liars.twins - 1
                self._interceptors.append(TwoStories(signer, chance, first, self._victims(), self.told))

    def lies(self, name: str) -> bool:
        """Whether a node's word is worth nothing."""
        return bool(name) and name == (self.endorser if "peer" in name else "" if self.equivocates else self.orderer)

    @property
    def honest_orderers(self) -> list[str]:
        """Those whose acknowledgements and chains count."""
        return [each.full_name for each in self._town.topology.orderers if each.full_name != self.orderer]

    def say(self, peer: str) -> Say:
        """How a peer's process answers proposals."""
        return self._voice if peer == self.endorser else Job.answer

    def peer_program(self, name: str, honest: Program) -> Program:
        """What a peer runs, if it is honest or not."""
        if name != self.fellow:
            return honest
        return in_front(honest, [self._gossip])

    def orderer_program(self, name: str) -> Program:
        """What an ordering node runs, if it is honest or not."""
        if name != self.orderer:
            return orderer_program(self._town, name, log_of(self._town, self._cluster))
        honest_log = self.equivocates or len(self._town.topology.orderers) == 1
        open_log: OpenLog = log_of(self._town, self._cluster) if honest_log else self._open_lying_log
        return in_front(orderer_program(self._town, name, open_log), self._interceptors)

    async def _open_lying_log(self, _place: LogPlace) -> LyingLog:
        life = current_life()
        assert life is not None
        return LyingLog(self._cluster, life, self._chance, self._log_moods, self.told)

    def _moods(self, lies: Sequence[str], honesty: int = 1) -> Moods:
        """`honesty`: how many times as often as it tells any one lie it tells none."""
        named = [lie for lie in lies if lie in self._liars.lies]
        any_of_them = [HONEST] * honesty + ([] if self._liars.lies else list(lies))
        return Moods(self._loop, self._chance, named or any_of_them)

    def _victims(self) -> frozenset[str]:
        """Some peers, and not all of them."""
        peers = [peer.full_name for peer in self._town.topology.peers]
        return frozenset(self._chance.sample(peers, self._chance.randrange(1, len(peers))))


def _name(names: Sequence[str], number: int | None) -> str:
    return "" if number is None else names[number]

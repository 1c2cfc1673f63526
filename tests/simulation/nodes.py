"""The real orderer and peer programs, set up for simulated computers."""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from privysharing.protocol.transactions import ProposalResponse
from services.orderer.channels import CHAINS_FOLDER, Genesis
from services.orderer.config import OrdererConfig
from services.orderer.log import OpenLog
from services.orderer.log.filelog import open_file_log
from services.orderer.node import Orderer
from services.peer.block_feed.feed import FeedConfig
from services.peer.chaincode_host.guard import TIMED_OUT, Execution
from services.peer.chaincode_host.host import ChaincodeConfig
from services.peer.chaincode_host.simulator import SimulationLimits
from services.peer.config import ChannelBootstrap, PeerConfig
from services.peer.endorsement.endorser import EndorserConfig
from services.peer.endorsement.hosting import Hosting
from services.peer.endorsement.stages import Outcome, Stage, Waiting, onward
from services.peer.endorsement.workers import Job, Process, WorkersConfig, overloaded
from services.peer.events.delivery import UNREAD_BLOCKS_MAX
from services.peer.layout import LEDGERS, PRIVATE
from services.peer.node import Peer
from services.peer.private_data.store import TRANSIENT_FOLDER
from services.runtime.batching import BatchLimits
from services.runtime.config import Address
from services.runtime.grpcserver import GrpcLimits
from services.runtime.machine import Machine
from services.runtime.metrics import Registry
from tests.simulation.computers import Disk, Program
from tests.simulation.judge.ledger.messages import common, proposals, read, responses, rwset
from tests.simulation.log import Cluster
from tests.simulation.loop import current_life
from tests.simulation.lying_endorsers import Say
from tests.simulation.strands import Strand
from tests.simulation.town import CHANNEL, Town

SECOND_NS = 1_000_000_000
CONTRACT = "privysharing"
ENDORSING_S = 0.001  # mean time until a thread takes up a proposal
STRANDS_SHARE = 0.3  # of proposals that others may overtake
OVERTAKEN_S = 0.02  # mean time for which others are faster
DATA = Path("/data")
ORDERED = DATA / CHAINS_FOLDER / CHANNEL  # an orderer's blocks

T = TypeVar("T")


def log_of(town: Town, cluster: Cluster) -> OpenLog:
    """The ordering log: one orderer alone keeps it itself; several share the cluster's."""
    return open_file_log if len(town.topology.orderers) == 1 else cluster.open


def orderer_program(town: Town, name: str, open_log: OpenLog) -> Program:
    """What an ordering node runs."""
    config = OrdererConfig(
        listen=Address("127.0.0.1", town.ports[name]),
        tls=None,
        limits=GrpcLimits(),
        batches=BatchLimits(),
        unread_blocks_max=UNREAD_BLOCKS_MAX,
        signer=town.node_identity(name),
        location=DATA,
        genesis=None,
        seek_window_ns=900 * SECOND_NS,
        check_expiry=True,
        time_window_ns=600 * SECOND_NS,
        cut_interval_s=0.02,
        disk_watermark=0,
    )

    async def run(machine: Machine, stop: asyncio.Event) -> None:
        orderer = Orderer(config, Registry(), machine, open_log)
        await orderer.open([Genesis(CHANNEL, town.genesis)])
        await orderer.run(stop)

    return run


def peer_program(
    town: Town, name: str, chance: random.Random, watch: Callable[[Peer], None] = lambda _: None, say: Say = Job.answer
) -> Program:
    """What a peer runs. `watch` gets each peer that serves, for a look at what it stores; `say` answers proposals."""
    node = next(peer for peer in town.topology.peers if peer.full_name == name)
    config = PeerConfig(
        listen=Address("127.0.0.1", town.ports[name]),
        tls=None,
        client_tls=None,
        limits=GrpcLimits(),
        batches=BatchLimits(),
        unread_blocks_max=UNREAD_BLOCKS_MAX,
        signer=town.node_identity(name),
        msp=town.material.organisations[node.org.name].msp,
        location=DATA,
        seek_window_ns=900 * SECOND_NS,
        crypto_threads=2,
        verifier=False,
        feed=FeedConfig(),
        endorses=node.endorses,
        endorser=EndorserConfig(time_window_s=900.0, limits=SimulationLimits()),
        endorsement_workers=WorkersConfig(),
        chaincode=ChaincodeConfig(execute_timeout_s=30.0, limits=SimulationLimits()),
        contracts={CONTRACT: CONTRACT},
        channels=(ChannelBootstrap(CHANNEL, town.genesis, ()),),
        disk_watermark=0,
    )

    async def run(machine: Machine, stop: asyncio.Event) -> None:
        def host(_chaincode: ChaincodeConfig, workers: WorkersConfig) -> Hosting:
            tell = partial(_tell, disk=cast("Disk", machine.disk), say=say)
            return _Strands(chance, workers.waiting_max, tell)

        peer = Peer(config, Registry(), machine, host)
        try:
            await peer.open(stop.is_set)
            watch(peer)
            await peer.run(stop)
        finally:
            await peer.close()

    return run


def writes_in_private(signed_proposal: bytes, outcome: Outcome) -> str:
    """The id of a proposal that is endorsed and has private writes; nothing for any other."""
    if not isinstance(outcome, ProposalResponse) or outcome.endorsement is None:
        return ""
    action = read(proposals.ChaincodeAction, read(responses.ProposalResponsePayload, outcome.payload).extension)
    namespaces = read(rwset.TxReadWriteSet, action.results).ns_rwset
    if not any(part.pvt_rwset_hash for each in namespaces for part in each.collection_hashed_rwset):
        return ""
    proposal = read(proposals.Proposal, read(proposals.SignedProposal, signed_proposal).proposal_bytes)
    header = read(common.ChannelHeader, read(common.Header, proposal.header).channel_header)
    return str(header.tx_id)


def _tell(job: Job, outcome: Outcome, disk: Disk, say: Say) -> None:
    """Let an answer go, and note whether what it is about could be lost."""
    tx_id = writes_in_private(job.raw, outcome)
    if tx_id and tx_id.encode() not in disk.platters(DATA / LEDGERS / CHANNEL / PRIVATE / TRANSIENT_FOLDER):
        disk.breaches.append(f"proposal {tx_id} is answered before what it writes in private is durable")
    say(job, outcome)


class _Strands:
    """Endorses each proposal at one moment, or in a strand of its own: see `endorsement.hosting.Hosting`.

    Nobody watches over contracts: in a simulation they are the real ones, which end.
    """

    def __init__(self, chance: random.Random, waiting_max: int, tell: Say) -> None:
        self._loop = asyncio.get_running_loop()
        self._chance = chance
        self._tell = tell
        self._waiting_max = waiting_max
        self._waiting = 0
        self._closed = False
        self._strands: dict[Strand[Waiting | Outcome], Job] = {}  # those that have begun
        self._process: Process
        self.guard = self
        life = current_life()
        assert life is not None
        life.at_end.append(self._abandon)

    def workers(self, process: Process) -> "_Strands":
        self._process = process
        return self

    def submit(self, *jobs: Job) -> None:
        for job in jobs:
            if self._closed or self._waiting >= self._waiting_max:
                job.answer(overloaded(self._waiting_max))
            else:
                self._waiting += 1
                self._loop.call_later(self._chance.expovariate(1 / ENDORSING_S), self._endorse, job)

    def run(self, work: Callable[[Execution], T]) -> T:
        return work(Execution(30.0))

    def reason(self, execution: Execution | None) -> str:
        return (execution.stopped if execution else None) or TIMED_OUT

    def close(self, timeout_s: float = 0.0) -> None:
        del timeout_s
        self._closed = True
        for strand in list(self._strands):
            strand.finish()
            self._settle(self._strands.pop(strand), strand.outcome)

    def _abandon(self) -> None:
        for strand in self._strands:
            strand.abandon()
        self._strands.clear()

    def _endorse(self, job: Job) -> None:
        self._waiting -= 1
        self._bring_forward(job, lambda: self._process(job.raw))

    def _bring_forward(self, job: Job, stage: Stage) -> None:
        """As far as it gets without waiting for other peers."""
        if self._closed or not job.wanted():
            return
        if self._chance.random() > STRANDS_SHARE:
            self._settle(job, onward(stage))
        else:
            strand = Strand(self._chance, lambda: onward(stage))
            self._strands[strand] = job
            self._go_on(strand)

    def _go_on(self, strand: Strand[Waiting | Outcome]) -> None:
        if strand in self._strands:
            strand.go_on()
            if strand.done:
                self._settle(self._strands.pop(strand), strand.outcome)
            else:
                self._loop.call_later(self._chance.expovariate(1 / OVERTAKEN_S), self._go_on, strand)

    def _settle(self, job: Job, at: Waiting | Outcome) -> None:
        if not isinstance(at, Waiting):
            self._tell(job, at)
            return
        then = at.then

        def resume(fault: Exception | None, _more: bool) -> None:
            delay = self._chance.expovariate(1 / ENDORSING_S)
            self._loop.call_later(delay, self._bring_forward, job, partial(then, fault))

        at.begin(resume, False)

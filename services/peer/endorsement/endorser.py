"""The endorser: from a signed proposal to an endorsement (core/endorser/endorser.go).

Read `Endorser.process`, then `_receive`, `_examine`, `_identify`, `_permit`, `_simulate`, `_conclude`, `_sign`,
`_answer`: they are the stages, in order. Many proposals take less time stage by stage than one after the other, and the
less the shorter these are: a processor has at hand what it has just done, if that was little. To verify and to sign
displace all else, so nothing more is in their stages.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVarTuple

from privysharing.chaincode.stub import PEER_TIME_DECORATION
from privysharing.protocol import build
from privysharing.protocol.codec.transactions import (
    parse_proposal,
    parse_signed_proposal,
)
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.envelopes import Header
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.msp.identity import Identity
from privysharing.protocol.system_chaincodes import CSCC, QSCC, SYSTEM_CHAINCODES
from privysharing.protocol.transactions import (
    Endorsement,
    Proposal,
    ProposalResponse,
    Response,
    SignedProposal,
)
from privysharing.protocol.values import value
from services.peer.access import AccessControl
from services.peer.chaincode_host.errors import ChaincodeError
from services.peer.chaincode_host.faults import describe, go_text
from services.peer.chaincode_host.host import ChaincodeHost, simulate
from services.peer.chaincode_host.ports import Channel, Channels
from services.peer.chaincode_host.simulator import SimulationLimits
from services.peer.chaincode_host.transaction import Transaction
from services.peer.endorsement import checks
from services.peer.endorsement.interest import interest_of
from services.peer.endorsement.issued import IssuedEndorsements
from services.peer.endorsement.metrics import EndorserMetrics
from services.peer.endorsement.results import Ran, Simulated, private_results, response_payload
from services.peer.endorsement.stages import Outcome, ProposalRefused, Stage, Waiting, onward, through
from services.peer.private_data.dissemination import NotSpread
from services.peer.private_data.transient import TransientStoreFull
from services.runtime.disk import StorageError

Ts = TypeVarTuple("Ts")

_log = logging.getLogger(__name__)

# fabric-chaincode-go shim: from ERRORTHRESHOLD on nothing is endorsed, from ERROR on the client gets the payload
ERROR_THRESHOLD = 400
ERROR = 500
# endorser acquireTxSimulator: these look at ledgers as they are, not at a simulation
WITHOUT_SIMULATION = frozenset({QSCC, CSCC})

# What a simulation may come to and yet wait for those of others
KEPT_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class EndorserConfig:
    """core.yaml, section peer."""

    time_window_s: float = 900.0  # authentication.timewindow
    limits: SimulationLimits

    def __post_init__(self) -> None:
        if self.time_window_s <= 0:
            raise ValueError("peer.authentication.timewindow must be positive")


class _NoRoom(Exception):
    """The disk has no room for what a transaction would write, here or in private."""

    def __init__(self) -> None:
        super().__init__("this peer is short of disk space and endorses nothing that writes; try again later")


class _NotRunnable(Exception):
    """A chaincode that the channel has not defined, or that this peer does not run."""


@value
class _Received:
    """A proposal that can be read and came in time."""

    proposal: Proposal
    channel: Channel | None
    now_ns: int
    began: float


class Endorser:
    """Answers proposals. Safe to call from many threads; each call may take as long as a contract may."""

    def __init__(
        self,
        *,
        signer: SigningIdentity,
        access: AccessControl,
        channels: Channels,
        host: ChaincodeHost,
        issued: IssuedEndorsements,
        metrics: EndorserMetrics,
        config: EndorserConfig,
        clock_ns: Callable[[], int] = time.time_ns,
        has_room: Callable[[], bool] = lambda: True,
        on_fault: Callable[[StorageError], None] = lambda _fault: None,
    ) -> None:
        """`on_fault` is told, by any thread, of storage that failed: what the peer holds is not to be relied on."""
        self._signer = signer
        self._access = access
        self._channels = channels
        self._host = host
        self._issued = issued
        self._metrics = metrics
        self._config = config
        self._clock_ns = clock_ns
        self._has_room = has_room
        self._on_fault = on_fault

    def process(self, signed_proposal: bytes) -> Outcome:
        """The answer to one protos.SignedProposal. Never raises (Endorser.ProcessProposal and its filters)."""
        return through(self.admit(signed_proposal))

    def admit(self, signed_proposal: bytes) -> Stage | Waiting | Outcome:
        """The first stage. None of them raises; each may run on another thread than the one before."""
        return self._guarded(self._receive, signed_proposal)

    def _guarded(self, stage: Callable[[*Ts], Stage | Waiting | Outcome], *of: *Ts) -> Stage | Waiting | Outcome:
        try:
            return stage(*of)
        except checks.Refusal as refusal:
            return ProposalRefused(str(refusal))
        except (_NoRoom, TransientStoreFull) as error:
            return ProposalRefused(str(error), overloaded=True)
        except Exception as error:
            _log.error("a proposal could not be processed: %s", describe(error))
            if isinstance(error, StorageError):
                self._on_fault(error)
            return ProposalRefused("internal error", internal=True)

    def _receive(self, raw: bytes) -> Stage | Outcome:
        """Read a proposal."""
        began = time.perf_counter()
        now_ns = self._clock_ns()
        signed, proposal = self._read(raw, now_ns)
        channel_id = proposal.header.channel.channel_id
        channel = self._channels.get(channel_id) if channel_id else None
        return partial(self._guarded, self._examine, signed, _Received(proposal, channel, now_ns, began))

    def _examine(self, signed: SignedProposal, received: _Received) -> Stage | Outcome:
        """Check its time and its form."""
        header = received.proposal.header
        self._filter(header, received.now_ns)
        self._metrics.received.inc()
        if received.channel is None and header.channel.channel_id:
            return _failed(f"channel '{header.channel.channel_id}' not found")
        try:
            checks.check_form(received.proposal, signed)
        except checks.Refusal as refusal:
            raise self._invalid(refusal) from refusal
        return partial(self._guarded, self._identify, signed, received)

    def _identify(self, signed: SignedProposal, received: _Received) -> Stage:
        """Verify who sends it."""
        try:
            creator = checks.identify_creator(received.proposal, signed, received.channel, self._access)
        except checks.Refusal as refusal:
            raise self._invalid(refusal) from refusal
        return partial(self._guarded, self._permit, received, creator)

    def _permit(self, received: _Received, creator: Identity) -> Stage:
        """Check uniqueness and access, in this order (Endorser.preProcess)."""
        proposal, channel = received.proposal, received.channel
        if channel is not None:
            try:
                checks.check_new(proposal, channel)
                if proposal.chaincode.name not in SYSTEM_CHAINCODES:  # those check for themselves
                    checks.check_may_propose(creator, channel, self._access)
            except checks.DuplicateTransaction:
                self._metrics.duplicates.of(*self._where(proposal)).inc()
                raise
            except checks.AccessRefusal:
                self._metrics.acl_failures.of(*self._where(proposal)).inc()
                raise
        return partial(self._guarded, self._simulate, received, creator)

    def _simulate(self, received: _Received, creator: Identity) -> Stage | Waiting | Outcome:
        """Run its chaincode on one view of the channel. What touches much goes on at once."""
        proposal, channel = received.proposal, received.channel
        channel_id, name = proposal.header.channel.channel_id, proposal.chaincode.name
        if channel is not None and channel.stopped and name not in WITHOUT_SIMULATION:
            return _failed(f"channel '{channel_id}' has stopped on this peer")  # why is for its operator
        try:
            ran = self._run(received, creator)
        except _NotRunnable as error:
            return self._finish(
                received,
                _failed(
                    f"make sure the chaincode {name} has been successfully defined on channel {channel_id} and try "
                    f"again: {error}"
                ),
            )
        except (ChaincodeError, MalformedMessage) as error:
            return self._fail(received, error)
        if ran.size > KEPT_BYTES_MAX:
            return self._conclude(received, ran)
        return partial(self._guarded, self._conclude, received, ran)

    def _conclude(self, received: _Received, ran: Ran) -> Stage | Waiting | Outcome:
        """Collect what it read and would write. What comes to much is answered at once."""
        try:
            simulated = self._collect(received.proposal, ran)
        except (ChaincodeError, MalformedMessage) as error:
            return self._fail(received, error)
        if simulated.private is not None:
            # What it wrote in private is with others, and durable, before an endorsement with its hashes can leave.
            assert received.channel is not None
            begin = partial(received.channel.dissemination.spread, simulated.private)
            return Waiting(begin, lambda fault: self._guarded(self._spread, received, simulated, fault))
        if len(simulated.payload) > KEPT_BYTES_MAX:
            return onward(self._sign(received, simulated))
        return partial(self._guarded, self._sign, received, simulated)

    def _spread(self, received: _Received, simulated: Simulated, fault: Exception | None) -> Stage | Waiting | Outcome:
        """Go on when its private writes are where they belong. Raises StorageError, TransientStoreFull."""
        if fault is None:
            return self._sign(received, simulated)
        if not isinstance(fault, NotSpread):
            raise fault
        return self._fail(received, fault)

    def _sign(self, received: _Received, simulated: Simulated) -> Stage | Outcome:
        """Sign what it came to, if that is a success."""
        channel_id, response = received.proposal.header.channel.channel_id, simulated.response
        if response.status >= ERROR:
            return self._finish(
                received, ProposalResponse(response, simulated.payload, version=0, interest=simulated.interest)
            )
        if not channel_id:
            return self._finish(received, ProposalResponse(response, version=0))  # about the peer: nothing to order
        if response.status >= ERROR_THRESHOLD:
            self._metrics.endorsement_failures.of(channel_id, simulated.chaincode, "true").inc()
            return self._finish(received, ProposalResponse(response, version=0))
        endorsement = build.endorse(simulated.payload, self._signer)
        return partial(self._guarded, self._answer, received, simulated, endorsement)

    def _answer(self, received: _Received, simulated: Simulated, endorsement: Endorsement) -> Outcome:
        """Hand the endorsement out."""
        self._issued.add(simulated.payload, endorsement)
        return self._finish(
            received, ProposalResponse(simulated.response, simulated.payload, endorsement, interest=simulated.interest)
        )

    def _fail(self, received: _Received, why: Exception) -> ProposalResponse:
        """What kept a simulation from its end goes to the client."""
        self._metrics.simulation_failures.of(*self._where(received.proposal)).inc()
        return self._finish(received, _failed(f"error in simulation: {why}"))

    def _finish(self, received: _Received, answer: ProposalResponse) -> ProposalResponse:
        """Count and time what went through."""
        proposal = received.proposal
        endorsed = answer.endorsement is not None or not proposal.header.channel.channel_id
        if endorsed:
            self._metrics.successful.inc()
        duration = self._metrics.duration.of(*self._where(proposal), "true" if endorsed else "false")
        duration.observe(time.perf_counter() - received.began)
        return answer

    def _read(self, raw: bytes, now_ns: int) -> tuple[SignedProposal, Proposal]:
        try:
            signed = parse_signed_proposal(raw)
        except MalformedMessage as error:
            raise checks.Refusal(go_text(error)) from error
        try:
            return signed, parse_proposal(signed.proposal)
        except MalformedMessage as error:
            # What is wrong deep inside counts only where the header passes the filters.
            self._filter(checks.read_header(signed.proposal), now_ns)
            self._metrics.received.inc()
            self._metrics.validation_failures.inc()
            raise checks.Refusal(go_text(error)) from error

    def _invalid(self, refusal: checks.Refusal) -> checks.Refusal:
        self._metrics.validation_failures.inc()
        return checks.Refusal(f"error validating proposal: {refusal}")

    def _filter(self, header: Header, now_ns: int) -> None:
        checks.check_expiry(header.signature.creator, now_ns)
        checks.check_time_window(header.channel.timestamp_ns, now_ns, self._config.time_window_s)

    def _where(self, proposal: Proposal) -> tuple[str, str]:
        """Channel and chaincode in the metrics. Not whatever a client writes: every value makes a series, for ever."""
        chaincode = proposal.chaincode.name
        return proposal.header.channel.channel_id, chaincode if self._host.runs(chaincode) else "unknown"

    def _run(self, received: _Received, creator: Identity) -> Ran:
        """Run the chaincode (Endorser.simulateProposal). Raises _NotRunnable, ChaincodeError."""
        proposal, channel = received.proposal, received.channel
        simulator = None
        if channel is not None and proposal.chaincode.name not in WITHOUT_SIMULATION:
            simulator = simulate(channel, self._config.limits, proposal.header.channel.tx_id)
        decorations = {PEER_TIME_DECORATION: str(received.now_ns).encode()}
        channel_id = proposal.header.channel.channel_id
        transaction = Transaction(proposal, creator, channel, simulator, channel_id, decorations)
        try:
            info = self._host.info(transaction, proposal.chaincode.name)
        except ChaincodeError as error:
            raise _NotRunnable(str(error)) from error
        response, event = self._host.execute(transaction, info, proposal.input)
        return Ran(info, simulator, response, event if response.status < ERROR_THRESHOLD else None)

    def _collect(self, proposal: Proposal, ran: Ran) -> Simulated:
        """What the run did. Raises ChaincodeError."""
        simulator, response = ran.simulator, ran.response
        if simulator is None:
            return Simulated(ran.info.name, response, response_payload(proposal, ran, b""))
        results = simulator.results()
        if not self._has_room() and results.writes:
            raise _NoRoom
        private = None
        if results.private and response.status < ERROR_THRESHOLD:
            private = private_results(proposal, results, simulator)
        interest = interest_of(results.rwset, simulator.state, results.private_reads)
        return Simulated(ran.info.name, response, response_payload(proposal, ran, results.public), interest, private)


def _failed(message: str) -> ProposalResponse:
    """What went wrong after the door is no gRPC error but a response."""
    return ProposalResponse(Response(ERROR, message), version=0)

"""The steps of one transaction in each kind of process, and how to tell from a stack which of them it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.profiling.stacks import Stack

REST = "event loop, threads, gRPC's compiled code"


@dataclass(frozen=True, slots=True)
class Step:
    """A stack is in a step when for each of `through` some frame's `module:function` begins so."""

    name: str
    through: tuple[str, ...]

    def holds(self, frames: Sequence[str]) -> bool:
        """Whether a stack, as texts, is in this step."""
        return all(any(frame.startswith(part) for frame in frames) for part in self.through)


_SIGN, _VERIFY = "privysharing.protocol.crypto:SigningIdentity", "privysharing.protocol.crypto:VerifyingKey"

# The first that holds counts, so that what is within another step comes before it.
_STREAMS = (
    Step("gRPC and calls", ("services.runtime.watch",)),
    Step("gRPC and calls", ("grpc.",)),
    Step("gRPC's own threads", ("native threads",)),
)
_PEER = (
    Step("endorse: verify the proposal", ("services.peer.endorsement", _VERIFY)),
    Step("endorse: sign", ("services.peer.endorsement", _SIGN)),
    Step("endorse: simulate", ("services.peer.endorsement", "services.peer.chaincode_host")),
    Step("endorse: read, check, answer", ("services.peer.endorsement",)),
    Step("commit: verify signatures", ("services.peer.committer", _VERIFY)),
    Step("commit: judge", ("services.peer.validation.validate",)),
    Step("commit: read", ("services.peer.committer", "privysharing.protocol.reading")),
    Step("commit: build", ("services.peer.commits",)),
    Step("commit: append", ("services.peer.ledger",)),
    Step("commit: the rest", ("services.peer.committer:Committer._read",)),
    Step("commit: the rest", ("services.peer.committer:Committer._store",)),
    Step("blocks: receive and check", ("services.peer.block_feed",)),
    Step("events: deliver", ("services.peer.events",)),
    Step("batch streams", ("services.runtime.batching",)),
    Step("batch streams", ("services.peer.rpc",)),
    *_STREAMS,
)
_ORDERER = (
    Step("admit: verify the envelope", (_VERIFY,)),
    Step("block: sign", (_SIGN,)),
    Step("admit: read, check", ("services.orderer.admission",)),
    Step("log: send to brokers", ("kafka.producer",)),
    Step("log: send to brokers", ("services.orderer.kafka.producing",)),
    Step("log: read from brokers", ("kafka.consumer",)),
    Step("log: read from brokers", ("services.orderer.kafka.reading",)),
    Step("log: connections to brokers", ("kafka.",)),
    Step("log: hand over", ("services.orderer.kafka",)),
    Step("log: write", ("services.orderer.log",)),
    Step("block: cut", ("services.orderer.sequencer",)),
    Step("block: store", ("services.orderer.store",)),
    Step("block: deliver", ("services.orderer.delivery",)),
    Step("admit: hand over", ("services.orderer.intake",)),
    Step("block: the rest", ("services.orderer.chain",)),
    Step("batch streams", ("services.runtime.batching",)),
    Step("batch streams", ("services.orderer.",)),
    *_STREAMS,
)
_CLIENT = (
    Step("endorsement: verify", (_VERIFY,)),
    Step("sign", (_SIGN,)),
    Step("propose", ("privysharing.protocol.build:make_proposal",)),
    Step("propose", ("privysharing.sdk.channel:Channel._propose",)),
    Step("endorsement: check, compare", ("privysharing.sdk.vouching",)),
    Step("transaction: build", ("privysharing.protocol.build",)),
    Step("events: read", ("privysharing.sdk.commits",)),
    Step("batch streams", ("privysharing.rpc.batch",)),
    Step("batch streams", ("privysharing.rpc.",)),
    Step("calls of the SDK", ("privysharing.sdk.",)),
    Step("the benchmark itself", ("bench.load",)),
    Step("the benchmark itself", ("bench.flows",)),
    *_STREAMS,
)
_STEPS: Mapping[str, Sequence[Step]] = {"orderer": _ORDERER, "peer": _PEER, "client": _CLIENT}


def step_of(process: str, stack: Stack) -> str:
    """The step that a stack of a process is in; processes are named after their roles."""
    steps = next(steps for role, steps in _STEPS.items() if process.startswith(role))
    frames = [str(frame) for frame in stack.frames]
    return next((step.name for step in steps if step.holds(frames)), REST)

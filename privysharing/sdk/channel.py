"""One channel of the network, as one identity uses it: propose, endorse, order, wait."""

import asyncio
import functools
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from privysharing.protocol.build import make_proposal, make_transaction, sign_proposal, signed
from privysharing.protocol.codec.transactions import (
    encode_signed_proposal,
    parse_chaincode_action,
    parse_proposal_response_payload,
)
from privysharing.protocol.codes import Status, TxCode
from privysharing.protocol.envelopes import NONCE_BYTES, TxId
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.transactions import ChaincodeInput, Proposal, ProposalResponse
from privysharing.rpc.errors import NodeError, NodeRefused
from privysharing.sdk.commits import CommitListener
from privysharing.sdk.connections import Connections
from privysharing.sdk.endorsing import NO_STATUS, collect, refusal_of
from privysharing.sdk.errors import CommitRefused, OrderingRefused, Refused, Unavailable
from privysharing.sdk.profile import ChannelNodes, Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait for each step, in seconds (fabric-gateway's defaults)."""

    evaluate: float = 5.0
    endorse: float = 15.0
    broadcast: float = 10.0
    commit: float = 60.0


@dataclass(frozen=True, slots=True)
class Call:
    """A function of a chaincode with its arguments. `transient` reaches the endorsers and nobody else."""

    chaincode: str
    function: str
    args: tuple[str | bytes, ...] = ()
    transient: Mapping[str, bytes] | None = None


@dataclass(frozen=True, slots=True)
class Endorsed:
    """A proposal with the equal answers of its endorsers, signed: ready to be ordered."""

    tx_id: TxId
    envelope: bytes
    payload: bytes  # what the contract returned


@dataclass(frozen=True, slots=True)
class Receipt:
    """A committed transaction: its id, the block that holds it, and what the contract returned."""

    tx_id: TxId
    block_num: int
    payload: bytes


class Channel:
    """A channel's peers and orderers, driven step by step or, with `submit`, all the way."""

    def __init__(self, name: str, nodes: ChannelNodes, connections: Connections, timeouts: Timeouts) -> None:
        self.name = name
        self.nodes = nodes
        self.timeouts = timeouts
        self._connections = connections
        self._listeners: dict[str, CommitListener] = {}

    async def evaluate(self, call: Call, peers: Sequence[Node] = ()) -> bytes:
        """Ask one peer, the next one when it cannot be reached. Nothing is ordered."""
        signed_proposal, _ = self._propose(call)
        problems: list[str] = []
        for node in peers or self.nodes.endorsers:
            try:
                answer = await self._connections.endorser(node).process_proposal(
                    signed_proposal, self.timeouts.evaluate
                )
            except NodeRefused as error:
                raise Refused(node.name, NO_STATUS, error.reason) from None
            except NodeError as error:
                problems.append(str(error))
                continue
            if refusal := refusal_of(node, answer):
                raise refusal
            return answer.response.payload
        raise Unavailable(f"no endorsing peer of {self.name} answered: {'; '.join(problems) or 'none is known'}")

    async def submit(self, call: Call, endorsers: Sequence[Node] = ()) -> Receipt:
        """Endorse, order, and wait until a peer has committed. CommitRefused when the peers found it invalid."""
        listener = await self.commits()
        endorsed = await self.endorse(call, endorsers)
        await self.order(endorsed.envelope)
        verdict = await listener.verdict(endorsed.tx_id, self.timeouts.commit)
        if verdict.code is not TxCode.VALID:
            raise CommitRefused(endorsed.tx_id, verdict.code, verdict.block_num)
        return Receipt(endorsed.tx_id, verdict.block_num, endorsed.payload)

    async def endorse(self, call: Call, endorsers: Sequence[Node] = ()) -> Endorsed:
        """Have a call endorsed, by all of `endorsers` or by as many peers as the profile says, and sign the result."""
        signed_proposal, proposal = self._propose(call)

        async def ask(node: Node) -> ProposalResponse:
            return await self._connections.endorser(node).process_proposal(signed_proposal, self.timeouts.endorse)

        peers = endorsers or self.nodes.endorsers
        answers = await collect(ask, peers, len(endorsers) or self.nodes.endorsements or len(peers))
        try:
            transaction = make_transaction(proposal, answers)
            action = parse_chaincode_action(parse_proposal_response_payload(answers[0].payload)[1])
        except ProtocolError as error:
            raise Unavailable(f"the endorsers of {self.name} agree on what is no endorsement: {error}") from None
        return Endorsed(
            tx_id=proposal.header.channel.tx_id,
            envelope=signed(transaction, self._connections.identity).raw,
            payload=action.response.payload if action.response else b"",
        )

    async def order(self, envelope: bytes) -> None:
        """Hand an envelope to the ordering service; return once an orderer has acknowledged it."""
        problems: list[str] = []
        for node in self.nodes.orderers:
            try:
                answer = await self._connections.broadcast(node).send(envelope, self.timeouts.broadcast)
            except NodeError as error:
                problems.append(str(error))
                continue
            if answer.status is Status.SUCCESS:
                return
            if answer.status is not Status.SERVICE_UNAVAILABLE:
                raise OrderingRefused(answer.status, answer.info)
            problems.append(f"{node.name}: {answer.info}")
        raise Unavailable(f"no orderer of {self.name} took the transaction: {'; '.join(problems) or 'none is known'}")

    async def commits(self, node: Node | None = None) -> CommitListener:
        """A running listener on one peer's verdicts: that of `node`, or of the first event source that answers."""
        problems: list[str] = []
        sources = (node,) if node else self.nodes.event_sources
        for source in sorted(sources, key=lambda source: not self._listener(source).follows):
            listener = self._listener(source)
            try:
                await listener.start(self.timeouts.evaluate)
            except NodeError as error:
                problems.append(str(error))
            except TimeoutError as error:
                problems.append(f"{source.name}: {error}")
            else:
                return listener
        raise Unavailable(f"no peer delivers the events of {self.name}: {'; '.join(problems) or 'none is known'}")

    async def close(self) -> None:
        """Stop listening."""
        await asyncio.gather(*(listener.close() for listener in self._listeners.values()))

    def _listener(self, source: Node) -> CommitListener:
        if source.name not in self._listeners:
            filtered_blocks = self._connections.deliver(source).filtered_blocks
            self._listeners[source.name] = CommitListener(functools.partial(filtered_blocks, self.name))
        return self._listeners[source.name]

    def _propose(self, call: Call) -> tuple[bytes, Proposal]:
        identity = self._connections.identity
        proposal = make_proposal(
            self.name,
            call.chaincode,
            ChaincodeInput(tuple(_bytes(arg) for arg in (call.function, *call.args))),
            identity.serialized,
            nonce=secrets.token_bytes(NONCE_BYTES),
            timestamp_ns=time.time_ns(),
            transient=call.transient,
        )
        return encode_signed_proposal(sign_proposal(proposal, identity)), proposal


def _bytes(argument: str | bytes) -> bytes:
    return argument.encode() if isinstance(argument, str) else argument

"""One channel of the network, as one identity uses it: propose, endorse, order, wait."""

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncGenerator, Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from privysharing.protocol.build import make_proposal, make_transaction, sign_proposal, signed
from privysharing.protocol.codec.transactions import encode_signed_proposal
from privysharing.protocol.codes import Status, TxCode
from privysharing.protocol.deliver import NEWEST, SeekPosition
from privysharing.protocol.envelopes import NONCE_BYTES, TxId
from privysharing.protocol.transactions import ChaincodeInput, Proposal, ProposalResponse
from privysharing.rpc.errors import NodeError, NodeRefused
from privysharing.sdk.commits import CommitListener, Verdict, find
from privysharing.sdk.connections import Connections
from privysharing.sdk.disclosing import shows_private_values
from privysharing.sdk.endorsing import NO_STATUS, SUCCESS, Asked, collect, refusal_of
from privysharing.sdk.errors import (
    CommitRefused,
    CommitUnknown,
    ContractRefused,
    OrderingRefused,
    OrderingUnknown,
    PrivateDataRefused,
    Refused,
    Unavailable,
)
from privysharing.sdk.profile import ChannelNodes, Node
from privysharing.sdk.purging import Progress, PurgeStatements, Witness, collect_statements
from privysharing.sdk.routing import Route, collection_of, route
from privysharing.sdk.salting import salted
from privysharing.sdk.transactions import Call, Endorsed, Pending, Receipt
from privysharing.sdk.vouching import UNSIGNED, Vouching, is_signed

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait for each step, in seconds (fabric-gateway's defaults)."""

    evaluate: float = 5.0
    endorse: float = 15.0
    broadcast: float = 10.0
    commit: float = 60.0


class Channel:
    """A channel's peers and orderers, driven step by step or, with `submit`, all the way."""

    def __init__(self, name: str, nodes: ChannelNodes, connections: Connections, timeouts: Timeouts) -> None:
        self.name = name
        self.nodes = nodes
        self.timeouts = timeouts
        self._connections = connections
        self._listeners: dict[str, CommitListener] = {}

    async def evaluate(self, call: Call, peers: Sequence[Node] = ()) -> bytes:
        """Ask one peer, the next one when it cannot be reached. Nothing is ordered.

        A peer that cannot run a call on private data may lack a value that another member has, which is asked then.
        """
        asked = self._connections.failures.in_order(self._route(call, peers).peers)
        signed_proposal, _ = self._propose(call)
        problems: list[str] = []
        lacking: Refused | None = None
        for node in asked:
            try:
                answer = await self._ask(node, signed_proposal, self.timeouts.evaluate)
            except NodeRefused as error:
                raise Refused(node.name, NO_STATUS, error.reason) from None
            except NodeError as error:
                problems.append(str(error))
                continue
            refusal = refusal_of(node, answer)
            if refusal is None:
                return answer.response.payload
            if not call.collections or isinstance(refusal, ContractRefused):
                raise refusal
            lacking = lacking or refusal
        if lacking is not None:
            raise lacking
        raise Unavailable(f"no endorsing peer of {self.name} answered: {'; '.join(problems) or 'none is known'}")

    async def submit(self, call: Call, endorsers: Sequence[Node] = ()) -> Receipt:
        """Endorse, order, and wait until a peer has committed.

        Endorsers are believed until one is found lying. A call that one has spoilt is run once more, with a new
        proposal, and all endorsements are verified: what was spoilt stands in a block as invalid, and happens no more.
        CommitRefused when the peers found it invalid; CommitUnknown, which `resubmit` takes up, without a verdict, or
        when nobody can tell whether it was ordered. After anything else it was not.
        """
        try:
            return await self._submit(call, endorsers, believing=True)
        except CommitRefused as refused:
            if not refused.liars:
                raise
        return await self._submit(call, endorsers, believing=False)

    async def _submit(self, call: Call, endorsers: Sequence[Node], *, believing: bool) -> Receipt:
        # Whoever reads what he wrote into a collection asks its members: there, it is to be committed.
        members = [node.name for node in self._route(call, endorsers).peers] if call.collections else ()
        listener = await self.commits(preferred=members)
        endorsed = await self.endorse(call, endorsers, believing=believing)
        since = listener.reached
        try:
            orderer = await self.order(endorsed.envelope)
        except OrderingUnknown as error:
            raise CommitUnknown(endorsed.tx_id, str(error), Pending(endorsed, since)) from None
        return await self._receipt(listener, Pending(endorsed, since, orderer))

    async def resubmit(self, pending: Pending) -> Receipt:
        """Order a transaction of unknown outcome once more, and wait for the verdict on whichever copy came first.

        The orderer that acknowledged it is asked last: its word may be all that there ever was.
        Nothing happens twice: an id that a block holds is used up, and every later copy is a DUPLICATE_TXID. A peer's
        blocks are read again from where the transaction cannot have been yet, so a first copy is met before the later.
        Raises as `submit` does, but for OrderingRefused: that the copy is refused (it may be too old by now) says
        nothing about the first. Of what liars have spoilt the call is not known here: to run it again is the caller's.
        """
        async with self._listening_from(pending.since) as listener:
            return await self._resubmit(pending, listener)

    async def look_up(self, tx_id: TxId, since: int = 0) -> Verdict | None:
        """The verdict on a transaction, as the first peer that answers has it in a block from `since` on by now.

        None when it has none: the transaction may be on its way, or was never ordered.
        """
        problems: list[str] = []
        for source in self._event_sources():
            filtered_blocks = self._connections.deliver(source).filtered_blocks
            try:
                async with asyncio.timeout(self.timeouts.commit):
                    return await find(functools.partial(filtered_blocks, self.name), tx_id, since)
            except NodeError as error:
                problems.append(str(error))
            except TimeoutError:
                problems.append(f"{source.name}: no answer within {self.timeouts.commit:g} s")
        raise self._no_events(problems)

    async def endorse(self, call: Call, endorsers: Sequence[Node] = (), *, believing: bool = True) -> Endorsed:
        """Have a call endorsed, by all of `endorsers` or by as many peers as the profile says, and sign the result.

        The signatures of endorsers that were found lying are verified; those of all others only if not `believing`.
        PrivateDataRefused for a question about private values.
        """
        chosen = self._route(call, endorsers)
        gathering = self._connections.gathering
        turn = gathering.line_up()
        try:
            await turn
            return await self._endorse(call, chosen, believing=believing)
        finally:
            gathering.leave(turn)

    def blame(self, endorsed: Endorsed) -> tuple[str, ...]:
        """The endorsers whose signatures are bad, of a transaction that came to ENDORSEMENT_POLICY_FAILURE.

        For as long as these connections last, none of their endorsements counts unverified, and they are asked last
        for a while. Run the call again only if a peer that is not among them has told the verdict: `submit` does so.
        """
        liars = [node for node, answer in endorsed.answers if not is_signed(node, answer)]
        for node in liars:
            self._connections.failures.heard(node, self._found_lying(node, UNSIGNED))
        return tuple(node.name for node in liars)

    async def order(self, envelope: bytes, avoiding: str = "") -> str:
        """Hand an envelope to the ordering service; the name of the orderer that has acknowledged it.

        The orderer to avoid is asked last. A refusal is the word of one orderer, too: the others are asked.
        OrderingRefused and Unavailable when it is not ordered; OrderingUnknown when an orderer that gave no answer may
        have done so. One that is unavailable says no more: its disk may have failed after the envelope was on it.
        """
        problems: list[str] = []
        refusals: list[OrderingRefused] = []
        perhaps = False
        orderers = self.nodes.orderers
        if avoiding:
            orderers = tuple(sorted(orderers, key=lambda node: node.name == avoiding))
        for node in self._connections.failures.in_order(orderers):
            try:
                with self._connections.failures.watching(node):
                    answer = await self._connections.broadcast(node).send(envelope, self.timeouts.broadcast)
            except NodeError as error:
                problems.append(str(error))
                perhaps |= error.sent
                continue
            if answer.status is Status.SUCCESS:
                return node.name
            problems.append(f"{node.name}: {answer.info}")
            if answer.status is Status.SERVICE_UNAVAILABLE:
                perhaps = True
            else:
                refusals.append(OrderingRefused(answer.status, answer.info))
        if refusals and not perhaps:
            raise refusals[0]
        why = f"no orderer of {self.name} acknowledged the transaction: {'; '.join(problems) or 'none is known'}"
        raise OrderingUnknown(why) if perhaps else Unavailable(why)

    async def commits(self, node: Node | None = None, preferred: Collection[str] = ()) -> CommitListener:
        """A running listener on one peer's verdicts: that of `node`, or of the first event source that answers.

        Those of the preferred names are tried first.
        """
        problems: list[str] = []
        for source in (node,) if node else self._event_sources(preferred):
            listener = self._listener(source)
            problem = await self._problem_of(listener, source)
            if problem is None:
                return listener
            problems.append(problem)
        raise self._no_events(problems)

    def salted(self, *records: Mapping[str, Any]) -> bytes:
        """See `Contract.salted`."""
        return salted(records, self._connections.outside.random_bytes)

    async def purge_statements(
        self,
        chaincode: str,
        collection: str,
        key_hashes: Sequence[bytes],
        *,
        timeout_s: float = 60.0,
        progress: Progress = lambda _came, _all: None,
    ) -> PurgeStatements:
        """The members' signed statements that they hold no byte of these purged keys; asked for until they all came.

        A key is named by its SHA-256, as it is on the ledger. A peer that does not hold the collection is not asked.
        `progress` is told how many have come, and how many there are to be. Unavailable when nobody can be asked.
        """
        members = collection_of(self.name, chaincode, collection, self.nodes).members
        peers = dict.fromkeys((*self.nodes.endorsers, *self.nodes.event_sources))
        witnesses = [
            Witness(node, self._connections.private_data(node), self.name) for node in peers if node.msp_id in members
        ]
        if not witnesses:
            raise Unavailable(f"the profile knows no peer of {', '.join(sorted(members))} on {self.name}")
        return await collect_statements(
            witnesses, chaincode, collection, key_hashes, timeout_s=timeout_s, progress=progress
        )

    async def close(self) -> None:
        """Stop listening."""
        await asyncio.gather(*(listener.close() for listener in self._listeners.values()))

    def _route(self, call: Call, named: Sequence[Node]) -> Route:
        return route(self.name, call, self.nodes, self._connections.identity.msp_id, named)

    async def _endorse(self, call: Call, chosen: Route, *, believing: bool) -> Endorsed:
        signed_proposal, proposal = self._propose(call)
        vouching, distrusted = Vouching(proposal), self._connections.distrusted

        def ask(node: Node) -> Awaitable[ProposalResponse]:
            return self._connections.endorser(node).process_proposal(signed_proposal, self.timeouts.endorse)

        def judge(node: Node, asked: Asked) -> ProposalResponse:
            with self._connections.failures.watching(node):
                answer = asked.result()
                if answer.response.status in SUCCESS:
                    fault = vouching.fault_of(node, answer)
                    if fault is None and (not believing or node.name in distrusted) and not is_signed(node, answer):
                        fault = UNSIGNED
                    if fault is not None:
                        raise self._found_lying(node, fault)
                return answer

        answers = await collect(ask, self._connections.failures.in_order(chosen.peers), chosen.needed, judge)
        responses = [answer for _, answer in answers]
        if shows_private_values(responses[0]):
            raise PrivateDataRefused(
                f"what {call.function} of {call.chaincode} on {self.name} answers was read in private, and ordering it "
                "would show it to the whole channel; evaluate it"
            )
        return Endorsed(
            tx_id=proposal.header.channel.tx_id,
            envelope=signed(make_transaction(proposal, responses), self._connections.identity).raw,
            payload=responses[0].response.payload,
            answers=tuple(answers),
        )

    async def _ask(self, node: Node, signed_proposal: bytes, timeout_s: float) -> ProposalResponse:
        with self._connections.failures.watching(node):
            return await self._connections.endorser(node).process_proposal(signed_proposal, timeout_s)

    async def _resubmit(self, pending: Pending, listener: CommitListener) -> Receipt:
        untaken = ""
        try:
            await self.order(pending.endorsed.envelope, avoiding=pending.orderer)
        except (OrderingRefused, OrderingUnknown, Unavailable) as error:
            untaken = f", and its copy was not taken: {error}"
        return await self._receipt(listener, pending, untaken)

    async def _receipt(self, listener: CommitListener, pending: Pending, besides: str = "") -> Receipt:
        endorsed, peer = pending.endorsed, listener.peer
        verdict = await self._verdict(listener, pending, besides)
        liars = self.blame(endorsed) if verdict.code is TxCode.ENDORSEMENT_POLICY_FAILURE else ()
        if peer in liars:  # the transaction may be valid all the same, and must not be made again on its word
            peer, verdict = await self._second_opinion(pending, liars)
        if verdict.code is TxCode.VALID:
            return Receipt(endorsed.tx_id, verdict.block_num, endorsed.payload, peer)
        spoilt_by = liars if verdict.code is TxCode.ENDORSEMENT_POLICY_FAILURE else ()
        raise CommitRefused(endorsed.tx_id, verdict.code, verdict.block_num, peer, spoilt_by)

    async def _verdict(self, listener: CommitListener, pending: Pending, besides: str = "") -> Verdict:
        try:
            return await listener.verdict(pending.endorsed.tx_id, self.timeouts.commit)
        except CommitUnknown as error:
            raise CommitUnknown(error.tx_id, error.why + besides, pending) from None

    async def _second_opinion(self, pending: Pending, liars: Collection[str]) -> tuple[str, Verdict]:
        """Another peer than these, and its verdict."""
        try:
            async with self._listening_from(pending.since, avoiding=liars) as listener:
                return listener.peer, await self._verdict(listener, pending)
        except Unavailable as error:
            why = f"it is invalid on the word of a liar alone: {error}"
            raise CommitUnknown(pending.endorsed.tx_id, why, pending) from None

    @contextlib.asynccontextmanager
    async def _listening_from(self, since: int, avoiding: Collection[str] = ()) -> AsyncGenerator[CommitListener]:
        """A listener of one's own on the first peer that delivers, from a block on."""
        problems: list[str] = []
        for source in self._event_sources():
            if source.name in avoiding:
                continue
            listener = self._new_listener(source, SeekPosition.at(since))
            try:
                problem = await self._problem_of(listener, source)
                if problem is None:
                    yield listener
                    return
                problems.append(problem)
            finally:
                await listener.close()
        raise self._no_events(problems)

    def _found_lying(self, node: Node, fault: str) -> NodeError:
        _log.warning("a peer's endorsement does not count", extra={"peer": node.name, "reason": fault})
        self._connections.distrusted.add(node.name)
        return NodeError(node.name, fault)

    def _event_sources(self, preferred: Collection[str] = ()) -> list[Node]:
        """Those of the preferred names first, and of them those that are known to deliver."""
        return sorted(
            self.nodes.event_sources,
            key=lambda source: (source.name not in preferred, not self._listener(source).follows),
        )

    async def _problem_of(self, listener: CommitListener, source: Node) -> str | None:
        """Start a listener: None when its peer delivers, or why it does not."""
        try:
            await listener.start(self.timeouts.evaluate)
        except NodeError as error:
            return str(error)
        except TimeoutError as error:
            return f"{source.name}: {error}"
        return None

    def _no_events(self, problems: Sequence[str]) -> Unavailable:
        return Unavailable(f"no peer delivers the events of {self.name}: {'; '.join(problems) or 'none is known'}")

    def _listener(self, source: Node) -> CommitListener:
        if source.name not in self._listeners:
            self._listeners[source.name] = self._new_listener(source, NEWEST)
        return self._listeners[source.name]

    def _new_listener(self, source: Node, start: SeekPosition) -> CommitListener:
        filtered_blocks = self._connections.deliver(source).filtered_blocks
        return CommitListener(functools.partial(filtered_blocks, self.name), start, source.name)

    def _propose(self, call: Call) -> tuple[bytes, Proposal]:
        identity, outside = self._connections.identity, self._connections.outside
        proposal = make_proposal(
            self.name,
            call.chaincode,
            ChaincodeInput(tuple([_bytes(arg) for arg in (call.function, *call.args)])),
            identity.serialized,
            nonce=outside.random_bytes(NONCE_BYTES),
            timestamp_ns=outside.now_ns(),
            transient=call.transient,
        )
        return encode_signed_proposal(sign_proposal(proposal, identity)), proposal


def _bytes(argument: str | bytes) -> bytes:
    return argument.encode() if isinstance(argument, str) else argument

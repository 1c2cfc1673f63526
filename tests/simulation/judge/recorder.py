"""Writes down what one session calls and is told, whether the network is simulated or real."""

from collections.abc import Awaitable, Sequence

from privysharing.rpc.outside import Outside
from privysharing.sdk import Call, Contract, Receipt
from privysharing.sdk.errors import CommitRefused, CommitUnknown, ContractRefused, Refused, SdkError
from privysharing.sdk.profile import Node
from tests.simulation.judge import operations
from tests.simulation.judge.operations import VALID, Answer, Committed, Operation, Told, Unknown
from tests.simulation.judge.workload import Planned
from tests.simulation.judge.world import Person

_MS = 1_000_000  # nanoseconds


class Recorder:
    """One session of one person on a contract; `history` is shared by all sessions of a run.

    Every call returns what was recorded: an error of the SDK is an outcome like any other; after another exception,
    which goes on its way, the outcome is unknown. `outside` gives the clocks; those of all machines are within
    `apart_ms` of it.
    `resubmissions`: how often a transaction of unknown outcome is ordered again before it is recorded as such.
    """

    def __init__(
        self,
        contract: Contract,
        who: Person,
        session: str,
        history: list[Operation],
        *,
        outside: Outside,
        apart_ms: int = 0,
        resubmissions: int = 0,
    ) -> None:
        self._contract = contract
        self._who = who
        self._session = session
        self._history = history
        self._outside = outside
        self._apart_ns = apart_ms * _MS
        self._resubmissions = resubmissions

    @property
    def peers(self) -> Sequence[Node]:
        """Whom an evaluate may ask."""
        return self._contract.channel.nodes.endorsers

    async def call(self, planned: Planned, peer: Node | None = None) -> Operation:
        """A planned call: a submit, or an evaluate at a peer."""
        work = self._submitted(planned) if planned.kind == "submit" else self._evaluated(planned, peer)
        return await self._recorded(planned, work)

    async def submit(self, function: str, *args: str) -> Operation:
        return await self.call(Planned(self._who, "submit", function, args))

    async def evaluate(self, function: str, *args: str, peer: Node | None = None) -> Operation:
        """Ask one peer, or whichever the SDK asks; then the record does not know which it was, unless it refused."""
        return await self.call(Planned(self._who, "evaluate", function, args), peer)

    async def _recorded(self, planned: Planned, call: Awaitable[tuple[str, Told]]) -> Operation:
        started, earliest_ns = self._outside.monotonic(), self._outside.now_ns() - self._apart_ns
        node: str = ""
        told: Told = Unknown("broken off")
        try:
            node, told = await call
        finally:
            operation = Operation(
                session=self._session,
                who=self._who,
                node=node,
                kind=planned.kind,
                function=planned.function,
                args=planned.args,
                transient=planned.transient,
                started=started,
                ended=self._outside.monotonic(),
                earliest_ns=earliest_ns,
                latest_ns=self._outside.now_ns() + self._apart_ns,
                outcome=told,
            )
            self._history.append(operation)
        return operation

    def _call(self, planned: Planned) -> Call:
        return Call(self._contract.name, planned.function, planned.args, planned.transient, planned.collections)

    async def _evaluated(self, planned: Planned, peer: Node | None) -> tuple[str, Told]:
        """Who answered, and what."""
        try:
            payload = await self._contract.channel.evaluate(self._call(planned), () if peer is None else (peer,))
        except Refused as error:
            return error.node, _refusal(error)
        except SdkError as error:
            return "", Unknown(str(error))
        return peer.name if peer else "", Answer(payload)

    async def _submitted(self, planned: Planned) -> tuple[str, Told]:
        """The peer that said so, and what it said."""
        try:
            return _committed(await self._contract.channel.submit(self._call(planned)))
        except CommitRefused as error:
            return _invalid(error)
        except CommitUnknown as error:
            return await self._resubmitted(error, planned)
        except Refused as error:
            return error.node, _refusal(error)
        except SdkError as error:  # as `Channel.submit` says, it was not ordered
            return "", operations.Refused("", str(error))

    async def _resubmitted(self, unknown: CommitUnknown, planned: Planned) -> tuple[str, Told]:
        for _ in range(self._resubmissions if unknown.pending else 0):
            assert unknown.pending is not None
            try:
                return _committed(await self._contract.channel.resubmit(unknown.pending))
            except CommitRefused as error:
                # What liars have spoilt changed nothing: it is called again, as `submit` does while it knows the call.
                return await self._submitted(planned) if error.liars else _invalid(error)
            except SdkError:  # says nothing about the first copy
                continue
        return "", Unknown(unknown.why, unknown.tx_id)


def _committed(receipt: Receipt) -> tuple[str, Told]:
    return receipt.peer, Committed(receipt.tx_id, receipt.block_num, VALID, receipt.payload)


def _invalid(error: CommitRefused) -> tuple[str, Told]:
    return error.peer, Committed(error.tx_id, error.block_num, error.code.name)


def _refusal(error: Refused) -> operations.Refused:
    return operations.Refused(error.code if isinstance(error, ContractRefused) else "", str(error))

"""Clients that work all the while: through the SDK, and over bare Broadcast streams. All enter what they are told."""

import asyncio
import contextlib
import functools
import itertools
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from random import Random

import grpc

from deploy.manifest import Network as Manifest
from deploy.wallets import ADMIN_PREFIX, network_wallet
from privysharing.chaincode.identity import client_identity
from privysharing.protocol.channel.settings import BatchSize
from privysharing.protocol.codec.config_values import encode_batch_size
from privysharing.protocol.codec.configs import parse_config
from privysharing.protocol.codes import Status, TxCode
from privysharing.protocol.envelopes import TxId
from privysharing.rpc.channels import ClientTls, open_channel
from privysharing.sdk import Call, Channel, Endorsed, Pending, Receipt, Timeouts, connect
from privysharing.sdk.errors import CommitRefused, CommitUnknown, ContractRefused, Refused, SdkError, Unavailable
from privysharing.sdk.profile import ConnectionProfile
from services.client.network.identities import admin_of, profile_of
from tests.chaos.records import Records
from tests.simulation.judge import operations
from tests.simulation.judge.operations import Answer, Committed, Operation, Told, Unknown
from tests.simulation.judge.workload import Planned, Workload
from tests.support.config_updates import difference, signed_update, with_value_at
from tests.support.foreign_client import ab
from tests.support.live import CHANNEL, CONTRACT

LABELS = ("alice", "bob", "carol", "mallory", "doctor", "officer", "mint", "admin.ministry")
CAROL, DOCTOR, OFFICER = "carol@CitizensMSP", "doctor@MedicalMSP", "officer@PoliceMSP"
SESSIONS = 5
PATIENCE = Timeouts(evaluate=3.0, endorse=5.0, broadcast=3.0, commit=15.0)
PAUSE_S = 0.15  # of a client between two calls, on average: the load is to be there, not to be heavy
AT_ONCE = 4  # envelopes that a bare client writes before it reads their answers
ANSWER_SECONDS_MAX = 5.0
ASSET_TYPE = "heart_rate"
GOVERNED_S = (2.0, 8.0)  # between two changes of the configuration
MESSAGES = (5, 20, 100)  # in a block, at most, by such a change
ENVELOPE_BYTES_MAX = 2 * 1024 * 1024

_BROADCAST = "/orderer.AtomicBroadcast/Broadcast"
_REPEATED = 0.5  # of the envelopes without an answer are sent again
_LAST_ATTEMPTS = 3  # to learn of a transaction once the run is over and the network whole


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody on the channel, as the contract names him."""

    party: str
    channel: Channel
    profile: ConnectionProfile


class Load:
    """Clients at work for the length of `running`; it ends once each knows what became of its transactions.

    Some create what nobody else touches, and must succeed. The townspeople get in each other's way: what they were told
    is kept as `operations`, for a judge of histories.
    """

    def __init__(self, manifest: Manifest, records: Records, random: Random) -> None:
        self._manifest = manifest
        self.records = records
        self._random = random
        self._town = Workload(random)
        self._numbers = itertools.count()
        self._over = asyncio.Event()
        self._clients: dict[str, Client] = {}
        self.operations: list[Operation] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work; an exception of a client that is not the network's ends everything."""
        async with AsyncExitStack() as stack:
            for label in LABELS:
                client = await stack.enter_async_context(self._connected(label))
                self._clients[client.party] = client
            for planned in self._town.opening():
                await self._act("opening", planned)
            async with asyncio.TaskGroup() as group:
                for work in self._works():
                    group.create_task(self._repeat(work))
                group.create_task(self._repeat(self._govern, lambda: self.records.configurations > 0))
                try:
                    yield
                finally:
                    self._over.set()

    def _works(self) -> Sequence[Callable[[], Awaitable[None]]]:
        return (
            lambda: self._create(self._clients[CAROL]),
            lambda: self._create(self._clients[OFFICER]),
            lambda: self._broadcast(self._clients[CAROL]),
            lambda: self._broadcast(self._clients[DOCTOR]),
            *(functools.partial(self._live, f"session {number}") for number in range(SESSIONS)),
        )

    async def _repeat(self, work: Callable[[], Awaitable[None]], enough: Callable[[], bool] = lambda: True) -> None:
        while not (self._over.is_set() and enough()):
            try:
                await work()
            except SdkError as error:
                self.records.failures[type(error).__name__] += 1
            await asyncio.sleep(self._random.uniform(0, 2 * PAUSE_S))

    async def _create(self, client: Client) -> None:
        await self._submit(client, Call(CONTRACT, "CreateAsset", (ASSET_TYPE, self._name())), contested=False)

    async def _govern(self) -> None:
        """All administrators agree on blocks of another size; then there is peace for a while, or to the end."""
        async with self._connected(f"{ADMIN_PREFIX}{self._manifest.channel(CHANNEL).members[0]}") as client:
            config = parse_config(await client.channel.evaluate(Call("cscc", "GetChannelConfig", (CHANNEL,))))
            size = encode_batch_size(BatchSize(self._random.choice(MESSAGES), absolute_max_bytes=ENVELOPE_BYTES_MAX))
            update = difference(CHANNEL, config.root, with_value_at(config.root, ("Orderer",), "BatchSize", size))
            admins = [admin_of(self._manifest, org.name) for org in self._manifest.organisations]
            await client.channel.order(signed_update(update, admins, os.urandom, time.time_ns()))
            self.records.configurations += 1
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), self._random.uniform(*GOVERNED_S))

    async def _live(self, session: str) -> None:
        """What the town thinks of next, but for settings: everybody reads them, and nobody would be uncontested."""
        planned = self._town.plan()
        if planned.function != "ConfigureChannel":
            await self._act(session, planned)

    async def _act(self, session: str, planned: Planned) -> None:
        """Do what somebody has planned, and enter what came of it."""
        started, earliest_ns = time.monotonic(), time.time_ns()
        node, outcome = await self._told(planned)
        if isinstance(outcome, Answer) or (isinstance(outcome, Committed) and outcome.code == TxCode.VALID.name):
            self._town.learn(planned, outcome.payload)
        self.operations.append(
            Operation(
                session=session,
                who=planned.who,
                node=node,
                kind=planned.kind,
                function=planned.function,
                args=planned.args,
                started=started,
                ended=time.monotonic(),
                earliest_ns=earliest_ns,
                latest_ns=time.time_ns(),
                outcome=outcome,
            )
        )

    async def _told(self, planned: Planned) -> tuple[str, Told]:
        """The outcome of a call, and which node told it, where somebody knows."""
        client = self._clients[planned.who.party]
        call = Call(CONTRACT, planned.function, planned.args)
        try:
            if planned.kind == "submit":
                return await self._submit(client, call, contested=True)
            peer = self._random.choice(client.channel.nodes.endorsers)
            return peer.name, Answer(await client.channel.evaluate(call, [peer]))
        except Refused as error:
            code = error.code if isinstance(error, ContractRefused) else ""
            return error.node, operations.Refused(code, error.message)

    async def _submit(self, client: Client, call: Call, *, contested: bool) -> tuple[str, Committed | Unknown]:
        """A call, and its transaction again and again for as long as nobody can tell what became of it; as `_told`."""
        outcome = await self._verdict(client.channel.submit(call), contested=contested)
        left = _LAST_ATTEMPTS
        while isinstance(outcome, Pending):
            if not left:
                self.records.unsettled.add(outcome.endorsed.tx_id)
                return "", Unknown("no verdict to the end", outcome.endorsed.tx_id)
            left -= self._over.is_set()
            await asyncio.sleep(PAUSE_S)
            try:
                outcome = await self._verdict(client.channel.resubmit(outcome), contested=contested)
            except Unavailable:
                self.records.failures["Unavailable"] += 1
        return outcome

    async def _verdict(self, commit: Awaitable[Receipt], *, contested: bool) -> tuple[str, Committed] | Pending:
        """What a peer told of a transaction, which is entered; or the transaction, when none did."""
        try:
            receipt = await commit
            peer, told = receipt.peer, Committed(receipt.tx_id, receipt.block_num, TxCode.VALID.name, receipt.payload)
        except CommitRefused as refused:
            peer, told = refused.peer, Committed(refused.tx_id, refused.block_num, refused.code.name)
        except CommitUnknown as unknown:
            self.records.failures["CommitUnknown"] += 1
            if unknown.pending is None:
                raise
            return unknown.pending
        self.records.tell(TxId(told.tx_id), TxCode[told.code], told.block, contested=contested)
        return peer, told

    async def _broadcast(self, client: Client) -> None:
        """Some new envelopes over a stream of Fabric's, and some of those again that came without an answer."""
        calls = [Call(CONTRACT, "CreateAsset", (ASSET_TYPE, self._name())) for _ in range(AT_ONCE)]
        envelopes = list(await asyncio.gather(*map(client.channel.endorse, calls)))
        while envelopes and not self._over.is_set():
            answered = await self._sent(client, envelopes)
            envelopes = [each for each in envelopes[answered:] if self._random.random() < _REPEATED]

    async def _sent(self, client: Client, envelopes: Sequence[Endorsed]) -> int:
        """How many of these, from the first on, an orderer has acknowledged."""
        orderer = self._random.choice(client.channel.nodes.orderers)
        tls = ClientTls(orderer.tls_ca, client.profile.tls_certificate, client.profile.tls_key)
        connection = open_channel(orderer.address, tls, server_name=orderer.server_name)
        answered = 0
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                stream: grpc.aio.StreamStreamCall[bytes, bytes] = connection.stream_stream(_BROADCAST)()
                for endorsed in envelopes:
                    self.records.send(endorsed.tx_id, endorsed.envelope)
                    await stream.write(endorsed.envelope)
                async for raw in stream:
                    if ab.BroadcastResponse.FromString(raw).status != Status.SUCCESS:
                        break
                    self.records.acknowledge(envelopes[answered].envelope)
                    answered += 1
                    if answered == len(envelopes):
                        break
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, TimeoutError) as error:
            self.records.failures[f"Broadcast: {type(error).__name__}"] += 1
        finally:
            await connection.close()
        return answered

    @asynccontextmanager
    async def _connected(self, label: str) -> AsyncIterator[Client]:
        entry = network_wallet(self._manifest).get(label)
        identity = entry.signing_identity()
        profile = profile_of(self._manifest, entry.msp_id)
        party = f"{client_identity(identity.serialized).enrollment_id}@{entry.msp_id}"
        async with connect(profile, identity, PATIENCE) as connection:
            yield Client(party, connection.channel(CHANNEL), profile)

    def _name(self) -> str:
        return f"chaos-{next(self._numbers)}"

"""Two organisations, a channel, a ledger in memory, and one endorsing peer each: what tests of endorsement run on."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from privysharing.chaincode.stub import Stub
from privysharing.protocol import build
from privysharing.protocol.blocks import Block, BlockHeader, data_hash
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.genesis import ChannelProfile, OrgProfile, genesis_block
from privysharing.protocol.channel.settings import BatchSize, ConsensusType
from privysharing.protocol.codec import lifecycle as lifecycle_codec
from privysharing.protocol.codec.transactions import encode_signed_proposal
from privysharing.protocol.codes import TxCode
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.lifecycle import ChaincodeDefinition
from privysharing.protocol.msp.provider import Msp
from privysharing.protocol.policies.dsl import parse_implicit_meta, parse_policy
from privysharing.protocol.signers import verify_all
from privysharing.protocol.transactions import ChaincodeInput, Proposal, ProposalResponse, Response
from services.peer.access import AccessControl
from services.peer.chaincode_host.contracts import Contracts
from services.peer.chaincode_host.definitions import Definitions
from services.peer.chaincode_host.guard import ExecutionGuard
from services.peer.chaincode_host.host import ChaincodeHost
from services.peer.chaincode_host.metrics import ChaincodeMetrics
from services.peer.chaincode_host.ports import Contract, JoinRefused
from services.peer.chaincode_host.simulator import SimulationLimits
from services.peer.chaincode_host.stub import InProcessStub
from services.peer.chaincode_host.watchdog import Watchdog
from services.peer.commits import make_commit
from services.peer.endorsement.endorser import Endorser, EndorserConfig
from services.peer.endorsement.issued import IssuedEndorsements
from services.peer.endorsement.metrics import EndorserMetrics
from services.peer.endorsement.stages import Outcome
from services.peer.ledger.memory import MemoryLedger
from services.peer.ledger.types import LedgerPort
from services.peer.private_data.dissemination import Dissemination, KeptHere
from services.peer.private_data.resolving import kept_sets
from services.peer.private_data.store import PrivateStore
from services.peer.system_chaincodes import system_chaincodes
from services.peer.validation.validate import accept_genesis, read_block, validate_block
from services.runtime.disk import StorageError
from services.runtime.memorydatabase import MemoryDatabases
from services.runtime.memorydisk import MemoryDisk
from services.runtime.metrics import Registry
from tests.support.authorities import START, Holder, msp_config, root

CHANNEL = "citychannel"
CHAINCODE = "kv"
NOW_NS = int((START + timedelta(days=30)).timestamp()) * 1_000_000_000  # when every certificate here is valid
_nonces = itertools.count(1)


class KeyValues:
    """A contract for tests: args are put/get/del/range/call/event/fail and their arguments."""

    def invoke(self, stub: Stub) -> Response:
        function, *arguments = (argument.decode() for argument in stub.args)
        match function, arguments:
            case "put", [key, value]:
                stub.put_state(key, value.encode())
                return Response(200, payload=b"ok")
            case "del", [key]:
                stub.del_state(key)
            case "get", [key]:
                return Response(200, payload=stub.get_state(key) or b"")
            case "rmw", [key]:
                stub.put_state(key, (stub.get_state(key) or b"") + b"x")
                return Response(200, payload=b"rmw")
            case "range", [start, end]:
                return Response(200, payload=",".join(key for key, _ in stub.get_range(start, end)).encode())
            case "call", [callee, *rest]:
                assert isinstance(stub, InProcessStub)
                answer = stub.invoke_chaincode(callee, [each.encode() for each in rest])
                return Response(200, answer.message, answer.payload)
            case "event", [name]:
                stub.set_event(name, b"payload")
            case "status", [status]:
                stub.put_state("written", b"anyway")
                return Response(int(status), "as asked", b"payload")
            case "decorations", []:
                return Response(200, payload=repr(sorted(stub.decorations)).encode())
            case _:
                raise LookupError(function)
        return Response(200)


@dataclass(frozen=True)
class Organisation:
    """An organisation with a CA and the identities that tests need."""

    msp_id: str
    ca: Holder = field(default_factory=root)

    def signer(self, name: str, unit: str) -> SigningIdentity:
        return self.ca.issue(name, unit).signer(self.msp_id)

    def profile(self) -> OrgProfile:
        rules = {
            "Readers": f"OR('{self.msp_id}.admin', '{self.msp_id}.peer')",
            "Writers": f"OR('{self.msp_id}.admin', '{self.msp_id}.client')",
            "Admins": f"OR('{self.msp_id}.admin')",
            "Endorsement": f"OR('{self.msp_id}.peer')",
        }
        policies = {name: parse_policy(rule) for name, rule in rules.items()}
        return OrgProfile(self.msp_id, msp_config(self.msp_id, self.ca), policies)


def profile(
    *members: Organisation, orderer: Organisation, channel_id: str = CHANNEL, acls: Mapping[str, str] | None = None
) -> ChannelProfile:
    """A channel of these members; every one of them endorses, and decides on chaincodes."""
    meta = {
        "Readers": parse_implicit_meta("ANY Readers"),
        "Writers": parse_implicit_meta("ANY Writers"),
        "Admins": parse_implicit_meta("MAJORITY Admins"),
    }
    endorsement = {name: parse_implicit_meta("ALL Endorsement") for name in ("Endorsement", "LifecycleEndorsement")}
    return ChannelProfile(
        channel_id=channel_id,
        orderer_orgs=(orderer.profile(),),
        application_orgs=tuple(member.profile() for member in members),
        channel_policies=meta,
        orderer_policies={**meta, "BlockValidation": parse_implicit_meta("ANY Writers")},
        application_policies={**meta, **endorsement},
        consensus=ConsensusType("solo"),
        batch_size=BatchSize(),
        batch_timeout_s=0.1,
        acls=acls or {},
    )


class LiveChannel:
    """A joined channel: what is committed to it is judged as a peer judges it."""

    def __init__(self, genesis: Block) -> None:
        self.config = ChannelConfig.from_block(genesis)
        self.ledger = MemoryLedger(self.config.channel_id)
        self.stopped: str | None = None
        self._seen: dict[str, SeenChannel] = {}
        judgement = accept_genesis(genesis)
        self.ledger.append(make_commit(genesis, read_block(genesis), judgement.verdicts, judgement.updates, b""))

    def commit(self, *envelopes: bytes) -> tuple[TxCode, ...]:
        """One block of these envelopes."""
        ledger = self.ledger
        header = BlockHeader(ledger.height, ledger.tip, data_hash(envelopes))
        newest = ledger.block(ledger.height - 1)
        assert newest is not None
        block = Block(header, tuple(envelopes), newest.metadata)
        transactions = read_block(block)
        signers = verify_all(transactions, self.config.channel_id, self.config.msps)
        judged = validate_block(header.number, transactions, signers, self.config, ledger.state)
        commit = make_commit(block, transactions, judged.verdicts, judged.updates, ledger.commit_hash)
        stores = [seen.private_values for seen in self._seen.values()]
        parts = [store.part(header.number, transactions, judged.verdicts) for store in stores]
        for store, part in zip(stores, parts, strict=True):
            missing = [needed.missing for needed in part.needed]
            found = [kept_sets(other.transient, missing)[0] for other in stores]  # as if they had been pushed
            store.add(commit.block, part, {place: kept for sets in found for place, kept in sets.items()})
        ledger.append(commit)
        for store, part in zip(stores, parts, strict=True):
            store.settle(header.number, part, commit.tx_ids)
        return judged.verdicts

    def seen_by(self, msp_id: str) -> "SeenChannel":
        """The channel on a peer of this organisation, which shares the ledger with the others."""
        if msp_id not in self._seen:
            self._seen[msp_id] = SeenChannel(self, private_store(self.ledger, self.config, msp_id))
        return self._seen[msp_id]

    def lose_private_data(self, msp_id: str) -> None:
        """Let the next peer of this organisation have been away until now."""
        del self._seen[msp_id]


def private_store(ledger: LedgerPort, config: ChannelConfig, msp_id: str) -> PrivateStore:
    """A store of private data in memory."""
    disk = MemoryDisk()
    return PrivateStore.open(ledger, Path("/private"), disk, MemoryDatabases(disk), config, msp_id)


class SeenChannel:
    """A channel as one organisation's peer has it."""

    def __init__(self, channel: LiveChannel, private_values: PrivateStore) -> None:
        self._channel = channel
        self.private_values = private_values
        self.dissemination: Dissemination = KeptHere(private_values.transient)

    @property
    def config(self) -> ChannelConfig:
        return self._channel.config

    @property
    def ledger(self) -> LedgerPort:
        return self._channel.ledger

    @property
    def stopped(self) -> str | None:
        return self._channel.stopped


class LiveChannels:
    """The channels of a peer."""

    def __init__(self, *channels: LiveChannel) -> None:
        self._channels = {channel.config.channel_id: channel for channel in channels}

    def get(self, channel_id: str) -> LiveChannel | None:
        return self._channels.get(channel_id)

    def ids(self) -> Sequence[str]:
        return sorted(self._channels)

    def join(self, genesis: Block) -> None:
        channel = LiveChannel(genesis)
        channel_id = channel.config.channel_id
        if channel_id in self._channels:
            raise JoinRefused(
                f"cannot create ledger from genesis block: ledger [{channel_id}] already exists with state [ACTIVE]"
            )
        self._channels[channel_id] = channel


class SeenChannels:
    """The channels as one organisation's peer has them."""

    def __init__(self, channels: LiveChannels, msp_id: str) -> None:
        self._channels = channels
        self._msp_id = msp_id
        self.ids = channels.ids
        self.join = channels.join

    def get(self, channel_id: str) -> SeenChannel | None:
        channel = self._channels.get(channel_id)
        return None if channel is None else channel.seen_by(self._msp_id)


class Peer:
    """An endorsing peer of one organisation."""

    def __init__(
        self,
        organisation: Organisation,
        channels: LiveChannels,
        contracts: Mapping[str, Callable[[], Contract]] | None = None,
        *,
        limits: SimulationLimits | None = None,
        execute_timeout_s: float = 30.0,
        memory_growth_max: int = 512 * 1024 * 1024,
        clock_ns: Callable[[], int] = lambda: NOW_NS,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        limits = limits or SimulationLimits()
        self.registry = Registry()
        self.faults: list[StorageError] = []
        self.watchdog = Watchdog()
        self.channels = SeenChannels(channels, organisation.msp_id)
        self.signer = organisation.signer("peer0", "peer")
        self.issued = IssuedEndorsements()
        access = AccessControl(Msp(msp_config(organisation.msp_id, organisation.ca)))
        self.host = ChaincodeHost(
            contracts=Contracts({CHAINCODE: KeyValues} if contracts is None else contracts),
            system=system_chaincodes(self.channels, access, organisation.msp_id),
            definitions=Definitions(organisation.msp_id),
            channels=self.channels,
            access=access,
            guard=ExecutionGuard(self.watchdog, execute_timeout_s, memory_growth_max),
            metrics=ChaincodeMetrics(self.registry),
            limits=limits,
        )
        self.endorser = Endorser(
            signer=self.signer,
            access=access,
            channels=self.channels,
            host=self.host,
            issued=self.issued,
            metrics=EndorserMetrics(self.registry),
            config=EndorserConfig(limits=limits),
            clock_ns=clock_ns,
            has_room=has_room,
            on_fault=self.faults.append,
        )

    def answer(self, signer: SigningIdentity, chaincode: str, *args: str | bytes, **choices: Any) -> Outcome:
        """What this peer answers to a call."""
        return self.endorser.process(signed(proposal(signer, chaincode, *args, **choices), signer))

    def metric(self, line: str) -> str:
        """The value of the one series whose line begins so."""
        lines = [found for found in self.registry.render().splitlines() if found.startswith(line)]
        assert len(lines) <= 1, lines
        return lines[0].rsplit(" ", 1)[1] if lines else "0"


def proposal(
    signer: SigningIdentity,
    chaincode: str,
    *args: str | bytes,
    channel_id: str = CHANNEL,
    is_init: bool = False,
    transient: Mapping[str, bytes] | None = None,
    timestamp_ns: int = NOW_NS,
    decorations: Mapping[str, bytes] | None = None,
) -> Proposal:
    """A proposal of somebody."""
    encoded = tuple(arg.encode() if isinstance(arg, str) else arg for arg in args)
    return build.make_proposal(
        channel_id,
        chaincode,
        ChaincodeInput(encoded, decorations or {}, is_init),
        signer.serialized,
        nonce=next(_nonces).to_bytes(24, "big"),
        timestamp_ns=timestamp_ns,
        transient=transient,
    )


def signed(what: Proposal, signer: SigningIdentity) -> bytes:
    """A protos.SignedProposal."""
    return encode_signed_proposal(build.sign_proposal(what, signer))


class Network:
    """Two organisations on one channel with a peer each; `kv` is not defined until `define` is called."""

    def __init__(self, contracts: Mapping[str, Callable[[], Contract]] | None = None, **choices: Any) -> None:
        self.orderer = Organisation("OrdererMSP")
        self.org1, self.org2, self.stranger = (Organisation(f"Org{n}MSP") for n in (1, 2, 3))
        self.profile = profile(self.org1, self.org2, orderer=self.orderer, acls=choices.pop("acls", None))
        self.genesis = genesis_block(self.profile, nonce=b"nonce", timestamp_ns=NOW_NS)
        self.channel = LiveChannel(self.genesis)
        self.channels = LiveChannels(self.channel)
        self.peers = [Peer(org, self.channels, contracts, **choices) for org in (self.org1, self.org2)]
        self.admins = [org.signer("admin", "admin") for org in (self.org1, self.org2)]
        self.client = self.org1.signer("user", "client")

    def submit(
        self,
        signer: SigningIdentity,
        chaincode: str,
        *args: str | bytes,
        peers: Sequence[Peer] | None = None,
        **choices: Any,
    ) -> TxCode:
        """Have a call endorsed by all peers (or these), and committed."""
        what = proposal(signer, chaincode, *args, **choices)
        raw = signed(what, signer)
        answers = [peer.endorser.process(raw) for peer in (self.peers if peers is None else peers)]
        return self.commit(what, [endorsed(answer) for answer in answers], signer)

    def commit(
        self, what: Proposal, responses: Sequence[ProposalResponse], signer: SigningIdentity | None = None
    ) -> TxCode:
        """A block of one endorsed transaction; the client's unless told otherwise."""
        envelope = build.signed(build.make_transaction(what, responses), signer or self.client)
        (code,) = self.channel.commit(envelope.raw)
        return code

    def approve(self, org: int, name: str, definition: ChaincodeDefinition, package_id: str = "") -> TxCode:
        """One organisation approves (0 or 1): its own peer endorses."""
        argument = lifecycle_codec.encode_approve_args(name, definition, package_id)
        return self.submit(
            self.admins[org],
            "_lifecycle",
            "ApproveChaincodeDefinitionForMyOrg",
            argument,
            peers=[self.peers[org]],
        )

    def define(self, name: str = CHAINCODE, **fields: Any) -> None:
        """Both organisations approve a definition, and it is committed."""
        definition = ChaincodeDefinition(**{"sequence": 1, "version": "1", **fields})
        for org in (0, 1):
            assert self.approve(org, name, definition) is TxCode.VALID
        argument = lifecycle_codec.encode_definition_args(name, definition)
        assert self.submit(self.admins[0], "_lifecycle", "CommitChaincodeDefinition", argument) is TxCode.VALID

    def close(self) -> None:
        for peer in self.peers:
            peer.watchdog.close()


def endorsed(outcome: Outcome) -> ProposalResponse:
    """An answer that is a response; anything else fails the test with what it says."""
    assert isinstance(outcome, ProposalResponse), outcome
    assert outcome.endorsement is not None, outcome.response
    return outcome

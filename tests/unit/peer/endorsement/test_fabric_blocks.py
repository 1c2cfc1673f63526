"""What a real Fabric peer endorsed, simulated again: the same bytes must come out."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from privysharing.chaincode.stub import Stub
from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codec.envelopes import parse_envelope, parse_payload
from privysharing.protocol.codec.transactions import (
    encode_proposal,
    parse_chaincode_action,
    parse_endorser_transaction,
    parse_proposal,
)
from privysharing.protocol.msp.provider import Msp
from privysharing.protocol.transactions import ChaincodeAction, EndorserTransaction, Proposal, Response
from services.peer.access import AccessControl
from services.peer.chaincode_host.contracts import Contracts
from services.peer.chaincode_host.definitions import Definitions
from services.peer.chaincode_host.guard import ExecutionGuard
from services.peer.chaincode_host.host import ChaincodeHost
from services.peer.chaincode_host.metrics import ChaincodeMetrics
from services.peer.chaincode_host.simulator import SimulationLimits, TxSimulator
from services.peer.chaincode_host.transaction import Transaction
from services.peer.chaincode_host.watchdog import Watchdog
from services.peer.commits import replay
from services.peer.ledger.memory import MemoryLedger
from services.peer.private_data import MemoryPrivateValues
from services.peer.system_chaincodes import system_chaincodes
from services.runtime.metrics import Registry

VECTORS = Path(__file__).parents[3] / "interop" / "vectors"
# pblk1: Org1 approves kv; pblk2: kv is committed; pblk3 to 5: kv's put, rmw and range
ENDORSED = {1: "_lifecycle", 2: "_lifecycle", 3: "kv", 4: "kv", 5: "kv"}


class GoTwin:
    """The Go chaincode that made the blocks, in Python."""

    def invoke(self, stub: Stub) -> Response:
        function, *arguments = (argument.decode() for argument in stub.args)
        if function == "put":
            stub.put_state(arguments[0], arguments[1].encode())
            return Response(200, payload=b"ok")
        if function == "rmw":
            stub.put_state(arguments[0], (stub.get_state(arguments[0]) or b"") + b"x")
            return Response(200, payload=b"rmw")
        keys = ",".join(f'"{key}"' for key, _ in stub.get_range(arguments[0], arguments[1]))
        stub.put_state("rangeres", f"[{keys}]".encode())
        return Response(200, payload=f"[{keys}]".encode())


@dataclass(frozen=True)
class Joined:
    config: ChannelConfig
    ledger: MemoryLedger


class OneChannel:
    def __init__(self, channel: Joined) -> None:
        self.channel = channel

    def get(self, channel_id: str) -> Joined | None:
        return self.channel if channel_id == self.channel.config.channel_id else None

    def ids(self) -> list[str]:
        return [self.channel.config.channel_id]

    def join(self, genesis: Block) -> None:
        raise NotImplementedError


def block(number: int) -> Block:
    return parse_block((VECTORS / f"pblk{number}.block").read_bytes())


def channel_before(number: int) -> Joined:
    """The channel as it was when the block's transaction was endorsed."""
    config = ChannelConfig.from_block(block(0))
    ledger = MemoryLedger(config.channel_id)
    for earlier in range(number):
        ledger.append(replay(block(earlier), ledger.state, ledger.commit_hash))
    return Joined(config, ledger)


def proposal_of(number: int) -> tuple[Proposal, EndorserTransaction]:
    """The proposal behind a block's one transaction, which holds all of it but transient data."""
    payload = parse_payload(parse_envelope(block(number).data[0]).payload)
    endorsed = parse_endorser_transaction(payload.data)
    header = payload.header
    return parse_proposal(
        encode_proposal(header.channel_bytes, header.signature_bytes, endorsed.proposal_payload)
    ), endorsed


def simulate(number: int) -> tuple[Response, bytes]:
    channel = channel_before(number)
    channels = OneChannel(channel)
    proposal, _ = proposal_of(number)
    private_values, watchdog = MemoryPrivateValues(), Watchdog()
    org1 = next(org for org in channel.config.application_orgs.values() if org.msp_id == "Org1MSP")
    access = AccessControl(Msp(org1.msp))
    host = ChaincodeHost(
        contracts=Contracts({"kv": GoTwin}),
        system=system_chaincodes(channels, access, org1.msp_id),
        definitions=Definitions(org1.msp_id),
        channels=channels,
        access=access,
        private_values=private_values,
        guard=ExecutionGuard(watchdog, 30.0, 1 << 30),
        metrics=ChaincodeMetrics(Registry()),
        limits=SimulationLimits(),
    )
    creator = channel.config.msps.identity(proposal.header.signature.creator)
    with channel.ledger.snapshot() as snapshot:
        simulator = TxSimulator(snapshot, private_values)
        transaction = Transaction(proposal, creator, channel, simulator, channel.config.channel_id)
        info = host.info(transaction, proposal.chaincode.name)
        response, event = host.execute(transaction, info, proposal.input)
        assert event is None
        results = simulator.results().public
    watchdog.close()
    return response, results


def action_of(number: int) -> ChaincodeAction:
    _, endorsed = proposal_of(number)
    return parse_chaincode_action(endorsed.action_bytes)


@pytest.mark.parametrize("number", sorted(ENDORSED))
def test_simulating_again_gives_the_bytes_that_fabric_endorsed(number: int) -> None:
    action = action_of(number)
    assert action.chaincode is not None
    assert action.chaincode.name == ENDORSED[number]
    response, results = simulate(number)
    assert response == action.response
    assert results == action.results
